"""The command har-record: runs a recorder until a signal or its time is over, and shows it."""

import logging
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

from pipeline.commands import log
from pipeline.commands.monitoring.broker import broker_checks
from pipeline.commands.monitoring.monitor import Monitor, MonitorError
from pipeline.commands.record.metrics import record_families
from pipeline.commands.record.recorder import Recorder
from pipeline.commands.record.settings import RecordSettings
from pipeline.event_log import EventLog
from pipeline.log_intervals import LogIntervals
from pipeline.mqtt.connection import Connection
from pipeline.readings import MessageError, Reason, check_device
from pipeline.recordings import journals, parquet
from pipeline.recordings.activity_names import activity_name
from pipeline.recordings.recording import DataError
from pipeline.serving.losses import LOG_INTERVAL_S
from pipeline.settings import from_command_line
from pipeline.subscriptions import SubscriptionError, subscriptions_of, unasked

logger = EventLog(__name__)

FLUSH_EVERY_S: Final = 0.8
"""How often what has come is put on the disk; with `TICK_S`, no more than a second is at stake."""
TICK_S: Final = 0.1
SILENCE_S: Final = 5.0
"""After so long without samples there is a warning"""
FIRST_SAMPLES_S: Final = 10.0
"""With ``--duration``, how much longer than that the first samples are waited for"""
PLAIN_LINE_EVERY_S: Final = 5.0
"""How often a line is printed where standard output is no terminal"""


class _Run:
    """The running command."""

    def __init__(
        self,
        settings: RecordSettings,
        recorder: Recorder,
        connection: Connection,
        monitor: Monitor,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._connection = connection
        self._monitor = monitor
        self._stopping = False
        self._started = time.monotonic()
        self._warned = False
        self._rejected: Counter[Reason] = Counter()
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)

    @property
    def was_in_vain(self) -> bool:
        """Whether the time to record is over and nothing could be kept."""
        return not (self._stopping or self._recorder.files)

    def why_in_vain(self) -> str:
        """Return a line that nothing could be kept, and what to check."""
        device = self._settings.device
        text = f"nothing came from {device} that can be kept: is it sending, under this name"
        if self._rejected:
            n_rejected, reasons = self._rejected.total(), ", ".join(sorted(self._rejected))
            return f"{text}, in the right format? Messages were rejected: {n_rejected} ({reasons})"
        others = self._others()
        return f"{text}, to this broker, in a format of --subscribe?" + (
            f" There are messages of {others}" if others else ""
        )

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True
        self._connection.wake()

    def run(self, console: Console) -> None:
        """Record until it is stopped or the time is over."""
        recorder = self._recorder
        self._monitor.begin(
            lambda: record_families(
                recorder, self._rejected, self._connection, silence_s=self._silence_s()
            ),
            {**broker_checks(self._connection), "samples": self._why_silent},
        )
        next_flush = next_line = 0.0
        with _live(console, recorder):
            while not self._stopping and not self._over():
                self._monitor.turn()
                self._take(TICK_S)
                now = time.monotonic()
                if now >= next_flush:
                    recorder.flush()
                    next_flush = now + FLUSH_EVERY_S
                    self._warn_of_silence()
                if not console.is_terminal and now >= next_line:
                    console.print(recorder.progress(), soft_wrap=True, highlight=False)
                    next_line = now + PLAIN_LINE_EVERY_S
            self._connection.stop_receiving()
            while self._take(0.1):
                pass
        recorder.finish()

    def _over(self) -> bool:
        begun, duration = self._recorder.begun, self._settings.duration
        if duration is None:
            return False
        end = self._started + FIRST_SAMPLES_S if begun is None else begun
        return time.monotonic() >= end + duration

    def _take(self, timeout_s: float) -> bool:
        """Keep what arrives within a time; return whether anything did."""
        messages = self._connection.take(timeout_s=timeout_s, gather_s=0.0)
        for message in messages:
            try:
                self._recorder.take(message, now=time.time())
            except MessageError as error:
                self._rejected[error.reason] += 1
                if self._log_intervals.are_over(error.reason, message.topic, message.received):
                    logger.warning(
                        "message-not-kept",
                        "a message on %(topic).100r cannot be kept (%(reason)s; %(n_so_far)d so "
                        "far): %(error)s",
                        topic=message.topic,
                        reason=error.reason,
                        n_so_far=self._rejected[error.reason],
                        error=error,
                    )
        return bool(messages)

    def _silence_s(self) -> float:
        """Return the seconds since samples came, or since the start."""
        last = self._recorder.last
        return time.monotonic() - (self._started if last is None else last)

    def _why_silent(self) -> str | None:
        """Return that no samples come, None if they do."""
        silence_s = self._silence_s()
        return f"none have come for {silence_s:.0f} s" if silence_s >= SILENCE_S else None

    def _warn_of_silence(self) -> None:
        """Warn once when nothing comes, and again after something has come."""
        if self._silence_s() < SILENCE_S:
            self._warned = False
        elif not self._warned:
            self._warned = True
            others = self._others()
            logger.warning(
                "phone-silent",
                "nothing has come from %(device)s for %(silence_s).0f s"
                + ("; there are messages of %(others)s" if others else ""),
                device=self._settings.device,
                silence_s=SILENCE_S,
                others=others,
            )

    def _others(self) -> str:
        """Return the names of other phones that send, the busiest first."""
        return ", ".join(name for name, _ in self._recorder.others.most_common(5))


@contextmanager
def _live(console: Console, recorder: Recorder) -> Iterator[None]:
    """Show the progress in a line of the terminal, if there is one."""
    if not console.is_terminal:
        yield
        return
    with Live(
        get_renderable=lambda: Text(recorder.progress()), refresh_per_second=2, console=console
    ):
        yield


def _make_folder(folder: Path) -> None:
    """Make a folder, unless it exists, and check that it can be written to.

    Raises:
        DataError: it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        file = next(path for path in (folder, *folder.parents) if path.exists())
        raise DataError(
            f"output = {str(folder)!r}: {str(file)!r} is a file, and a folder is needed"
        ) from error
    except OSError as error:
        raise DataError(f"output = {str(folder)!r}: {error.strerror}") from error


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(RecordSettings)
    console = Console(markup=False, emoji=False)  # a phone's name may look like either
    if console.is_terminal:
        beside_the_line = RichHandler(console=console, show_time=False, show_path=False)
        log.configure(settings.log_format, logging.INFO, "%(message)s", beside_the_line)
    else:
        log.configure(settings.log_format, logging.INFO, "har-record: %(message)s")
    try:
        with Monitor(settings, command="har-record") as monitor:
            _record(settings, console, monitor)
    except MonitorError as error:
        sys.exit(f"har-record: {error}")


def _record(settings: RecordSettings, console: Console, monitor: Monitor) -> None:
    """Record what a phone sends, and say what became of it."""
    try:
        parquet.require()
        check_device(settings.device)
        label = activity_name(settings.label or "")
        subscriptions = subscriptions_of(
            settings.subscribe, with_defaults=settings.default_subscriptions
        )
        _make_folder(settings.output)
        recovered = journals.recover(settings.output)
    except (DataError, MessageError, SubscriptionError, OSError) as error:
        sys.exit(f"har-record: {error}")
    for path in recovered:
        console.print(f"Recovered {path}", soft_wrap=True, highlight=False)
    connection = Connection(
        settings,
        name="har-record",
        subscriptions=[
            *(subscription.filter for subscription in subscriptions),
            f"har/{settings.device}/label",
            f"har/{settings.device}/calibration",
        ],
        unasked=unasked(settings.subscribe, with_defaults=settings.default_subscriptions),
    )
    recorder = Recorder(settings, subscriptions, label)
    run = _Run(settings, recorder, connection, monitor)
    signal.signal(signal.SIGTERM, run.stop)
    signal.signal(signal.SIGINT, run.stop)
    try:
        connection.start(retry=False)
        console.print(f"Recording {settings.device} into {settings.output}", highlight=False)
        run.run(console)
    except ConnectionError as error:
        sys.exit(f"har-record: {error}")
    except OSError as error:
        sys.exit(
            f"har-record: {error}; what came until a second before is kept, and becomes a "
            "recording when har-record is started again"
        )
    finally:
        connection.close(timeout_s=1.0)
    for path in recorder.files:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    if run.was_in_vain:
        sys.exit(f"har-record: {run.why_in_vain()}")
    if not recorder.files:
        console.print(f"Nothing came from {settings.device}", highlight=False)
