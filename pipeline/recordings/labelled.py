"""What a recorded file says of itself, and the names that activities may have.

How recordings are kept in files is decided in `parquet`.
"""

import re
import unicodedata
from importlib.metadata import version
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Clock, Convention, MessageError, Sensor

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


def rate_hz(times: NDArray[np.float64]) -> float:
    """Return how many samples a second there are beside pauses, of ascending times."""
    pause = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return 1 / pause if pause > 0 else np.inf
