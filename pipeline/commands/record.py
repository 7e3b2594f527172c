"""The command har-record: what one phone sends, kept in files with what its carrier does.

What is kept and when a recording ends is decided here; how it is kept safely, in
`recordings.parquet`. Nothing is recognised.
"""

import logging
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

from pipeline.commands import log
from pipeline.commands.stream.workload import LOG_INTERVAL_S
from pipeline.formats import native
from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.readings import MAX_PAYLOAD_BYTES, Label, MessageError, Readings, Sensor, check_device
from pipeline.recognition.placement.calibration import decode_calibration
from pipeline.recognition.preparation.choices import missing_sensors
from pipeline.recognition.preparation.recording_sequence import Decision, RecordingSequence
from pipeline.recordings import parquet
from pipeline.recordings.labelled import Header, activity_name, software
from pipeline.recordings.recording import DataError
from pipeline.settings import RecordSettings, from_command_line
from pipeline.subscriptions import Subscription, SubscriptionError, parse, route

FLUSH_EVERY_S: Final = 0.8
"""How often what has come is put on the disk; with `TICK_S`, no more than a second is at stake."""
TICK_S: Final = 0.1
SILENCE_S: Final = 5.0
"""After so long without samples there is a warning"""
FIRST_SAMPLES_S: Final = 10.0
"""With ``--duration``, how much longer than that the first samples are waited for"""
PLAIN_LINE_EVERY_S: Final = 5.0
"""How often a line is printed where standard output is no terminal"""
MAX_OTHERS: Final = 100
"""Other phones whose messages are counted; anybody can invent more."""

NATIVE: Final = "native"
"""The format that is always read; it has Android's signs."""

NOT_KEPT: Final[dict[Decision, str]] = {
    "repeated": "{!r} has ended, and these samples of it come again",
    "late": "{!r} has ended, and these samples come too late for it",
    "mixed": "two phones seem to send under this name, also {!r}: give each a name of its own",
}
"""Why samples of a recording are left out that is not under way"""

logger = logging.getLogger(__name__)


MAX_LABEL_BYTES: Final = 4_096
"""Of a message on ``har/<device>/label``"""
MOST_LABELS_AHEAD: Final = 1_000
"""Labels with times of their own that are kept for a recording to come"""
MOST_LABEL_LINES: Final = 5
"""Changes of the label that are logged in `LOG_INTERVAL_S`"""
CLOCKS_DIFFER_S: Final = 60.0
"""By which the clock of whoever sends labels may differ from the phone's and this machine's"""
FIRST_LABEL_S: Final = 1e9
"""Epoch seconds, September 2001: an earlier time is none since 1970. A label may be older than the
recording that it is of."""

FINER_UNITS: Final = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""What times are sent in by mistake, and how many of them are a second"""


class LabelError(MessageError):
    """A label that cannot be used. It ends the label before all the same."""

    def __init__(self, reason: str, explanation: str, *, time: float | None = None) -> None:
        """Keep from when on nothing is known, None for now."""
        super().__init__(reason, explanation)
        self.time = time


class _LabelMessage(msgspec.Struct):
    label: str
    time: float | None = None


def decode_label(payload: bytes) -> tuple[str | None, float | None]:
    """Return the activity that a message on ``har/<device>/label`` names, and from when on.

    None for no activity; None for now. The message is plain text, or JSON with ``label`` and, if
    it is not now, ``time`` in epoch seconds.

    Raises:
        LabelError: it is neither, or no name of an activity.
    """
    if len(payload) > MAX_LABEL_BYTES:
        raise LabelError("size", f"{len(payload)} bytes; at most {MAX_LABEL_BYTES}")
    try:
        text, time = payload.decode(), None
        if text.lstrip().startswith("{"):
            message = msgspec.json.decode(payload, type=_LabelMessage)
            text, time = message.label, message.time
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LabelError("label", f"neither text nor {{label, time}}: {error}") from error
    try:
        return activity_name(text), time
    except MessageError as error:
        raise LabelError(error.reason, str(error), time=time) from error


class Recorder:
    """What has been recorded of one device, and the recording that goes on."""

    def __init__(
        self, settings: RecordSettings, subscriptions: Sequence[Subscription], label: str | None
    ) -> None:
        """Begin with no recording; ``label`` is done until something else is said."""
        self._settings = settings
        self._subscriptions = subscriptions
        self._label_topic = f"har/{settings.device}/label"
        self._calibration_topic = f"har/{settings.device}/calibration"
        self._rotation: NDArray[np.float64] | None = None
        self._journal: parquet.Journal | None = None
        self._header: Header | None = None
        self._sequence = RecordingSequence()
        self._known_until = -np.inf  # newest sample of a former recording of the same name
        self._said: deque[tuple[float | None, str | None]] = deque(
            [(None, label)], maxlen=MOST_LABELS_AHEAD
        )
        """Labels for the next recording: from when on, None from its beginning"""
        self._label_log = _LabelLog()
        self._sensors: dict[Sensor, _Count] = {}
        self._n_messages = 0
        self._proved = False  # which sign accelerations have
        self._warned_of_sign = False
        self.label = label
        """What is done now"""
        self.n_samples = 0
        """Of all recordings"""
        self.begun: float | None = None
        """Monotonic seconds of the first samples"""
        self.last: float | None = None
        """Monotonic seconds of the newest samples"""
        self.others: Counter[str] = Counter()
        """Messages of other devices, of `MAX_OTHERS` at most"""
        self.files: list[Path] = []
        """Recordings that have ended"""

    def take(self, message: Message, *, now: float) -> None:
        """Keep what a message holds; ``now`` is epoch seconds.

        Raises:
            MessageError: the message, or a label in it, cannot be used.
            OSError: a file cannot be written.
        """
        if message.oversize:
            raise MessageError("size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
        if message.topic == self._label_topic:
            try:
                activity, time = decode_label(message.payload)
            except LabelError as error:
                self._say(None, error.time, now=now)
                raise
            self._say(activity, time, now=now)
            return
        if message.topic == self._calibration_topic:
            self._rotation = decode_calibration(message.payload)
            return
        way = route(self._subscriptions, message.topic)
        if way is None:
            return
        if way.device not in (None, self._settings.device):
            self._note_other(way.device or "")
            return
        bad_label: MessageError | None = None
        parts = way.decode(message.payload)
        for part in parts:
            if part.device != self._settings.device:
                self._note_other(part.device)
            elif isinstance(part, Label):
                try:
                    self._annotate(part, parts, now=now)
                except MessageError as error:
                    bad_label = error
            else:
                self._keep(part, way.format.name, message, now=now)
        self._n_messages += 1
        if bad_label is not None:
            raise bad_label

    def flush(self) -> None:
        """Put what was kept on the disk.

        Raises:
            OSError: it cannot be written.
        """
        if self._journal is not None:
            self._journal.flush()

    def finish(self) -> None:
        """End the recording.

        Raises:
            OSError: its file cannot be written.
        """
        if self._journal is None or self._header is None:
            return
        journal, self._journal = self._journal, None
        unproved = self._header.convention == "auto" and not self._proved
        if unproved and self._header.format != NATIVE and not self._warned_of_sign:
            self._warned_of_sign = True
            logger.warning(
                "nothing tells whether %s is an iPhone: if so, record with --convention ios",
                self._header.device,
            )
        path = journal.close()
        if path is not None:
            self.files.append(path)
            self._warn_of_missing_sensors(path)
        self._hold_label(None, self.label)

    def _warn_of_missing_sensors(self, path: Path) -> None:
        missing = missing_sensors(self._sensors)
        if missing:
            logger.warning(
                "%s has no %s: there are no windows without; switch it on in the app",
                path,
                " and no ".join(missing).replace("_", " "),
            )

    def progress(self) -> str:
        """Return how the recording goes, in a line."""
        if self._journal is None:
            return f"waiting for {self._settings.device}"
        rates = ", ".join(
            f"{sensor} {count.rate_hz:.1f} Hz" for sensor, count in self._sensors.items()
        )
        seconds = max(count.seconds for count in self._sensors.values())
        n_samples = sum(count.n_samples for count in self._sensors.values())
        return f"{seconds:.0f} s, {n_samples} rows, {rates}, label {self.label or 'none'}"

    def _note_other(self, device: str) -> None:
        """Count a message of another device.

        Raises:
            MessageError: no phone can have such a name.
        """
        check_device(device)
        if device in self.others or len(self.others) < MAX_OTHERS:
            self.others[device] += 1

    def _keep(self, readings: Readings, format_name: str, message: Message, *, now: float) -> None:
        if readings.sensor == "prepared":
            raise MessageError("sensor", "prepared samples are no recording of a phone's sensors")
        decision, known_until = self._sequence.decide(
            readings.recording,
            readings.clock,
            oldest=float(readings.times.min()),
            newest=float(readings.times.max()),
            newest_before=max((count.newest for count in self._sensors.values()), default=-np.inf),
        )
        if decision not in ("goes on", "begins"):
            raise MessageError("recording", NOT_KEPT[decision].format(readings.recording))
        if decision == "begins":
            self._known_until = known_until
        is_new = readings.times > self._known_until
        if not is_new.any():
            raise MessageError("recording", NOT_KEPT["repeated"].format(readings.recording))
        if not is_new.all():
            readings = msgspec.structs.replace(
                readings, times=readings.times[is_new], values=readings.values[is_new]
            )
        if decision == "begins":
            self.finish()
        if self._header is None or self._journal is None:
            self._begin(readings, format_name, now=now)
        elif format_name != self._header.format:
            raise MessageError(
                "format", f"{readings.device} is being recorded in format {self._header.format}"
            )
        assert self._journal is not None
        self._journal.append(self._n_messages, readings)
        self._proved |= readings.convention is not None
        self._sensors.setdefault(readings.sensor, _Count()).add(readings.times)
        self.n_samples += len(readings.times)
        self.last = message.received
        self.begun = message.received if self.begun is None else self.begun

    def _begin(self, readings: Readings, format_name: str, *, now: float) -> None:
        chosen = self._settings.convention
        self._header = Header(
            device=readings.device,
            recording=readings.recording,
            format=format_name,
            clock=readings.clock,
            convention=chosen,
            convention_from="assumption" if chosen == "auto" else "setting",
            rotation=None if self._rotation is None else self._rotation.tolist(),
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            software=software(),
        )
        self._journal = parquet.Journal(self._settings.output, self._header)
        self._sensors.clear()
        self._n_messages = 0
        self._proved = False
        to_epoch_s = now - float(readings.times.max()) if readings.clock == "boot" else 0.0
        for since, activity in self._said:
            self._journal.label(-np.inf if since is None else since - to_epoch_s, activity)

    def _annotate(self, label: Label, parts: Sequence[Readings | Label], *, now: float) -> None:
        """Note what is done from a label's time on; ``parts`` are all of its message.

        Raises:
            MessageError: it names no activity, or its time cannot be meant.
        """
        beside = [part for part in parts if isinstance(part, Readings)]
        try:
            activity = activity_name(label.text)
        except MessageError:
            self._say(None, label.time, now=now, beside=beside)
            raise
        self._say(activity, label.time, now=now, beside=beside)

    def _say(
        self,
        activity: str | None,
        time: float | None,
        *,
        now: float,
        beside: Sequence[Readings] = (),
    ) -> None:
        """Note what is done from a time on, or from now on.

        Args:
            activity: its name, None for no activity.
            time: epoch seconds, None for now.
            now: epoch seconds.
            beside: samples that came with the label.

        Raises:
            LabelError: the time cannot be meant; from now on nothing is known.
        """
        if time is not None:
            oldest, newest = self._label_times(now, beside)
            if not oldest <= time <= newest:
                self._say(None, None, now=now)
                raise LabelError("time", _explanation(time, oldest, newest))
        if activity != self.label:
            self._label_log.add(activity, now=now)
        self.label = activity
        if self._journal is None or self._header is None:
            self._hold_label(time, activity)
            return
        newest = max(count.newest for count in self._sensors.values())
        if time is None:
            time = float(np.nextafter(newest, np.inf))
        elif self._header.clock == "boot":
            time = newest + (time - now)
        self._journal.label(time, activity)

    def _label_times(self, now: float, beside: Sequence[Readings]) -> tuple[float, float]:
        """Return the oldest and the newest time, in epoch seconds, that a label can have now.

        It is not of the future. One that comes with samples is of their recording; any other may
        be older.
        """
        oldest, newest = FIRST_LABEL_S, now
        if self._journal is not None and self._header is not None:
            is_boot = self._header.clock == "boot"
            counts = self._sensors.values()
            to_epoch_s = now - max(count.newest for count in counts) if is_boot else 0.0
            newest = max([now, *(count.newest + to_epoch_s for count in counts)])
            if beside:
                oldest = min(count.oldest + to_epoch_s for count in counts) - CLOCKS_DIFFER_S
        elif beside:
            oldest = np.inf
        # On the clock of the label itself, however wrong that is.
        oldest = min([oldest, *(float(one.times.min()) - CLOCKS_DIFFER_S for one in beside)])
        newest = max([newest, *(float(one.times.max()) for one in beside)])
        return oldest, newest + CLOCKS_DIFFER_S

    def _hold_label(self, time: float | None, activity: str | None) -> None:
        """Keep a label for the next recording; without a time, in place of those before."""
        if time is None:
            self._said.clear()
        self._said.append((time, activity))


def _explanation(time: float, oldest: float, newest: float) -> str:
    """Return why a label's time is refused that is not between two others, in epoch seconds."""
    for unit, per_s in FINER_UNITS.items():
        if oldest <= time / per_s <= newest:
            return f"the time of a label is in seconds since 1970, and {time:.0f} is in {unit}"
    where = "ahead of now" if time > newest else "before"
    return f"the time of a label is in seconds since 1970, and {time:.15g} is far {where}"


class _LabelLog:
    """Logs changes of the label, not more than people make."""

    def __init__(self) -> None:
        self._begun = -np.inf  # epoch seconds of the first of the lines that count
        self._n_lines = 0
        self._n_unlogged = 0

    def add(self, activity: str | None, *, now: float) -> None:
        """Log a change, or count it; ``now`` is epoch seconds."""
        if not 0 <= now - self._begun < LOG_INTERVAL_S:
            self._begun, self._n_lines = now, 0
        if self._n_lines == MOST_LABEL_LINES:
            self._n_unlogged += 1
            return
        self._n_lines += 1
        before = f" ({self._n_unlogged} changes before are not logged)" if self._n_unlogged else ""
        logger.info("label %s%s", activity or "none", before)
        self._n_unlogged = 0


class _Count:
    """How many samples of a sensor have come, and how fast."""

    def __init__(self) -> None:
        self.n_samples = 0
        self.oldest = np.inf
        """Seconds on the device's clock, as `newest`"""
        self.newest = -np.inf

    def add(self, times: NDArray[np.float64]) -> None:
        self.n_samples += len(times)
        self.oldest = min(self.oldest, float(times.min()))
        self.newest = max(self.newest, float(times.max()))

    @property
    def seconds(self) -> float:
        return self.newest - self.oldest

    @property
    def rate_hz(self) -> float:
        return (self.n_samples - 1) / self.seconds if self.seconds > 0 else 0.0


class _Run:
    """The running command."""

    def __init__(
        self, settings: RecordSettings, recorder: Recorder, connection: Connection
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._connection = connection
        self._stopping = False
        self._started = time.monotonic()
        self._warned = False
        self._rejected: Counter[str] = Counter()
        self._next_warning: dict[str, float] = {}

    @property
    def was_in_vain(self) -> bool:
        """Whether the time to record is over and nothing could be kept."""
        return not (self._stopping or self._recorder.files)

    def why_in_vain(self) -> str:
        """Return that nothing could be kept, and what to check."""
        device = self._settings.device
        text = f"nothing came from {device} that can be kept: is it sending, under this name"
        if self._rejected:
            n_refused, reasons = self._rejected.total(), ", ".join(sorted(self._rejected))
            return f"{text}, in the right format? Messages were refused: {n_refused} ({reasons})"
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
        next_flush = next_line = 0.0
        with _live(console, recorder):
            while not self._stopping and not self._over():
                self._take(TICK_S)
                now = time.monotonic()
                if now >= next_flush:
                    recorder.flush()
                    next_flush = now + FLUSH_EVERY_S
                    self._warn_of_silence(now)
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
                if message.received >= self._next_warning.get(error.reason, -np.inf):
                    self._next_warning[error.reason] = message.received + LOG_INTERVAL_S
                    logger.warning(
                        "a message on %.100r cannot be kept (%s; %d so far): %s",
                        message.topic,
                        error.reason,
                        self._rejected[error.reason],
                        error,
                    )
        return bool(messages)

    def _warn_of_silence(self, now: float) -> None:
        """Say once that nothing comes, until something does."""
        last = self._recorder.last
        if now - (self._started if last is None else last) < SILENCE_S:
            self._warned = False
        elif not self._warned:
            self._warned = True
            others = self._others()
            logger.warning(
                "nothing has come from %s for %.0f s%s",
                self._settings.device,
                SILENCE_S,
                f"; there are messages of {others}" if others else "",
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
    """Let there be a folder that can be written to.

    Raises:
        DataError: it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        file = next(one for one in (folder, *folder.parents) if one.exists())
        raise DataError(
            f"output = {str(folder)!r}: {str(file)!r} is a file, and a folder is needed"
        ) from error
    except OSError as error:
        raise DataError(f"output = {str(folder)!r}: {error.strerror}") from error


def main() -> None:
    """Run the command."""
    settings = from_command_line(RecordSettings)
    console = Console(markup=False, emoji=False)  # a phone's name may look like either
    if console.is_terminal:
        beside_the_line = RichHandler(console=console, show_time=False, show_path=False)
        log.configure(logging.INFO, "%(message)s", beside_the_line)
    else:
        log.configure(logging.INFO, "har-record: %(message)s")
    try:
        parquet.require()
        check_device(settings.device)
        label = activity_name(settings.label or "")
        subscriptions = [parse(f"{native.TOPIC}={NATIVE}"), *map(parse, settings.subscribe)]
        _make_folder(settings.output)
        recovered = parquet.recover(settings.output)
    except (DataError, MessageError, SubscriptionError, OSError) as error:
        sys.exit(f"har-record: {error}")
    for path in recovered:
        console.print(f"Recovered {path}", soft_wrap=True, highlight=False)
    connection = Connection(
        settings,
        name="har-record",
        subscriptions=[
            *dict.fromkeys(subscription.filter for subscription in subscriptions),
            f"har/{settings.device}/label",
            f"har/{settings.device}/calibration",
        ],
    )
    recorder = Recorder(settings, subscriptions, label)
    run = _Run(settings, recorder, connection)
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


if __name__ == "__main__":
    main()
