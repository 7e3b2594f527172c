"""The messages of a replay, and the windows that each one completes.

Rules: files are sent in the messages in which they came, as far as native ones can be; what did not
come in messages is cut into some of equally many rows. Windows are those of the stages that
har-stream has; on a grid they are counted.
"""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.commands.replay.counted_windows import CountedWindows
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.formats.native.document import SEPARATE_SENSORS
from pipeline.readings import Readings
from pipeline.recognition.offline import RecordedPhone
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ

ROUNDING_S: Final = 1e-6
"""By which a time since the phone was switched on may move when it becomes one of the epoch"""

BREAK_S: Final = 2.0
"""Between two recordings of one phone"""

MOST_RECORDED: Final = 5_000
"""Samples in a message of a file: within the largest payload, however many digits they have."""


@dataclass(frozen=True, eq=False)
class OutgoingMessage:
    """A message to send: its samples, when it is due, and the windows that it completes."""

    device: str
    due: float
    """Seconds after the start of the replay, at real time, when its last sample was measured"""
    readings: tuple[Readings, ...]
    """What it holds, with the times to send"""
    rate_hz: float | None
    """Samples a second if it is sent by start and rate, None if each sample's time is sent"""
    rotation: NDArray[np.float64] | None
    """The calibration ``(3, 3)`` that its phone had, None for none"""
    completes: list[tuple[float, str | None]]
    """Windows whose last needed sample it holds: start in seconds after that of the replay, and
    the activity of all samples, None if they share none"""
    labels: list[tuple[float, str | None]]
    """Activities that begin among its samples: from when on, in epoch seconds, None for none"""

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        return sum(len(readings.times) for readings in self.readings)


def schedule(
    settings: ReplaySettings, recordings: Sequence[Recording], *, hop: int
) -> tuple[Iterator[OutgoingMessage], float]:
    """Return all messages of a replay that begins now, in the order they are due, and its start.

    The start is in epoch seconds, so that the last sample is of now, and the first as long ago as
    the replay is ahead of real time. Messages are made one by one, when they are taken.
    """
    begins, duration = _one_after_another(recordings)
    speed = float("inf") if settings.speed == "max" else settings.speed
    epoch = round(time.time() + duration / speed - duration, 3)
    of_recordings = [
        messages_of(
            recording,
            rows=settings.rows,
            hop=hop,
            epoch=epoch,
            begins=recording_begins,
            original_times=settings.original_times,
        )
        for recording, recording_begins in zip(recordings, begins, strict=True)
    ]
    return heapq.merge(*of_recordings, key=lambda message: message.due), epoch


def messages_of(
    recording: Recording,
    *,
    rows: int,
    hop: int,
    epoch: float,
    begins: float = 0.0,
    original_times: bool = False,
) -> Iterator[OutgoingMessage]:
    """Yield a recording as messages, with the windows that each completes.

    Dates are moved by whole seconds, so that not a bit of a sample's time within its second is
    lost (of times from 2004 to 2038, float64 numbers of one and the same precision).

    Args:
        recording: what to play.
        rows: most samples in a message, where it did not come in messages.
        hop: that of the har-stream that answers.
        epoch: epoch seconds of the replay's start.
        begins: when the recording begins, in seconds after that.
        original_times: leave dates as they were.
    """
    first = recording.start
    if recording.rate_hz is not None:
        shift = epoch + begins - first
    else:
        shift = 0.0 if original_times else math.floor(epoch + begins - first)
    recording = recording.moved(shift)
    if recording.header is None:
        recording = recording.cut(rows)
    completed = _completed(recording, hop=hop)
    newest = -math.inf
    labels = deque(recording.label_changes)
    for message in recording.by_message():
        for readings in _sendable(map(recording.readings, message)):
            newest = max(newest, *(float(part.times.max()) for part in readings))
            starts = completed(readings)
            activities = recording.window_activities(starts + ROUNDING_S)
            yield OutgoingMessage(
                recording.device,
                due=begins + (newest - shift) - first,
                readings=readings,
                rate_hz=recording.rate_hz,
                rotation=recording.rotation,
                completes=list(zip((starts - epoch).tolist(), activities, strict=True)),
                labels=_until(newest, labels),
            )


def _until(
    newest: float, labels: deque[tuple[float, str | None]]
) -> list[tuple[float, str | None]]:
    """Take the labels up to a time."""
    taken = []
    while labels and labels[0][0] <= newest:
        taken.append(labels.popleft())
    return taken


def _completed(
    recording: Recording, *, hop: int
) -> Callable[[Sequence[Readings]], NDArray[np.float64]]:
    """Return a function from a message to the starts ``(n,)`` of the windows that it completes."""
    if recording.rate_hz == SAMPLING_RATE_HZ:
        return CountedWindows(hop=hop).push
    phone = RecordedPhone(hop=hop)
    return lambda message: phone.push(message).starts


def _sendable(message: Iterable[Readings]) -> Iterator[tuple[Readings, ...]]:
    """Yield a message's readings, in their order, as native messages can hold them."""
    held: list[Readings] = []
    for readings in message:
        for part in _parts(readings):
            fits = (
                held
                and part.sensor in SEPARATE_SENSORS
                and held[-1].sensor in SEPARATE_SENSORS
                and SEPARATE_SENSORS.index(held[-1].sensor) < SEPARATE_SENSORS.index(part.sensor)
                and sum(len(other.times) for other in held) + len(part.times) <= MOST_RECORDED
            )
            if held and not fits:
                yield tuple(held)
                held = []
            held.append(part)
    yield tuple(held)


def _parts(readings: Readings) -> Iterator[Readings]:
    if len(readings.times) <= MOST_RECORDED:
        yield readings
        return
    for first in range(0, len(readings.times), MOST_RECORDED):
        part = slice(first, first + MOST_RECORDED)
        yield msgspec.structs.replace(
            readings, times=readings.times[part], values=readings.values[part]
        )


def _one_after_another(recordings: Sequence[Recording]) -> tuple[list[float], float]:
    """Return when each recording begins, a phone's one after the other, and when the last ends."""
    ends: dict[str, float] = {}
    begins = []
    for recording in recordings:
        device = recording.device
        begins.append(ends[device] + BREAK_S if device in ends else 0.0)
        first = min(float(stretch.times.min()) for stretch in recording.stretches)
        last = max(float(stretch.times.max()) for stretch in recording.stretches)
        ends[device] = begins[-1] + (last - first)
    return begins, max(ends.values(), default=0.0)
