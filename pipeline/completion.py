"""``--print-completion``: the script by which a shell completes a command's flags and their values.

A shell completes paths as paths, and where there is a choice, the choices. shtab writes the script.
"""

import sys
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic_settings import BaseSettings

SHELLS: Final = ("bash", "zsh", "tcsh")


class PrintCompletion(Action):
    """Prints the script for a shell, and ends the command."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, whole: Callable[[], ArgumentParser]
    ) -> None:
        """Complete what the parser takes that ``whole`` returns, with all subcommands."""
        super().__init__(
            option_strings,
            dest,
            choices=SHELLS,
            default=SUPPRESS,
            help="print the script for a shell's completion and exit",
        )
        self._whole = whole

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the script."""
        import shtab  # takes time that no other start should

        sys.stdout.write(shtab.complete(self._whole(), shell=str(values)))
        parser.exit()


def complete_values(parser: ArgumentParser, kind: type[BaseSettings]) -> None:
    """Let a parser, which parses no more, show what values its settings can have."""
    import shtab

    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    for action in parser._actions:
        field = fields.get(action.dest)
        if field is None:
            continue
        parts = _parts(field.annotation)
        literals = [part for part in parts if get_origin(part) is Literal]
        choices = [value for literal in literals for value in get_args(literal)]
        if Path in parts:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # is shtab's
        elif choices and action.nargs != 0:
            action.choices = choices


def _parts(annotation: object) -> list[object]:
    """Return the types that a type is made of."""
    if get_origin(annotation) in (Union, UnionType, list):
        return [part for argument in get_args(annotation) for part in _parts(argument)]
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    return [annotation]
