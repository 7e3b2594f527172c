"""The command har-history: keeps what har-stream publishes, and shows it.

Its subcommands have settings of their own; without one it runs.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.commands import log
from pipeline.commands.history.settings import (
    HistoryDevicesSettings,
    HistoryExportSettings,
    HistoryForgetSettings,
    HistoryRunSettings,
    HistoryShowSettings,
)
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.one_line import one_line
from pipeline.settings import CommandSettings, completable, from_command_line


class Subcommand(NamedTuple):
    """A subcommand: its settings, and what it does."""

    settings: type[CommandSettings]
    start: Callable[..., None]


def _run(settings: HistoryRunSettings) -> None:
    from pipeline.commands.history.running import run

    log.configure(
        settings.log_format,
        settings.log_level.upper(),
        "%(asctime)s %(levelname)s %(message)s",
    )
    try:
        with Monitor(settings, command="har-history") as monitor:
            run(settings, monitor)
    except MonitorError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def _show(settings: HistoryShowSettings) -> None:
    from pipeline.commands.history.showing import show

    show(settings)


def _devices(settings: HistoryDevicesSettings) -> None:
    from pipeline.commands.history.showing import list_devices

    list_devices(settings)


def _export(settings: HistoryExportSettings) -> None:
    from pipeline.commands.history.exporting import export

    export(settings)


def _forget(settings: HistoryForgetSettings) -> None:
    from pipeline.commands.history.forgetting import forget_phone

    forget_phone(settings)


SUBCOMMANDS: Final = {
    "run": Subcommand(HistoryRunSettings, _run),
    "show": Subcommand(HistoryShowSettings, _show),
    "devices": Subcommand(HistoryDevicesSettings, _devices),
    "export": Subcommand(HistoryExportSettings, _export),
    "forget": Subcommand(HistoryForgetSettings, _forget),
}
"""By name. What each needs beside its settings is imported when it is started: it is an extra."""
DEFAULT: Final = "run"


def _summary(subcommand: Subcommand) -> str:
    return (subcommand.settings.__doc__ or "").splitlines()[0]


def _usage(program: str) -> str:
    width = max(map(len, SUBCOMMANDS))
    lines = [
        f"  {name.ljust(width)}  {_summary(subcommand)}" for name, subcommand in SUBCOMMANDS.items()
    ]
    return "\n".join(
        [
            f"usage: {program} [{'|'.join(SUBCOMMANDS)}] [FLAGS]",
            "",
            "Keep what phones' wearers do for months, and show it by day and week.",
            "",
            *lines,
            "",
            f"{program} SUBCOMMAND --help lists its flags. Without a subcommand it is {DEFAULT}.",
        ]
    )


def _completable() -> ArgumentParser:
    """Return a parser for shells: of all subcommands, and of the one that is left out."""
    whole = ArgumentParser(
        parents=[completable(SUBCOMMANDS[DEFAULT].settings)], add_help=False, prog="har-history"
    )
    subparsers = whole.add_subparsers()
    for name, subcommand in SUBCOMMANDS.items():
        subparsers.add_parser(
            name,
            parents=[completable(subcommand.settings)],
            add_help=False,
            help=_summary(subcommand),  # without one, none completes it
        )
    return whole


@log.command
def main() -> None:
    """Run the command."""
    program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    name = DEFAULT
    if arguments[:1] in (["-h"], ["--help"]):
        print(_usage(program))
        return
    if arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
    if name not in SUBCOMMANDS:
        sys.exit(f"{program}: there is no {one_line(name)!r}: {', '.join(SUBCOMMANDS)}")
    sys.argv = [f"{sys.argv[0]} {name}", *arguments]
    settings = from_command_line(SUBCOMMANDS[name].settings, _completable)
    try:
        from pipeline.commands.history.address import HistoryError
    except ModuleNotFoundError as error:
        sys.exit(f"{program}: a history needs {error.name}: pip install 'har-stream[history]'")
    try:
        SUBCOMMANDS[name].start(settings)
        sys.stdout.flush()
    except (HistoryError, ConnectionError) as error:
        if isinstance(error, BrokenPipeError):  # who reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        sys.exit(f"{program}: {one_line(str(error))}")
    except KeyboardInterrupt:
        sys.exit(f"{program}: interrupted")


if __name__ == "__main__":
    main()
