"""Recordings: the samples of one device over time, each with a label.

Data sets, simulated phones and recorded files are all recordings. A recording keeps its samples in
stretches, as arrays, and gives them as the readings that a phone's messages hold. Where recordings
come from is decided by their readers: `hapt`, `uci_har`, `person_file`, `simulated`, `parquet`.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import BodyPlace, Readings, Sensor
from pipeline.recordings.header import Header
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH


class DataError(Exception):
    """A recording or data set is missing, damaged or of another form; its owner can mend it."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of one sensor that follow each other: without a break, or in one message."""

    times: NDArray[np.float64]
    """``(n_samples,)``: seconds on the recording's clock, in any order"""
    samples: NDArray[np.floating]
    """``(n_samples, n_columns)``, as `Sensor` says"""
    labels: NDArray[np.signedinteger]
    """``(n_samples,)``: index into the recording's `activities`, -1 where none is known"""
    sensor: Sensor = "motion"
    is_same_message: bool = False
    """Whether it came in one message with the stretch before it"""

    @property
    def start(self) -> float:
        """Time of the first sample, in seconds."""
        return float(self.times[0])

    def part(self, first: int, last: int) -> "Stretch":
        """Return the samples from ``first`` to before ``last``, as a message by themselves."""
        rows = slice(first, last)
        return Stretch(self.times[rows], self.samples[rows], self.labels[rows], self.sensor)


class StretchesOnDemand(Sequence[Stretch]):
    """Stretches that are made when they are asked for, so that they need not be in memory at once.

    Each is made anew whenever it is asked for.
    """

    def __init__(self, n: int, make: Callable[[int], Stretch]) -> None:
        """Take how many there are, and what makes them, by their number from 0 on."""
        self._numbers = range(n)
        self._make = make

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Stretch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Stretch]: ...
    def __getitem__(self, index: int | slice) -> Stretch | Sequence[Stretch]:
        """Return a stretch, or some.

        Raises:
            IndexError: there are not so many.
        """
        if isinstance(index, slice):
            return [self._make(number) for number in self._numbers[index]]
        return self._make(self._numbers[index])


@dataclass(frozen=True, eq=False)
class LabelledReadings:
    """Samples of one sensor out of one message, each with its label."""

    readings: Readings
    labels: NDArray[np.signedinteger]
    """``(n_samples,)``: index into the recording's `activities`, -1 where none is known"""


@dataclass(frozen=True, eq=False)
class Recording:
    """All that one device recorded, in the order in which it came."""

    device: str
    """Name of the sender"""
    stretches: Sequence[Stretch]
    activities: tuple[str, ...] = ACTIVITIES
    """Names of the activities that labels stand for; they may be none of the model's"""
    rate_hz: float | None = None
    """Samples a second, where a rate was published in place of times: times are evenly spaced
    within a stretch, and count from the recording's beginning. None if each sample has its own"""
    person: str = ""
    """Who carried the device, by the data set's name for them; empty if unknown"""
    worn_at: str = ""
    """Where on the body, such as ``waist``; empty if unknown"""
    header: Header | None = None
    """That of a recorded file; None of data sets and simulated phones"""
    data_set: str = ""
    """Name of the data set that it is of; empty if of none"""
    known_changes: tuple[NDArray[np.float64], NDArray[np.int16]] | None = None
    """Times of the samples that have another label than the one before, in the order of time, the
    first sample's to begin with, and their labels; None if they are to be found in the samples"""

    @property
    def messages(self) -> tuple[tuple[LabelledReadings, ...], ...]:
        """The readings of all stretches with their labels, message by message.

        Raises:
            MessageError: a stretch makes no `readings`.
        """
        return tuple(
            tuple(LabelledReadings(self.readings(part), part.labels) for part in parts)
            for parts in self.each_message()
        )

    @property
    def start(self) -> float:
        """Time of the first message's earliest sample, in seconds."""
        return min(float(stretch.times.min()) for stretch in next(self.each_message()))

    @property
    def rotation(self) -> NDArray[np.float64] | None:
        """The device's calibration ``(3, 3)`` to the training frame, None if it had none."""
        if self.header is None or self.header.rotation is None:
            return None
        return np.array(self.header.rotation)

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        return sum(len(stretch.labels) for stretch in self.stretches)

    @cached_property
    def sensors(self) -> list[Sensor]:
        """The sensors of which there are samples."""
        return sorted({stretch.sensor for stretch in self.stretches})

    def samples_of(self, sensor: Sensor) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
        """Return a sensor's times ``(n,)`` in seconds and samples ``(n, n_columns)``, as they came.

        It must be one of `sensors`.
        """
        stretches = [stretch for stretch in self.stretches if stretch.sensor == sensor]
        return (
            np.concatenate([stretch.times for stretch in stretches]),
            np.concatenate([stretch.samples for stretch in stretches]),
        )

    def typical_rate_hz(self, sensor: Sensor) -> float:
        """Return how many samples a second a sensor has between pauses, as `typical_rate_hz` does.

        It must be one of `sensors`.
        """
        pauses = array("d")
        last: list[float] = []
        for stretch in self.stretches:
            if stretch.sensor == sensor:
                found = np.diff(stretch.times, prepend=last)
                if (found < 0).any():  # it came in disorder
                    return typical_rate_hz(np.sort(self.samples_of(sensor)[0]))
                pauses.frombytes(found.tobytes())
                last = stretch.times[-1:].tolist()
        return _rate_hz(np.frombuffer(pauses) if pauses else np.empty(0))

    def readings(self, stretch: Stretch) -> Readings:
        """Return a stretch as the readings that a message of the device holds.

        Raises:
            MessageError: it is longer than a message can be (`cut` the recording), or has a value
                that no phone can have measured.
        """
        return Readings(
            self.device,
            stretch.times,
            np.asarray(stretch.samples, np.float64),
            stretch.sensor,
            "" if self.header is None else self.header.recording,
            "epoch" if self.header is None else self.header.clock,
            "android",
            self._body_place,
        )

    def by_message(self) -> list[list[Stretch]]:
        """Return the stretches of each message."""
        return list(self.each_message())

    def each_message(self) -> Iterator[list[Stretch]]:
        """Yield the stretches of each message."""
        message: list[Stretch] = []
        for stretch in self.stretches:
            if message and not stretch.is_same_message:
                yield message
                message = []
            message.append(stretch)
        if message:
            yield message

    def cut(self, rows: int) -> Self:
        """Return the recording in messages of up to ``rows`` samples, whatever it came in."""
        parts = (
            stretch.part(first, first + rows)
            for stretch in self.stretches
            for first in range(0, len(stretch.labels), rows)
        )
        return replace(self, stretches=tuple(parts))

    def moved(self, seconds: float) -> Self:
        """Return the recording with all its times so much later."""
        later = (replace(stretch, times=stretch.times + seconds) for stretch in self.stretches)
        return replace(self, stretches=tuple(later), known_changes=None)

    def window_activities(self, starts: NDArray[np.float64]) -> list[str | None]:
        """Return the activity that all samples of each window share, None if they share none.

        The windows' first samples are at ``starts`` ``(n,)``, in seconds.
        """
        if not len(starts):
            return []
        times, labels = self._changes
        ends = starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        first, last = (times.searchsorted(at, side="right") - 1 for at in (starts, ends))
        shared = np.where((first == last) & (first >= 0), labels[first], -1)
        return [None if label < 0 else self.activities[label] for label in shared.tolist()]

    def labels_at(self, times: NDArray[np.float64]) -> NDArray[np.int16]:
        """Return the labels ``(n,)`` at ``times`` ``(n,)``.

        It is that of the last sample before, whichever sensor's, or of that sample itself.
        """
        changes, labels = self._changes
        last = changes.searchsorted(times, side="right") - 1
        return np.where(last >= 0, labels[last], np.int16(-1))

    @property
    def label_changes(self) -> list[tuple[float, str | None]]:
        """From when on each activity holds, in seconds, and its name; None where none is known."""
        times, labels = self._changes
        return [
            (time, None if label < 0 else self.activities[label])
            for time, label in zip(times.tolist(), labels.tolist(), strict=True)
        ]

    @property
    def _body_place(self) -> BodyPlace | None:
        """Where the device was worn, as readings name it, None if unknown."""
        if not self.worn_at:
            return None
        return "waist" if self.worn_at == "waist" else "any"

    @cached_property
    def _changes(self) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
        """Times of the samples that have another label than the one before, and their labels."""
        if self.known_changes is not None:
            return self.known_changes
        times = np.concatenate([stretch.times for stretch in self.stretches])
        labels = np.concatenate([stretch.labels for stretch in self.stretches]).astype(np.int16)
        order = np.argsort(times, kind="stable")
        times, labels = times[order], labels[order]
        changed = np.concatenate([[True], labels[1:] != labels[:-1]])
        return times[changed], labels[changed]


def grid_times(start: float, n_samples: int) -> NDArray[np.float64]:
    """Return the times ``(n_samples,)`` of samples 50 a second from ``start`` on, in seconds."""
    return start + np.arange(n_samples) / SAMPLING_RATE_HZ


def typical_rate_hz(times: NDArray[np.float64]) -> float:
    """Return how many samples a second there are between pauses, of ascending times ``(n,)``.

    Several samples of one time count as one. It is infinite if all are of one time.
    """
    return _rate_hz(np.diff(times))


def _rate_hz(pauses: NDArray[np.float64]) -> float:
    """Return how many samples a second there are with these pauses ``(n,)``, which get disordered.

    It is infinite if none is longer than 0.
    """
    if not pauses.all():
        pauses = pauses[pauses > 0]
    return 1 / float(np.median(pauses, overwrite_input=True)) if len(pauses) else np.inf


def activities_of(recordings: Iterable[Recording]) -> tuple[str, ...]:
    """Return the names that the labels of these recordings use, in alphabetical order."""
    return tuple(sorted({name for recording in recordings for name in recording.activities}))
