"""Writes the newest figures into the pages of docs/results.

``python -m tests.benchmarks.run --json figures.json`` measures; ``python -m tests.benchmarks.pages
figures.json`` then replaces the blocks of what was measured. Other blocks stay, with their dates. A
block stands between two comments:

    <!-- figures: load, cnn-lstm -->
    <!-- end of figures -->

The first names the benchmark and, if not all its figures are meant, the part of their names up to
the first comma.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, heading

RESULTS: Final = Path(__file__).parents[2] / "docs" / "results"

_BLOCK: Final = re.compile(
    r"(?P<begin><!-- figures: (?P<benchmark>\w+)(?:, (?P<part>[^>]+?))? -->\n)"
    r".*?"
    r"(?P<end><!-- end of figures -->\n)",
    re.DOTALL,
)


def updated(page: str, conditions: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Return a page with these figures in the blocks of their benchmarks."""

    def block(found: re.Match[str]) -> str:
        lines = [
            str(figure)
            for figure in figures
            if figure.benchmark == found["benchmark"]
            and found["part"] in (None, figure.name.partition(",")[0])
        ]
        if not lines:
            return found[0]
        text = "\n".join([heading(_without_folder(conditions)), *lines])
        return f"{found['begin']}\n```\n{text}\n```\n\n{found['end']}"

    return _BLOCK.sub(block, page)


def _without_folder(conditions: Mapping[str, str]) -> dict[str, str]:
    """Return conditions whose command names no folder of the machine that measured."""
    folder = re.compile(rf"^{FOLDER_VARIABLE}=('[^']*'|\S+)")
    command = folder.sub(f"{FOLDER_VARIABLE}=DIR", conditions["command"])
    return {**conditions, "command": command}


def read(file: Path) -> tuple[dict[str, str], list[Figure]]:
    """Return the conditions and figures that ``run.py --json`` wrote."""
    everything: dict[str, Any] = json.loads(file.read_text())
    names = [one.name for one in fields(Figure)]
    figures = [Figure(**{name: entry[name] for name in names}) for entry in everything["figures"]]
    return everything["conditions"], figures


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write figures into docs/results")
    parser.add_argument("figures", type=Path, help="what run.py --json wrote")
    conditions, figures = read(parser.parse_args().figures)
    for page in sorted(RESULTS.glob("*.md")):
        before = page.read_text()
        after = updated(before, conditions, figures)
        if after != before:
            page.write_text(after)
            print(f"wrote {page.name}")


if __name__ == "__main__":
    main()
