"""What one phone sent, message by message, with what its carrier did meanwhile.

The form in which own recordings are replayed and trained on, and the names of activities. How they
are kept in files is decided in `parquet`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Clock, Convention, MessageError, Readings, Sensor
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

ACCELERATIONS: Final[dict[Sensor, int]] = {
    "motion": 3,
    "accelerometer": 3,
    "accelerometer_uncalibrated": 3,
    "linear_acceleration": 3,
    "gravity": 3,
}
"""How many of a sensor's first columns are accelerations, whose sign is a matter of convention."""

Evidence = Literal["setting", "message", "export", "assumption"]
"""What tells the convention."""

EXPORT: Final = " export"
"""How the format of a recording ends that was imported, behind the app's name"""

MAX_NAME: Final = 64
"""Characters of an activity's name"""

_BETWEEN_WORDS: Final = re.compile(r"[\s\u2010-\u2015-]+")  # blanks, hyphens and dashes
_JOINERS: Final = "\u200c\u200d"  # within words of Persian and of Indian scripts


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording says of itself."""

    version: Literal[1] = 1
    device: str
    recording: str = ""
    """The sender's name for the recording"""
    format: str
    """Wire format or kind of export that it came in"""
    clock: Clock
    """Where its times begin"""
    convention: Convention | Literal["auto"]
    """The sign in which accelerations came; kept is Android's. ``auto`` while it is recorded, if
    the messages are to tell"""
    convention_from: Evidence
    """Who says so"""
    rotation: list[list[float]] | None = None
    """The phone's calibration ``(3, 3)`` to the training frame; values are in the phone's axes"""
    created: str
    """When it began, in UTC, ISO 8601"""
    software: str
    """What wrote it"""
    units: str = "s, m/s2, rad/s"

    @property
    def is_imported(self) -> bool:
        """Whether an app exported the recording, so that it can be imported again."""
        return self.format.endswith(EXPORT)


@dataclass(frozen=True, eq=False)
class LabelledReadings:
    """Samples of one sensor out of one message, each with its label."""

    readings: Readings
    labels: NDArray[np.int16]
    """``(n_samples,)``: index into the recording's `activities`, -1 where nothing is said"""


@dataclass(frozen=True, eq=False)
class LabelledRecording:
    """All that one device sent in a recording, in the order in which it came."""

    header: Header
    activities: tuple[str, ...]
    """Names of the activities that labels stand for"""
    messages: tuple[tuple[LabelledReadings, ...], ...]

    def done_throughout(self, start: float) -> str | None:
        """Return the activity that a window shares whose first sample is at ``start``, if any."""
        labels = self.labels_at(start + np.arange(WINDOW_LENGTH) / SAMPLING_RATE_HZ)
        alike = labels[0] >= 0 and (labels == labels[0]).all()
        return self.activities[labels[0]] if alike else None

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        return sum(len(part.labels) for message in self.messages for part in message)

    @property
    def sensors(self) -> list[Sensor]:
        """The sensors of which there are samples."""
        return sorted({part.readings.sensor for message in self.messages for part in message})

    def labels_at(self, times: NDArray[np.float64]) -> NDArray[np.int16]:
        """Return what the device's carrier did at ``times`` ``(n,)``: ``(n,)`` labels.

        It is what the last sample before says, whichever sensor's, or that sample itself.
        """
        known, labels = self._timeline
        last = np.searchsorted(known, times, side="right") - 1
        return np.where(last >= 0, labels[last], np.int16(-1))

    @cached_property
    def _timeline(self) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
        """All samples' times, ascending, and labels."""
        parts = [part for message in self.messages for part in message]
        times = np.concatenate([part.readings.times for part in parts])
        labels = np.concatenate([part.labels for part in parts])
        order = np.argsort(times, kind="stable")
        return times[order], labels[order]


def activity_name(text: str) -> str | None:
    """Return the name of an activity as models and predictions have it, ``walking`` as ``WALKING``.

    None for an empty text: no activity from then on. Letters may be of any script; an accent is one
    with its letter, whether it was typed with it or behind it.

    Raises:
        MessageError: the text holds what no name does.
    """
    name = unicodedata.normalize("NFC", _BETWEEN_WORDS.sub("_", text.strip()).upper())
    if not name:
        return None
    if len(name) > MAX_NAME or not all(map(_may_be_in_a_name, name)):
        raise MessageError(
            "label",
            f"{text[:80]!r} is no activity: a name has 1 to {MAX_NAME} letters, digits or "
            "underscores",
        )
    return name


def _may_be_in_a_name(character: str) -> bool:
    """Return whether it is a letter, a mark on one, a digit, an underscore or a joiner."""
    return unicodedata.category(character)[0] in "LMN" or character in f"_{_JOINERS}"


def software() -> str:
    """Return what writes recordings, ``har-stream 0.1.0``."""
    return f"har-stream {version('har-stream')}"


def activities_of(recordings: Sequence[LabelledRecording]) -> tuple[str, ...]:
    """Return the names that the labels of these recordings use, in alphabetical order."""
    return tuple(sorted({name for recording in recordings for name in recording.activities}))


def rate_hz(times: NDArray[np.float64]) -> float:
    """Return how many samples a second there are beside pauses, of ascending times."""
    pause = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return 1 / pause if pause > 0 else np.inf
