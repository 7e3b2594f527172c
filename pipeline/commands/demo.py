"""The command har-demo: a broker, har-stream and a replay, started together and watched live.

Strategy: `play` starts the embedded broker, har-stream as a process of its own, with ``--web`` also
har-web, and a replay in this process. A second connection receives the predictions for a table of
the phones.

Rules:

* Nothing is recognised or measured here: har-stream does the one, the replay the other.
* Without UCI HAR on the machine or in reach, simulated phones are played.
* In a terminal the pages are for looking at as long as one likes: so the phones are played again,
  at real time. They have no labels then: what is judged is each recording once, as in the report.
* When one of the parts ends, the demo ends with its reason; what was started ends with the demo.
"""

import logging
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Final

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler

from pipeline.commands import log
from pipeline.commands.demo_board import Board
from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.demo_web import WebError, WebProcess, har_web, qr_codes
from pipeline.commands.program_info import DEFAULT_HOP
from pipeline.commands.replay import sources
from pipeline.commands.replay.replay import Replay
from pipeline.commands.replay.report import print_report, report
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.mqtt.broker import (
    HOST,
    START_TIMEOUT_S,
    BrokerError,
    companion,
    embedded_broker,
    last_lines,
)
from pipeline.mqtt.connection import Connection
from pipeline.program_topics import STATUS_TOPIC
from pipeline.recordings import datasets, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.settings import from_command_line

REFRESHES_PER_S: Final = 4
PLAIN_LINE_EVERY_S: Final = 5.0
"""How often a line is printed where standard output is no terminal"""
CLOSE_TIMEOUT_S: Final = 5.0
NOW_S: Final = 60.0
"""By which samples may be late"""

_NAMES: Final = {
    "uci-har": "the UCI HAR test set",
    "hapt": "the HAPT raw recordings",
    "simulated": "simulated phones",
}

NEXT_STEPS: Final = """\
Next: har-stream --broker HOST          recognises the phones of your own broker
      har-replay --broker HOST --wait   plays the UCI HAR test set to it"""

STREAM_CODE: Final = """\
import sys
from pipeline.mqtt.broker import end_with_parent
end_with_parent()
from pipeline.commands.stream.command import main
sys.argv[0] = "har-stream"
main()
"""


class StreamError(Exception):
    """har-stream ended by itself; the message holds what it logged last."""


def play(settings: DemoSettings, console: Console) -> None:
    """Run the demo to its end.

    Raises:
        DataError: there is nothing to play.
        BrokerError: the broker does not run, or has ended.
        StreamError: har-stream ended.
        WebError: har-web ended, or cannot be started.
        OSError: the broker cannot be reached, or predictions stopped coming.
    """
    replay_settings = ReplaySettings.model_validate(
        {
            "broker": HOST,
            "protocol": "3.1.1",  # all that the embedded broker speaks
            "tls": False,
            "username": None,
            "password": None,
            "password_file": None,
            "key": None,
            "recording": settings.recording or "uci-har",
            "data": settings.data,
            "subjects": [],
            "split": "test",
            "speed": settings.speed,
            "labels": settings.web,
            "duration": settings.duration * settings.speed,
            "wait": True,
        }
    )
    with embedded_broker() as port, ExitStack() as stack:
        web = stack.enter_context(har_web(settings, HOST, port)) if settings.web else None
        if web is not None:
            _introduce(web, console)  # first of all: reading takes seconds, a download minutes
        replay_settings, recordings = read(settings, replay_settings, console)
        replay_settings = replay_settings.model_copy(update={"port": port})
        with (
            har_stream(settings, replay_settings) as stream,
            _connected(replay_settings, "har-replay", "har/+/prediction", STATUS_TOPIC) as playing,
        ):
            replay = Replay(replay_settings, recordings, playing, hop=DEFAULT_HOP)
            replay.start_receiving()

            def check() -> None:
                stream.check()
                if web is not None:
                    web.check()
                if not playing.ready.is_set():
                    raise BrokerError("the embedded broker has gone")

            _await_stream(replay, check)
            console.print(
                f"{len(recordings)} phones → broker ({HOST}:{port}) → har-stream --model "
                f"{settings.model}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )
            stopped = False
            try:
                with _connected(replay_settings, "har-demo", "har/+/prediction") as watching:
                    _watch(replay, check, Board(settings, replay, watching), console)
            except KeyboardInterrupt:
                stopped = True
                console.print("stopped")
            except TimeoutError:
                stream.check()  # the better message, if that is why
                raise
            print_report(report(replay), console, n_unexpected=replay.windows.n_unexpected)
            if replay_settings.recording == "simulated":
                console.print(
                    "(of motion that is made up: this accuracy says nothing about people)"
                )
            stream.check()
            if web is not None and console.is_terminal and not stopped:
                console.print("The pages stay until Ctrl-C; the phones go on, at real time")
                _play_on(replay_settings, recordings, playing, check)


def _introduce(web: WebProcess, console: Console) -> None:
    """Print where the pages are."""
    introduction = web.introduction()
    console.print(introduction, soft_wrap=True, highlight=False, markup=False)
    if console.is_terminal:
        console.print(qr_codes(introduction), soft_wrap=True, highlight=False, markup=False)


def _play_on(
    settings: ReplaySettings,
    recordings: list[Recording],
    connection: Connection,
    check: Callable[[], None],
) -> None:
    """Play recordings over and over, at real time, until Ctrl-C; what ``check`` raises ends it."""
    settings = settings.model_copy(update={"speed": 1.0, "labels": False})
    with suppress(KeyboardInterrupt):
        while True:
            replay = Replay(settings, recordings, connection, hop=DEFAULT_HOP)
            replay.start_receiving()
            for _ in replay.send():
                check()
            replay.finish(wait=False)


def read(
    settings: DemoSettings, replay: ReplaySettings, console: Console
) -> tuple[ReplaySettings, list[Recording]]:
    """Return what to play and the settings that name it, and say what it is and why.

    Raises:
        DataError: the data that the settings name is missing or damaged.
    """
    if settings.recording is not None:
        recordings = _read(replay)
        why = "as asked"
    elif settings.data is not None:
        recordings = _read(replay)
        why = f"from {settings.data}"
    else:
        try:
            why = _look_for_uci_har(console)
            recordings = _read(replay)
        except DataError as error:
            replay = replay.model_copy(update={"recording": "simulated"})
            recordings = _read(replay)
            why = f"as the UCI HAR data set cannot be had: {_cause(error)}"
    console.print(
        f"Playing {_NAMES[replay.recording]}, {why}", soft_wrap=True, highlight=False, markup=False
    )
    return replay, recordings


def _look_for_uci_har(console: Console) -> str:
    """Return where the data set comes from."""
    try:
        with datasets.opened(datasets.UCI_HAR, download=False) as files:
            return f"from {files.source}"
    except DataError:
        console.print("UCI HAR is not on this machine: trying to download it (60 MB)")
        return "downloaded"


def _cause(error: BaseException) -> BaseException:
    """Return what was wrong in the first place, without the advice that was added to it."""
    return error if error.__cause__ is None else _cause(error.__cause__)


def _read(replay: ReplaySettings) -> list[Recording]:
    if replay.recording != "simulated" or replay.duration is None:
        return sources.read(replay)
    try:
        return simulated.recordings(seconds=replay.duration)
    except ValueError as error:
        raise DataError(f"{error} (--duration times --speed)") from error


class StreamProcess:
    """The har-stream of the demo: a process and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        """Watch a process that logs into ``log``."""
        self._process = process
        self._log = log

    def check(self) -> None:
        """Return if it runs.

        Raises:
            StreamError: it has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise StreamError(f"har-stream ended with exit code {code}:\n{last_lines(self._log)}")


@contextmanager
def har_stream(settings: DemoSettings, replay: ReplaySettings) -> Iterator[StreamProcess]:
    """Run har-stream as long as the context lasts."""
    flags = [
        *("--broker", replay.broker, "--port", str(replay.port), "--protocol", replay.protocol),
        "--no-tls",
        # What is played faster than it was made begins so long ago, and is of now all the same.
        *("--max-behind", f"{settings.duration * settings.speed + NOW_S:g}"),
        *("--model", settings.model, "--hop", str(DEFAULT_HOP), "--log-level", "info"),
        *("--log-format", "text"),  # its end is shown to people
    ]
    with (
        tempfile.TemporaryFile() as log,
        companion(["-c", STREAM_CODE, *flags], stdout=log, stderr=log) as process,
    ):
        yield StreamProcess(process, log)


@contextmanager
def _connected(settings: ReplaySettings, name: str, *subscriptions: str) -> Iterator[Connection]:
    connection = Connection(settings, name=name, subscriptions=subscriptions)
    connection.start(retry=False)
    try:
        yield connection
    finally:
        connection.close(timeout_s=CLOSE_TIMEOUT_S)


def _await_stream(replay: Replay, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not replay.is_stream_online:
        time.sleep(0.1)
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"har-stream is not there after {START_TIMEOUT_S:g} s")


def _watch(replay: Replay, check: Callable[[], None], board: Board, console: Console) -> None:
    """Play the replay and show the board meanwhile: a live table, or lines where it cannot be.

    Whatever ``check`` raises ends it.
    """
    if console.is_terminal:
        with Live(get_renderable=board.table, refresh_per_second=REFRESHES_PER_S, console=console):
            for message in replay.send():
                board.add(message)
                check()
            replay.finish(wait=True)
        return
    next_line_s = PLAIN_LINE_EVERY_S
    for message in replay.send():
        board.add(message)
        check()
        if replay.seconds >= next_line_s:
            console.print(board.line(), soft_wrap=True, highlight=False)
            next_line_s += PLAIN_LINE_EVERY_S
    replay.finish(wait=True)


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(DemoSettings)
    console = Console()
    log.configure(
        settings.log_format,
        logging.WARNING,
        "%(message)s",
        RichHandler(console=console, show_time=False, show_path=False),
    )
    logging.getLogger("pipeline.mqtt").setLevel(logging.ERROR)  # a lost broker ends the demo
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
    try:
        play(settings, console)
    except KeyboardInterrupt:
        return
    except (DataError, BrokerError, StreamError, WebError, OSError) as error:
        sys.exit(f"har-demo: {error}")
    console.print()
    console.print(NEXT_STEPS, highlight=False)


if __name__ == "__main__":
    main()
