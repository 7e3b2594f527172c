"""The header of a recorded file; where it stands in the file is decided in `parquet`."""

from importlib.metadata import version
from typing import Final, Literal

import msgspec

from pipeline.readings import BodyPlace, Clock, Convention

ConventionSource = Literal["setting", "message", "export", "assumption"]
"""What the convention is known from."""

EXPORT: Final = " export"
"""How the format of a recording ends that was imported, behind the app's name"""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Where the samples of a recorded file come from, and in what form they are."""

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
    the messages are to show it"""
    convention_from: ConventionSource
    rotation: list[list[float]] | None = None
    """The phone's calibration ``(3, 3)`` to the training frame; values are in the phone's axes"""
    placement: BodyPlace | None = None
    """Where its messages stated that the phone is worn, None if they did not"""
    created: str
    """When it began, in UTC, ISO 8601"""
    software: str
    """What wrote it"""
    units: str = "s, m/s2, rad/s"

    @property
    def is_imported(self) -> bool:
        """Whether an app exported the recording, so that it can be imported again."""
        return self.format.endswith(EXPORT)


def software() -> str:
    """Return what writes recordings, ``har-stream 0.1.0``."""
    return f"har-stream {version('har-stream')}"
