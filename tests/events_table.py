"""The table of events in docs/reference/logs.md, made from the calls that log them.

``python -m tests.events_table`` writes it anew, between the page's two marks.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.processes import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "logs.md"
BEGIN: Final = "<!-- begin: python -m tests.events_table -->\n"
END: Final = "<!-- end -->\n"
LEVELS: Final = ("debug", "info", "warning", "error")
SOURCES: Final = [
    path for room in ("pipeline", "trainer") for path in sorted((ROOT / room).rglob("*.py"))
]
NAMED: Final = re.compile(r"%\((\w+)\)(?:\.\d+)?[sdrf]")


class Call(NamedTuple):
    """A call that logs an event."""

    where: str
    level: str
    """The more severe one if there are two"""
    event: str
    """Empty if it is not written where it is logged"""
    text: str
    """With all that it may hold"""
    fields: tuple[str, ...]


def calls(path: Path) -> Iterator[Call]:
    """Yield the calls of a source file that log."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if function.value.id != "logger" or function.attr not in LEVELS:
                continue
            level = function.attr
        elif isinstance(function, ast.Name) and function.id == "log":  # a choice of two levels
            level = "error"
        else:
            continue
        first, *others = node.args
        yield Call(
            f"{path.relative_to(ROOT)}:{node.lineno}",
            level,
            first.value if isinstance(first, ast.Constant) else "",
            "".join(str(part.value) for other in others for part in _constants(other)),
            tuple(keyword.arg or "**" for keyword in node.keywords if keyword.arg != "cause"),
        )


def _constants(node: ast.expr) -> Iterator[ast.Constant]:
    """Yield the pieces of a text, in their order, those of a condition left out."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, ast.BinOp):
        yield from _constants(node.left)
        yield from _constants(node.right)
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def all_calls() -> list[Call]:
    """Return all calls of the project that log."""
    return [call for path in SOURCES for call in calls(path)]


def table() -> str:
    """Return the table in Markdown, in the order of the names."""
    rows = {
        call.event: f"| `{call.event}` | {call.level} | "
        + ", ".join(f"`{name}`" for name in call.fields)
        + f" | {NAMED.sub(lambda name: name[1].upper(), call.text)} |"
        for call in all_calls()
    }
    head = ["| event | level | fields | text |", "|---|---|---|---|"]
    return "\n".join([*head, *(rows[event] for event in sorted(rows))])


def main() -> None:
    """Write the table into the page."""
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + table() + "\n\n" + END + after)


if __name__ == "__main__":
    main()
