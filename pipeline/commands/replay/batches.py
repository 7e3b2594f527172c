"""The messages of a replay, and the windows that each one completes.

Rules: recordings on a grid are cut into messages of equally many rows, and their windows are
counted off; raw rows have the median filter's look-ahead. Recordings of files are sent in the
messages in which they came, and their windows are those of the stages that har-stream has.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.commands.replay.settings import ReplaySettings
from pipeline.readings import Readings, Sensor
from pipeline.recognition.offline import RecordedPhone
from pipeline.recordings import simulated
from pipeline.recordings.labelled import LabelledRecording
from pipeline.recordings.recording import Recording, Stretch
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

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


def prepared(
    settings: ReplaySettings, recordings: Sequence[Recording | LabelledRecording], *, hop: int
) -> tuple[list[Batch], float]:
    """Return all messages of a replay that begins now, as they are due, and its start.

    The start is in epoch seconds, so that the last sample is of now, and the first as long ago as
    the replay is ahead of real time.
    """
    files = [one for one in recordings if isinstance(one, LabelledRecording)]
    made = [
        batch
        for one in recordings
        if isinstance(one, Recording)
        for batch in batches(one, rows=settings.rows, hop=hop)
    ]
    begins, files_end = _one_after_another(files)
    duration = max([files_end, *(batch.due for batch in made)])
    speed = float("inf") if settings.speed == "max" else settings.speed
    epoch = round(time.time() + duration / speed - duration, 3)
    for file, file_begins in zip(files, begins, strict=True):
        made += file_batches(
            file,
            hop=hop,
            epoch=epoch,
            begins=file_begins,
            original_times=settings.original_times,
        )
    return sorted(made, key=lambda batch: batch.due), epoch


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


def file_batches(
    recording: LabelledRecording, *, hop: int, epoch: float, begins: float, original_times: bool
) -> Iterator[Batch]:
    """Yield a recording of a file as the messages that it came in, as far as native ones can be.

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
    phone = RecordedPhone(hop=hop)
    newest = first
    for message in recording.messages:
        for readings in _sendable([part.readings for part in message]):
            newest = max(newest, *(float(one.times.max()) for one in readings))
            rows = tuple(msgspec.structs.replace(one, times=one.times + shift) for one in readings)
            starts = phone.push(rows).starts
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
        return _readings_payload(batch.rows, recording)
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


def _readings_payload(message: Sequence[Readings], recording: str) -> bytes:
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


def _one_after_another(recordings: Sequence[LabelledRecording]) -> tuple[list[float], float]:
    """Return when each file begins, those of one phone in turn, and when the last ends."""
    ends: dict[str, float] = {}
    begins = []
    for recording in recordings:
        times = [part.readings.times for message in recording.messages for part in message]
        device = recording.header.device
        begins.append(ends[device] + BREAK_S if device in ends else 0.0)
        length = max(one.max() for one in times) - min(one.min() for one in times)
        ends[device] = begins[-1] + float(length)
    return begins, max(ends.values(), default=0.0)
