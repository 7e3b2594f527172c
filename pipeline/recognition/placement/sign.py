"""The sign of a phone's accelerations: which convention it keeps to, set, proven or assumed."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pipeline.readings import Convention
from pipeline.recognition.placement.by_device import ByDevice

ACCELERATION_SIGN: Final[dict[Convention, float]] = {"android": 1.0, "ios": -1.0}
"""The factor of accelerations, on all three axes, that makes them Android's; angular velocities
are the same on both (Sensor Logger, COORDINATES.md)."""

Basis = Literal["set", "proven", "assumed"]
"""Set by the user, proven by a message, or Android's for lack of either"""


class Conventions:
    """The conventions of all phones."""

    def __init__(self, settings: Sequence[str] = ()) -> None:
        """Take settings ``VALUE`` for all phones and ``DEVICE=VALUE`` for one.

        Raises:
            PlacementError: a setting is none of those.
        """
        self._settings = ByDevice(settings, [*ACCELERATION_SIGN, "auto"], "convention")
        self.proven: dict[str, Convention] = {}
        """By device, of admitted phones"""

    def of(self, device: str) -> tuple[Convention, Basis]:
        """Return the convention of a phone, as far as is known, and how it is known."""
        chosen = self._settings.of(device, default="auto")
        for convention in ACCELERATION_SIGN:
            if chosen == convention:
                return convention, "set"
        if device in self.proven:
            return self.proven[device], "proven"
        return "android", "assumed"

    def prove(self, device: str, convention: Convention) -> bool:
        """Note what a message proves of a phone; return whether that is a change."""
        if self.proven.get(device) == convention:
            return False
        self.proven[device] = convention
        return True

    def forget(self, device: str) -> None:
        """Drop what a phone's messages have proved."""
        self.proven.pop(device, None)

    def restore(self, proven: Mapping[str, Convention]) -> None:
        """Put `proven` back, in place of all that was proved before."""
        self.proven = dict(proven)
