"""How ``--help`` is laid out: in groups, a setting a line where the terminal is wide enough.

Files, which have no flag, come first; what every program has, such as ``--version``, comes last.
"""

import re
import shutil
from argparse import ONE_OR_MORE, Action, ArgumentParser, BooleanOptionalAction, HelpFormatter
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from pipeline.setting_groups import Groups, group_of

NARROW: Final = 60
WIDE: Final = 140
"""Columns within which a page of help is at least and at most"""
USUAL: Final = 100
"""Columns where there is no terminal"""
INDENT_SHARE: Final = 0.34
"""Of the columns, for the flags"""
MOST_INDENT: Final = 40

PLACEHOLDERS: Final = {
    "str": "TEXT",
    "int": "N",
    "float": "X",
    "Path": "PATH",
    "SecretStr": "SECRET",
    "date": "YYYY-MM-DD",
    "list[str]": "TEXT",
    "list[int]": "N",
    "list[Path]": "PATH",
    "{float,max}": "X",
}
"""What stands for a value of each type"""
NOTHING: Final = (" (default: None)", " (default: [])")


class _Formatter(HelpFormatter):
    """Writes flags briefly."""

    def _format_action_invocation(self, action: Action) -> str:
        """Return a flag with its value's placeholder; one that switches has two forms."""
        if isinstance(action, BooleanOptionalAction):
            return action.option_strings[0].replace("--", "--[no-]", 1)
        return super()._format_action_invocation(action)

    def _format_args(self, action: Action, default_metavar: str) -> str:
        if action.nargs == ONE_OR_MORE:
            return f"{action.metavar or default_metavar} ..."
        return super()._format_args(action, default_metavar)


def formatter() -> Callable[..., HelpFormatter]:
    """Return what makes the formatter for the present terminal."""
    columns = shutil.get_terminal_size((USUAL, 24)).columns
    width = min(WIDE, max(NARROW, columns - 1))
    return partial(
        _Formatter,
        max_help_position=min(MOST_INDENT, int(INDENT_SHARE * width)),
        width=width,
    )


def arrange(parser: ArgumentParser, names: Mapping[str, str], groups: Groups) -> None:
    """Put the settings of a parser into their groups, before anything else is added.

    Args:
        parser: of a command.
        names: the name of the setting that each argument is, by its ``dest``.
        groups: of the settings.
    """
    actions = [action for action in parser._actions if action.dest in names]
    places: dict[str, list[tuple[int, Action]]] = {title: [] for title in groups}
    for action in actions:
        _simplify(action)
        title, place = group_of(names[action.dest], groups)
        places[title].append((place, action))
    for group in parser._action_groups:
        group._group_actions = [each for each in group._group_actions if each not in actions]
    own = parser._optionals  # what is added later comes last
    own.title = "this program"
    parser._action_groups.remove(own)
    for title, members in places.items():
        members.sort(key=lambda member: (bool(member[1].option_strings), member[0]))
        group = parser.add_argument_group(title)
        group._group_actions += [action for _, action in members]
    parser._action_groups.append(own)
    files = "".join(f" [{each.metavar} ...]" for each in actions if not each.option_strings)
    parser.usage = f"%(prog)s [-h] [FLAGS]{files}"


def add_version(parser: ArgumentParser) -> None:
    """Give a parser ``--version``."""
    parser.add_argument(
        "--version",
        action="version",
        version=f"{parser.prog.split()[0]} {_version()}",
        help="print the version and exit",
    )


def _simplify(action: Action) -> None:
    """Let placeholders and defaults read as people have them."""
    if isinstance(action.metavar, str):
        action.metavar = PLACEHOLDERS.get(action.metavar, action.metavar)
    text = action.help or ""
    for nothing in NOTHING:
        text = text.replace(nothing, "")
    text = text.replace("(default: False)", "(default: no)")
    text = text.replace("(default: True)", "(default: yes)")
    action.help = re.sub(r"\(default: \[(.*)\]\)$", _listed, text)


def _listed(default: re.Match[str]) -> str:
    return f"(default: {default[1].replace(chr(39), '')})"


def _version() -> str:
    try:
        return version("har-stream")
    except PackageNotFoundError:  # it runs from its source alone
        return "(not installed)"
