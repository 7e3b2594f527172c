"""A recording with what people are to know of it: its file, and the sign that it came in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from pipeline.readings import Convention, Delivery, Sensor
from pipeline.recognition.placement.sign import Conventions
from pipeline.recordings.exports.exports import FIRST_EPOCH_S
from pipeline.recordings.header import ConventionSource
from pipeline.recordings.recording import (
    Recording,
    Stretch,
    StretchesOnDemand,
)


@dataclass(frozen=True, eq=False)
class RecordedFile:
    """One recording of a file."""

    file: str
    """Its name, for people"""
    recording: Recording
    """With Android's sign"""
    convention: Convention
    """The sign in which its accelerations came"""
    convention_from: ConventionSource | Literal["data set"]
    number: int = 1
    """Of its recordings, counted from 1"""

    @cached_property
    def first(self) -> float:
        """Time of the earliest sample, in seconds."""
        return min(float(stretch.times.min()) for stretch in self.recording.stretches)

    @cached_property
    def last(self) -> float:
        """Time of the latest sample, in seconds."""
        return max(float(stretch.times.max()) for stretch in self.recording.stretches)

    @property
    def is_dated(self) -> bool:
        """Whether its times are of the epoch; else they begin anywhere."""
        header = self.recording.header
        return header is not None and header.clock == "epoch" and self.first >= FIRST_EPOCH_S

    @property
    def has_labels(self) -> bool:
        """Whether any sample has a label."""
        return any(bool((stretch.labels >= 0).any()) for stretch in self.recording.stretches)

    @property
    def is_prepared(self) -> bool:
        """Whether its samples are prepared, as UCI HAR's, so that no frame applies to them."""
        return self.recording.sensors == ["prepared"]

    @cached_property
    def rates_hz(self) -> dict[Sensor, float]:
        """How many samples a second each sensor has; infinite if all are of one time."""
        recording = self.recording
        return {sensor: recording.typical_rate_hz(sensor) for sensor in recording.sensors}

    def deliveries(self) -> Iterator[Delivery]:
        """Yield its messages. Whatever its clock, times are used as they are.

        If no recording is named in them, its number is its name, so that each of a file begins
        anew.

        Raises:
            MessageError: a value cannot be a phone's.
        """
        for message in self.recording.each_message():
            parts = [self.recording.readings(part) for part in message]
            yield Delivery(
                [
                    msgspec.structs.replace(
                        part, clock="epoch", recording=part.recording or str(self.number)
                    )
                    for part in parts
                ]
            )


def in_android_sign(
    file: str,
    recording: Recording,
    *,
    kept: Convention,
    came: Convention,
    came_from: ConventionSource | Literal["data set"],
    conventions: Conventions,
    number: int = 1,
) -> RecordedFile:
    """Return a recording with Android's sign.

    Args:
        file: its name.
        recording: with the sign that it is kept in.
        kept: that sign, if the recording came in ``came``.
        came: the sign in which it came, as far as it tells.
        came_from: what that is known from.
        conventions: the user's settings, which go before.
        number: of the recordings in the file.
    """
    convention, basis = conventions.of(recording.device)
    flips = kept == "ios"
    if basis == "set":
        flips ^= convention != came
        came, came_from = convention, "setting"
    if flips:
        came_in = recording.stretches
        flipped = StretchesOnDemand(len(came_in), lambda number: _flipped(came_in[number]))
        recording = replace(recording, stretches=flipped)
    return RecordedFile(file, recording, came, came_from, number)


def _flipped(stretch: Stretch) -> Stretch:
    """Return a stretch with accelerations of the opposite sign, if it has any to rotate."""
    if stretch.sensor == "prepared" or stretch.sensor.startswith("gyroscope"):
        return stretch
    signs = np.array([-1.0] * 3 + [1.0] * (stretch.samples.shape[1] - 3))
    return replace(stretch, samples=stretch.samples * signs)


def words(names: Sequence[str]) -> str:
    """Return names of sensors or the like in words: ``accelerometer and gyroscope``."""
    return " and ".join(name.replace("_", " ") for name in names)
