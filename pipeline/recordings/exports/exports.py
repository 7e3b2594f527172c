"""What apps' exports come to: recordings, made of the samples of one sensor a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.readings import (
    MAX_ROWS,
    Clock,
    Convention,
    MessageError,
    Readings,
    Sensor,
)
from pipeline.recordings.exports.files import both_hold
from pipeline.recordings.exports.gathered import Samples
from pipeline.recordings.recording import DataError

MESSAGE_S: Final = 1.0
"""Seconds in a message of an imported recording, as if the phone had sent it."""

FIRST_EPOCH_S: Final = 1e9
"""Later times, of September 2001 and after, are those of the epoch."""


@dataclass(frozen=True, eq=False)
class Track:
    """One sensor's samples in one file."""

    file: str
    sensor: Sensor
    samples: Samples


@dataclass(frozen=True, eq=False)
class Export:
    """A recording that an app exported."""

    app: str
    device: str | None
    """The phone's name, None if the export does not name it"""
    recording: str
    """What the app calls the recording"""
    clock: Clock
    convention: Convention | None
    """The sign of accelerations, None if the export does not name it"""
    sensors: Mapping[Sensor, Samples]
    labels: Sequence[tuple[float, str]] = ()
    """What the wearer wrote down, and when, in seconds. Each ends what was before."""
    files: Sequence[str] = ()
    """Those that it was read from"""

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        return sum(len(times) for times, _ in self.sensors.values())

    @property
    def common_s(self) -> float:
        """How long all sensors have samples, in seconds."""
        begin = max(float(times[0]) for times, _ in self.sensors.values())
        end = min(float(times[-1]) for times, _ in self.sensors.values())
        return max(end - begin, 0.0)

    def messages(self, device: str) -> list[list[Readings]]:
        """Return the samples as messages of a second each.

        Raises:
            MessageError: a sample cannot be one.
        """
        first = min(float(times[0]) for times, _ in self.sensors.values())
        parts: dict[int, list[Readings]] = {}
        for sensor, (times, values) in self.sensors.items():
            seconds = np.floor((times - first) / MESSAGE_S).astype(np.int64)
            begins = np.flatnonzero(np.diff(seconds, prepend=-1))
            for begin, end in zip(begins, [*begins[1:], len(times)], strict=True):
                for cut in range(begin, end, MAX_ROWS):
                    rows = slice(cut, min(cut + MAX_ROWS, end))
                    parts.setdefault(int(seconds[begin]), []).append(
                        Readings(
                            device, times[rows], values[rows], sensor, self.recording, self.clock
                        )
                    )
        return [parts[second] for second in sorted(parts)]


@dataclass(frozen=True, eq=False)
class AppExports:
    """What an app's module made of files."""

    exports: Sequence[Export]
    passed_over: Mapping[str, str]
    """Why files of the app were not read, or not all of them, by their names"""
    failures: Sequence[str] = ()
    """What is damaged and concerns none of `exports`"""


def by_sensor(source: str, tracks: Sequence[Track]) -> dict[Sensor, Samples]:
    """Return the samples of each sensor.

    Raises:
        DataError: two files hold the same sensor.
    """
    files: dict[Sensor, str] = {}
    for track in tracks:
        if track.sensor in files:
            words = track.sensor.replace("_", " ")
            raise both_hold(source, files[track.sensor], track.file, words)
        files[track.sensor] = track.file
    return {track.sensor: track.samples for track in tracks}


def enter(passed_over: dict[str, str], file: str, *reasons: str) -> None:
    """Enter why a file is not read, or not all of it, behind what is entered already."""
    passed_over[file] = "; ".join(filter(None, [passed_over.get(file), *reasons]))


def enter_left_out(passed_over: dict[str, str], file: str, *, n_unfit: int, n_partial: int) -> None:
    """Enter how many rows of a file are left out, and why, if any are."""
    counts = {
        "of too many cells": n_unfit,
        "without a number, or with an impossible one": n_partial,
    }
    reasons = ", ".join(f"{n} {reason}" for reason, n in counts.items() if n)
    if reasons:
        enter(passed_over, file, f"rows left out: {reasons}")


def checked(source: str, make: Callable[[], list[list[Readings]]]) -> list[list[Readings]]:
    """Return what ``make`` does, its errors as those of an export.

    Raises:
        DataError: a sample cannot be one.
    """
    try:
        return make()
    except MessageError as error:
        raise DataError(f"{source}: {error}") from error
