"""The command har-replay: recordings played as phones, and how well they were recognised."""

import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.commands import log
from pipeline.messages import Message
from pipeline.mqtt.connection import STATUS_TOPIC, Connection
from pipeline.readings import Readings, Sensor
from pipeline.recognition.offline import Passage
from pipeline.recordings import hapt, simulated, uci_har
from pipeline.recordings.labelled import LabelledRecording
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.settings import DATA_SETS, ReplaySettings, from_command_line
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

MAX_OUTSTANDING_WINDOWS: Final = 256
"""Windows sent and not answered at ``--speed max``. At hop 64 they are about 650 messages of 25
rows, within the 1,000 that Mosquitto queues for a client by default."""

MAX_UNCONFIRMED_MESSAGES: Final = 100

TOLERANCE_SAMPLES: Final = 0.25
"""A prediction belongs to the window whose start is this near."""

ROUNDING_S: Final = 1e-6
"""By which a time since the phone was switched on may move when it becomes one of the epoch"""

BREAK_S: Final = 2.0
"""Between two files of one phone"""

MOST_RECORDED: Final = 5_000
"""Samples in a message of a file: within the largest payload, however many digits they have."""

SEPARATE: Final[tuple[Sensor, ...]] = (
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
    "gyroscope",
    "gyroscope_uncalibrated",
)
"""The sensors of a native message in which each has its own times, in its order."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One message to send."""

    device: str
    due: float
    """Seconds after the start of the replay, at real time, when its last sample was measured"""
    start: float
    """Seconds after the start of the recording of its first sample"""
    rows: NDArray[np.floating] | tuple[Readings, ...]
    """``(n_rows, 9)`` prepared or ``(n_rows, 6)`` raw, evenly spaced; of a file the readings, with
    the times to send"""
    completes: list[tuple[float, str | None]]
    """Windows whose last needed sample it holds: start in seconds, and what was done throughout"""

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        if isinstance(self.rows, tuple):
            return sum(len(readings.times) for readings in self.rows)
        return len(self.rows)


@dataclass(eq=False)
class ExpectedWindow:
    """A window that was sent, and what came back."""

    device: str
    start: float
    """Seconds after the start of the replay"""
    done: str | None
    """What was done throughout, None if that is not known or changed"""
    published: float
    """Monotonic seconds when its last sample was handed to the connection"""
    activity: str | None = None
    """What was recognised"""
    latency_s: float | None = None


def read_recordings(settings: ReplaySettings) -> list[Recording]:
    """Return the recordings that the settings name, of a data set or simulated.

    Raises:
        DataError: the data is missing or damaged, or has no such subject or activity.
    """
    if settings.activity is not None and settings.recording != "simulated":
        raise DataError("--activity is for --recording simulated")
    if settings.recording == "uci-har":
        data = uci_har.load(settings.data)
        recordings = uci_har.recordings(getattr(data, settings.split))
    elif settings.recording == "hapt":
        recordings = hapt.recordings(settings.data)
    else:
        try:
            recordings = simulated.recordings(seed=settings.seed, activity=settings.activity)
        except ValueError as error:
            raise DataError(str(error)) from error
    if settings.subjects:
        by_number = {int(one.device.rpartition("-")[2]): one for one in recordings}
        missing = [str(number) for number in settings.subjects if number not in by_number]
        if missing:
            raise DataError(
                f"{settings.recording} has no subject {', '.join(missing)}; "
                f"it has {', '.join(map(str, by_number))}"
            )
        recordings = [by_number[number] for number in dict.fromkeys(settings.subjects)]
    if settings.duration is not None:
        recordings = [_shortened(recording, settings.duration) for recording in recordings]
    return recordings


def read_own(settings: ReplaySettings) -> list[LabelledRecording]:
    """Return the recordings in the file or folder that the settings name.

    Raises:
        DataError: one is missing or damaged, or the settings ask for what is in none.
    """
    from pipeline.recordings import parquet  # pyarrow takes its time

    parquet.require()
    if settings.subjects or settings.activity is not None:
        raise DataError("--subjects and --activity are for data sets and simulated phones")
    recordings = [parquet.read(path) for path in parquet.find([Path(settings.recording)])]
    if settings.duration is not None:
        recordings = [_own_shortened(recording, settings.duration) for recording in recordings]
    return recordings


def _own_shortened(recording: LabelledRecording, seconds: float) -> LabelledRecording:
    """Return the messages whose samples are all of the first ``seconds``, at least one."""
    last = min(part.readings.times.min() for part in recording.messages[0]) + seconds
    n = sum(
        max(part.readings.times.max() for part in message) <= last for message in recording.messages
    )
    return replace(recording, messages=recording.messages[: max(n, 1)])


def _shortened(recording: Recording, seconds: float) -> Recording:
    stretches = []
    for stretch in recording.stretches:
        n = round((seconds - stretch.start) * SAMPLING_RATE_HZ)
        if n > 0:
            stretches.append(Stretch(stretch.start, stretch.samples[:n], stretch.labels[:n]))
    return Recording(recording.device, tuple(stretches))


def batches(recording: Recording, *, rows: int, hop: int) -> Iterable[Batch]:
    """Yield a recording as messages of up to ``rows`` rows, with the windows each completes.

    A message ends at a break of the recording. A raw window is complete one sample later than a
    prepared one: the median filter looks one sample ahead.
    """
    for stretch in recording.stretches:
        n_samples = len(stretch.samples)
        look_ahead = 1 if stretch.samples.shape[1] != len(CHANNELS) else 0
        needed = np.arange(0, n_samples - WINDOW_LENGTH - look_ahead + 1, hop)
        ends = needed + WINDOW_LENGTH + look_ahead
        for first in range(0, n_samples, rows):
            last = min(first + rows, n_samples)
            yield Batch(
                recording.device,
                due=stretch.start + (last - 1) / SAMPLING_RATE_HZ,
                start=stretch.start + first / SAMPLING_RATE_HZ,
                rows=stretch.samples[first:last],
                completes=[
                    (stretch.start + k / SAMPLING_RATE_HZ, _done_throughout(stretch, int(k)))
                    for k in needed[(ends > first) & (ends <= last)]
                ],
            )


def _done_throughout(stretch: Stretch, first: int) -> str | None:
    """Return the activity that all samples of a window share, if they do."""
    labels = stretch.labels[first : first + WINDOW_LENGTH]
    alike = labels[0] >= 0 and (labels == labels[0]).all()
    return simulated.LABELS[labels[0]] if alike else None  # data sets have the first six


def own_batches(
    recording: LabelledRecording, *, hop: int, epoch: float, begins: float, original_times: bool
) -> Iterator[Batch]:
    """Yield a recording of one's own as the messages that it came in, as far as native ones can be.

    All times are moved by whole seconds, so that not a bit of a sample's time within its second is
    lost (of times from 2004 to 2038, float64 numbers of one and the same precision).

    Args:
        recording: what to play.
        hop: that of the har-stream that answers.
        epoch: epoch seconds of the replay's start.
        begins: when the recording begins, in seconds after that.
        original_times: leave the times as they were.
    """
    first = min(float(part.readings.times.min()) for part in recording.messages[0])
    shift = 0 if original_times else math.floor(epoch + begins - first)
    passage = Passage(hop=hop)
    newest = first
    for message in recording.messages:
        for readings in _sendable([part.readings for part in message]):
            newest = max(newest, *(float(one.times.max()) for one in readings))
            rows = tuple(msgspec.structs.replace(one, times=one.times + shift) for one in readings)
            starts = passage.push(rows).starts
            yield Batch(
                recording.header.device,
                due=begins + newest - first,
                start=float(rows[0].times[0]) - epoch,
                rows=rows,
                completes=[
                    (start - epoch, recording.done_throughout(start - shift + ROUNDING_S))
                    for start in starts.tolist()
                ],
            )


def _sendable(message: Iterable[Readings]) -> Iterator[tuple[Readings, ...]]:
    """Yield a message's readings, in their order, as native messages can hold them."""
    held: list[Readings] = []
    for readings in message:
        for part in _parts(readings):
            fits = (
                held
                and part.sensor in SEPARATE
                and held[-1].sensor in SEPARATE
                and SEPARATE.index(held[-1].sensor) < SEPARATE.index(part.sensor)
                and sum(len(one.times) for one in held) + len(part.times) <= MOST_RECORDED
            )
            if held and not fits:
                yield tuple(held)
                held = []
            held.append(part)
    yield tuple(held)


def _parts(readings: Readings) -> Iterator[Readings]:
    for first in range(0, len(readings.times), MOST_RECORDED):
        part = slice(first, first + MOST_RECORDED)
        yield msgspec.structs.replace(
            readings, times=readings.times[part], values=readings.values[part]
        )


def payload(batch: Batch, *, epoch: float, recording: str) -> bytes:
    """Return the native message for a batch of a recording that began at ``epoch``."""
    if isinstance(batch.rows, tuple):
        return _own_payload(batch.rows, recording)
    # To a microsecond: 16 digits of epoch seconds say no more.
    message: dict[str, object] = {
        "v": 1,
        "start": round(epoch + batch.start, 6),
        "rate": SAMPLING_RATE_HZ,
        "recording": recording,
    }
    if batch.rows.shape[1] == len(CHANNELS):
        message |= {"channels": CHANNELS, "samples": batch.rows.tolist()}
    else:
        message |= {
            "acc": batch.rows[:, :3].tolist(),
            "acc_unit": "m/s2",
            "gyro": batch.rows[:, 3:].tolist(),
            "gyro_unit": "rad/s",
        }
    return msgspec.json.encode(message)


def _own_payload(message: Sequence[Readings], recording: str) -> bytes:
    """Return the native message for readings, which loses nothing of them."""
    content: dict[str, object] = {"v": 1, "recording": recording}
    if message[0].sensor == "motion":
        (motion,) = message
        content |= {
            "time": motion.times.tolist(),
            "acc": motion.values[:, :3].tolist(),
            "acc_unit": "m/s2",
            "gyro": motion.values[:, 3:].tolist(),
            "gyro_unit": "rad/s",
        }
    else:
        content["sensors"] = {
            one.sensor: {
                "time": one.times.tolist(),
                "values": one.values.tolist(),
                "unit": "rad/s" if one.sensor.startswith("gyroscope") else "m/s2",
            }
            for one in message
        }
    return msgspec.json.encode(content)


class Replay:
    """One replay: what is sent, and what comes back."""

    def __init__(
        self,
        settings: ReplaySettings,
        recordings: Sequence[Recording | LabelledRecording],
        connection: Connection,
    ) -> None:
        """Prepare all messages in the order in which they are due."""
        self._settings = settings
        self._connection = connection
        own = [one for one in recordings if isinstance(one, LabelledRecording)]
        prepared = [
            batch
            for one in recordings
            if isinstance(one, Recording)
            for batch in batches(one, rows=settings.rows, hop=settings.hop)
        ]
        begins, own_end = _one_after_another(own)
        duration = max([own_end, *(batch.due for batch in prepared)])
        speed = float("inf") if settings.speed == "max" else settings.speed
        # The last sample is of now, the first as long ago as the replay is ahead of real time.
        self._epoch = round(time.time() + duration / speed - duration, 3)
        for number, one in enumerate(own):
            prepared += own_batches(
                one,
                hop=settings.hop,
                epoch=self._epoch,
                begins=begins[number],
                original_times=settings.original_times,
            )
        self._batches = sorted(prepared, key=lambda batch: batch.due)
        self.n_samples = sum(batch.n_samples for batch in self._batches)
        self._devices = {batch.device for batch in self._batches}
        self.n_phones = len(self._devices)
        self.n_sent = 0
        self.windows: dict[tuple[str, int], ExpectedWindow] = {}
        self.n_unexpected = 0
        """Predictions of these phones for windows that were not expected"""
        self.seconds = 0.0
        """What sending took"""
        self.answered_seconds = 0.0
        """From the first message to the last prediction"""
        self.stream_online = threading.Event()
        """har-stream says that it is there"""

        self._recording = uuid4().hex[:8]
        self._lost: ConnectionError | None = None
        """Why there will be no connection any more"""
        self._arrival = threading.Condition()
        self._n_outstanding = 0
        self._last_arrival = 0.0
        self._begun = 0.0
        self._done = False
        self._receiver = threading.Thread(target=self._receive, daemon=True)

    def start_receiving(self) -> None:
        """Begin to note predictions as they arrive."""
        self._receiver.start()

    def send(self) -> Iterator[Batch]:
        """Publish message after message, each when it is due, and yield it.

        At ``--speed max`` a message is due when not too many windows await their prediction.

        Raises:
            TimeoutError: predictions or the broker's confirmations stopped coming.
        """
        self._begun = begun = time.monotonic()
        for batch in self._batches:
            if self._settings.speed != "max":
                time.sleep(max(0.0, begun + batch.due / self._settings.speed - time.monotonic()))
            elif self.stream_online.is_set():
                self._await_predictions(MAX_OUTSTANDING_WINDOWS)
            else:
                self._await_confirmations(MAX_UNCONFIRMED_MESSAGES)
            self._check()
            body = payload(batch, epoch=self._epoch, recording=self._recording)
            self._expect(batch)
            self._connection.publish(f"har/{batch.device}/samples", body)
            self.n_sent += batch.n_samples
            self.seconds = time.monotonic() - begun
            yield batch

    def finish(self, *, wait: bool) -> None:
        """End the replay when the broker has it all, with ``wait`` when all predictions have come.

        Raises:
            TimeoutError: predictions or the broker's confirmations stopped coming.
            ConnectionError: there will be no connection any more.
        """
        try:
            self._check()
            if wait:
                self._await_predictions(0)
            else:
                self._await_confirmations(0)
        finally:
            self._done = True

    def _expect(self, batch: Batch) -> None:
        now = time.monotonic()
        with self._arrival:
            self._last_arrival = self._last_arrival if self._n_outstanding else now
            for start, done in batch.completes:
                key = batch.device, math.floor(start * SAMPLING_RATE_HZ + 0.5)
                if key not in self.windows:  # files of overlapping times share windows
                    self._n_outstanding += 1
                    self.windows[key] = ExpectedWindow(batch.device, start, done, now)

    def _await_predictions(self, most: int) -> None:
        with self._arrival:
            while self._n_outstanding > most:
                self._check()
                if not self._arrival.wait(timeout=1.0) and (
                    time.monotonic() - self._last_arrival > self._settings.timeout
                ):
                    raise TimeoutError(
                        f"no prediction came for {self._settings.timeout:g} s; "
                        f"{self._n_outstanding} of {len(self.windows)} are missing: {self._why()}"
                    )

    def _why(self) -> str:
        """Return why predictions are missing, as far as it can be known."""
        if self._connection.unconfirmed:
            return self._why_unconfirmed()
        if not self.stream_online.is_set():
            return "har-stream is not online any more"
        other_hop = f"har-stream may have another --hop than {self._settings.hop}, that of here"
        if self.n_unexpected:
            return f"{self.n_unexpected} came for windows that were not expected: {other_hop}"
        return (
            f"{other_hop}, or the broker has dropped messages (limits of size or queues, rights; "
            "its log tells), or har-stream refuses them (har/DEVICE/info tells)"
        )

    def _await_confirmations(self, most: int) -> None:
        if not self._connection.await_confirmations(most, timeout_s=self._settings.timeout):
            raise TimeoutError(self._why_unconfirmed())

    def _why_unconfirmed(self) -> str:
        n_messages = len(self._connection.unconfirmed)
        return (
            f"the broker did not confirm {n_messages} messages; is it there, and does it limit "
            "their size (fewer --rows make them smaller)?"
        )

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _receive(self) -> None:
        while not self._done:
            try:
                messages = self._connection.take(timeout_s=0.2, gather_s=0.0)
            except ConnectionError as error:
                self._lost = error
                return
            for message in messages:
                if message.topic == STATUS_TOPIC:
                    if message.payload not in (b"online", b"degraded"):
                        self.stream_online.clear()
                    else:
                        self.stream_online.set()
                else:
                    self._note(message)

    def _note(self, message: Message) -> None:
        """Enter a prediction at its window."""
        prediction = msgspec.json.decode(message.payload, type=_Prediction)
        start = prediction.start - self._epoch
        window = self._window_at(prediction.device, start)
        with self._arrival:
            if window is None:
                self.n_unexpected += prediction.device in self._devices
            elif window.activity is None:  # not a repeat
                window.activity = prediction.activity
                window.latency_s = message.received - window.published
                self._n_outstanding -= 1
                self._last_arrival = message.received
                self.answered_seconds = message.received - self._begun
                self._arrival.notify_all()

    def _window_at(self, device: str, start: float) -> ExpectedWindow | None:
        """Return the window that begins at ``start``, in seconds after that of the replay."""
        # Windows of a file may begin half way between two of these numbers.
        for number in {math.floor(start * SAMPLING_RATE_HZ), math.ceil(start * SAMPLING_RATE_HZ)}:
            window = self.windows.get((device, number))
            if window is not None and (
                abs(window.start - start) * SAMPLING_RATE_HZ <= TOLERANCE_SAMPLES
            ):
                return window
        return None


def _one_after_another(own: Sequence[LabelledRecording]) -> tuple[list[float], float]:
    """Return when each file begins, those of one phone in turn, and when the last ends."""
    ends: dict[str, float] = {}
    begins = []
    for recording in own:
        times = [part.readings.times for message in recording.messages for part in message]
        device = recording.header.device
        begins.append(ends[device] + BREAK_S if device in ends else 0.0)
        length = max(one.max() for one in times) - min(one.min() for one in times)
        ends[device] = begins[-1] + float(length)
    return begins, max(ends.values(), default=0.0)


class _Prediction(msgspec.Struct):
    device: str
    start: float
    activity: str


@dataclass(frozen=True)
class Report:
    """The closing table."""

    windows_expected: int
    windows_received: int
    windows_labelled: int
    """Received windows in which one known activity was done; the others are not judged"""
    accuracy: float | None
    """Share of the labelled windows that were recognised, 0 to 1"""
    recall: dict[str, float | None]
    confusion: dict[str, dict[str, int]]
    """Labelled windows by activity and by what was recognised"""
    latency_ms: dict[str, float | None]
    """From handing over a window's last sample to receiving its prediction"""
    samples: int
    seconds: float
    """From the first message sent to the last prediction received, or the last message sent"""


def report(replay: Replay) -> Report:
    """Return how a replay went."""
    received = [window for window in replay.windows.values() if window.activity is not None]
    labelled = [window for window in received if window.done is not None]
    counts = Counter((window.done or "", window.activity or "") for window in labelled)
    others = sorted({name for pair in counts for name in pair} - set(ACTIVITIES))
    activities = [*ACTIVITIES, *others]
    confusion = {done: {other: counts[done, other] for other in activities} for done in activities}
    totals = {activity: sum(row.values()) for activity, row in confusion.items()}
    right = {activity: confusion[activity][activity] for activity in activities}
    latencies_ms = [w.latency_s * 1000 for w in received if w.latency_s is not None]
    percentiles = np.percentile(latencies_ms, [50, 95, 99]) if latencies_ms else [None] * 3
    return Report(
        windows_expected=len(replay.windows),
        windows_received=len(received),
        windows_labelled=len(labelled),
        accuracy=sum(right.values()) / len(labelled) if labelled else None,
        recall={a: right[a] / totals[a] if totals[a] else None for a in activities},
        confusion=confusion,
        latency_ms={
            name: None if value is None else round(float(value), 3)
            for name, value in zip(("p50", "p95", "p99"), percentiles, strict=True)
        },
        samples=replay.n_sent,
        seconds=max(replay.seconds, replay.answered_seconds),
    )


def print_report(result: Report, console: Console, *, n_unexpected: int) -> None:
    """Show the closing table to people.

    Args:
        result: what it shows.
        console: where.
        n_unexpected: predictions that came for other windows.
    """
    table = Table(title="Windows by activity (rows) and what was recognised (columns)")
    table.add_column("", no_wrap=True)
    for number in range(1, len(result.recall) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_column("recall", justify="right", no_wrap=True)
    for number, (activity, recall) in enumerate(result.recall.items(), 1):
        table.add_row(
            f"{number} {activity}",
            *map(str, result.confusion[activity].values()),
            "-" if recall is None else f"{recall:.4f}",
        )
    console.print(table)
    console.print(
        f"windows   {result.windows_received} received of {result.windows_expected} expected"
    )
    if not result.windows_expected:
        console.print(
            "          no 2.56 s of all sensors in a row: har/DEVICE/info says what is missing"
        )
    if n_unexpected:
        console.print(
            f"          {n_unexpected} more came for windows that were not expected: "
            "give the --hop of har-stream"
        )
    if result.accuracy is not None:
        console.print(
            f"accuracy  {result.accuracy:.4f} over {result.windows_labelled} labelled windows"
        )
    p50, p95, p99 = result.latency_ms.values()
    if p50 is not None:
        console.print(f"latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
    if result.seconds:
        console.print(
            f"rate      {result.samples / result.seconds:,.0f} samples/s, "
            f"{result.windows_received / result.seconds:,.0f} windows/s"
        )


def main() -> None:
    """Run the command."""
    settings = from_command_line(ReplaySettings)
    log.configure(logging.WARNING, "har-replay: %(message)s")
    console = Console()
    try:
        recordings: Sequence[Recording | LabelledRecording] = (
            read_recordings(settings) if settings.recording in DATA_SETS else read_own(settings)
        )
    except DataError as error:
        sys.exit(f"har-replay: {error}")
    listens = settings.wait or settings.speed == "max"
    connection = Connection(
        settings,
        name="har-replay",
        subscriptions=["har/+/prediction", STATUS_TOPIC] if listens else [],
    )
    try:
        connection.start(retry=False)
    except ConnectionError as error:
        sys.exit(f"har-replay: {error}")
    replay = Replay(settings, recordings, connection)
    replay.start_receiving()
    if (
        listens
        and not replay.stream_online.wait(settings.timeout if settings.wait else 1.0)
        and settings.wait
    ):
        connection.close(timeout_s=1.0)
        sys.exit(f"har-replay: no har-stream on {connection.address}; start it before replaying")

    console.print(
        f"{settings.recording}: {replay.n_phones} phones, {replay.n_samples} samples, "
        f"speed {settings.speed}"
    )
    failure = None
    try:
        with Progress(
            TextColumn("replaying"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress:
            task = progress.add_task("", total=replay.n_samples)
            for batch in replay.send():
                progress.advance(task, batch.n_samples)
        replay.finish(wait=settings.wait)
    except (TimeoutError, ConnectionError) as error:
        failure = str(error)
    except KeyboardInterrupt:
        failure = "interrupted"
    connection.close(timeout_s=settings.timeout)
    if settings.wait:
        result = report(replay)
        print_report(result, console, n_unexpected=replay.n_unexpected)
        if settings.report is not None:
            try:
                settings.report.write_bytes(
                    msgspec.json.format(msgspec.json.encode(result)) + b"\n"
                )
            except OSError as error:
                failure = failure or f"report = {str(settings.report)!r}: {error.strerror}"
    if failure:
        sys.exit(f"har-replay: {failure}")
