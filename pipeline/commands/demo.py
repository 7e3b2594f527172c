"""The command har-demo: a broker, har-stream and a replay, started together and watched live.

Strategy: `play` starts the embedded broker, har-stream as a process of its own, and a replay in
this one. A second connection receives the predictions for a table of the phones.

Rules:

* Nothing is recognised or measured here: har-stream does the one, the replay the other.
* Without UCI HAR on the machine or in reach, simulated phones are played.
* When one of the parts ends, the demo ends with its reason; what was started ends with the demo.
"""

import logging
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

import msgspec
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from pipeline.commands import log
from pipeline.commands.demo_settings import DemoSettings
from pipeline.commands.program_info import DEFAULT_HOP
from pipeline.commands.replay import sources
from pipeline.commands.replay.outgoing_messages import OutgoingMessage
from pipeline.commands.replay.replay import Replay
from pipeline.commands.replay.report import print_report, report
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.replay.windows import ExpectedWindow
from pipeline.mqtt.broker import (
    HOST,
    START_TIMEOUT_S,
    BrokerError,
    companion,
    embedded_broker,
    last_lines,
)
from pipeline.mqtt.connection import STATUS_TOPIC, Connection
from pipeline.recordings import datasets, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.settings import from_command_line
from pipeline.vocabulary import SAMPLING_RATE_HZ

REFRESHES_PER_S: Final = 4
PLAIN_LINE_EVERY_S: Final = 5.0
"""How often a line is printed where standard output is no terminal"""
CLOSE_TIMEOUT_S: Final = 5.0
BAR_CELLS: Final = 14

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
            "duration": settings.duration * settings.speed,
            "wait": True,
        }
    )
    replay_settings, recordings = read(settings, replay_settings, console)
    with embedded_broker() as port:
        replay_settings = replay_settings.model_copy(update={"port": port})
        with (
            har_stream(settings, replay_settings) as stream,
            _connected(replay_settings, "har-replay", "har/+/prediction", STATUS_TOPIC) as playing,
            _connected(replay_settings, "har-demo", "har/+/prediction") as watching,
        ):
            replay = Replay(replay_settings, recordings, playing, hop=DEFAULT_HOP)
            replay.start_receiving()

            def check() -> None:
                stream.check()
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
            board = Board(settings, replay, watching)

            try:
                _watch(replay, check, board, console)
            except KeyboardInterrupt:
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
        *("--model", settings.model, "--hop", str(DEFAULT_HOP), "--log-level", "info"),
    ]
    with (
        tempfile.TemporaryFile() as log,
        companion(["-c", STREAM_CODE, *flags], stdout=log, stderr=log) as process,
    ):
        yield StreamProcess(process, log)


class ShownPrediction(msgspec.Struct):
    """The part of a prediction that the table shows."""

    device: str
    activity: str
    probability: float


class Board:
    """The activity of each phone, as har-stream predicts it."""

    def __init__(self, settings: DemoSettings, replay: Replay, connection: Connection) -> None:
        """Show what ``connection`` receives, with the latencies of ``replay``."""
        self._settings = settings
        self._replay = replay
        self._connection = connection
        self._latest: dict[str, ShownPrediction] = {}
        self._n_windows: Counter[str] = Counter()
        self._sent: defaultdict[str, list[ExpectedWindow]] = defaultdict(list)

    def add(self, message: OutgoingMessage) -> None:
        """Note the windows that were sent with a message."""
        for start, _ in message.completes:
            window = self._replay.windows.by_number[message.device, round(start * SAMPLING_RATE_HZ)]
            self._sent[message.device].append(window)

    def table(self) -> Table:
        """Return the table as of now."""
        self._receive()
        speed, duration = self._settings.speed, self._settings.duration
        table = Table(
            title=f"{self._replay.seconds:.0f} of {duration:g} s, {speed:g} times real time"
        )
        table.add_column("phone", no_wrap=True)
        table.add_column("activity", no_wrap=True, min_width=18)
        table.add_column("probability", no_wrap=True, min_width=BAR_CELLS + 5)
        table.add_column("windows", justify="right", no_wrap=True)
        table.add_column("latency", justify="right", no_wrap=True)
        for device in sorted(set(self._sent) | set(self._latest)):
            prediction = self._latest.get(device)
            latency_s = self._latency_s(device)
            table.add_row(
                Text(device),
                Text(prediction.activity if prediction else "-"),
                _bar(prediction.probability) if prediction else Text("-"),
                str(self._n_windows[device]),
                "-" if latency_s is None else f"{latency_s * 1000:.0f} ms",
            )
        return table

    def line(self) -> str:
        """Return a line as of now: how many phones do what."""
        self._receive()
        doing = Counter(prediction.activity for prediction in self._latest.values())
        latencies_s = [s for device in self._latest if (s := self._latency_s(device)) is not None]
        slowest = f"{max(latencies_s) * 1000:.0f} ms" if latencies_s else "-"
        return (
            f"{self._replay.seconds:4.0f} s  {self._n_windows.total()} windows, latency {slowest}; "
            + ", ".join(f"{activity} {n}" for activity, n in doing.most_common())
        )

    def _receive(self) -> None:
        for message in self._connection.take(timeout_s=0.0, gather_s=0.0):
            prediction = msgspec.json.decode(message.payload, type=ShownPrediction)
            self._latest[prediction.device] = prediction
            self._n_windows[prediction.device] += 1

    def _latency_s(self, device: str) -> float | None:
        """Return the latency of a phone's last window that has been answered."""
        answered = (w.latency_s for w in reversed(self._sent[device]) if w.latency_s is not None)
        return next(answered, None)


def _bar(probability: float) -> Text:
    filled = round(probability * BAR_CELLS)
    return Text.assemble(
        ("━" * filled, "green"),
        ("━" * (BAR_CELLS - filled), "bright_black"),
        f" {probability:.2f}",
    )


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


def main() -> None:
    """Run the command."""
    settings = from_command_line(DemoSettings)
    console = Console()
    log.configure(
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
    except (DataError, BrokerError, StreamError, OSError) as error:
        sys.exit(f"har-demo: {error}")
    console.print()
    console.print(NEXT_STEPS, highlight=False)


if __name__ == "__main__":
    main()
