"""Which way each phone is worn: what was set, what its messages prove, what was calibrated.

A calibration goes from the phone's axes straight to the training frame, so it takes the place of a
named frame. The sign convention is needed before either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.orientation import ACCELERATION_SIGN, FRAMES
from pipeline.readings import Convention

EVERY: Final = ""
"""Stands for all phones that have no setting of their own."""

Source = Literal["set", "proven", "assumed"]


class PlacementError(ValueError):
    """A convention or frame is not what it can be; whoever set it can mend it."""


@dataclass(frozen=True, eq=False)
class Placement:
    """The way one phone is worn."""

    convention: Convention
    convention_by: Source
    """Set by the user, proven by a message, or Android's for want of either"""
    frame: str
    """A name of `FRAMES`, or ``calibrated``"""
    sign: float
    """What accelerations are multiplied by to be Android's, 1 or -1"""
    rotation: NDArray[np.float64]
    """``(3, 3)``: from the phone's axes (Android) to the training frame"""


class Placements:
    """The placements of all phones."""

    def __init__(self, conventions: Sequence[str] = (), frames: Sequence[str] = ()) -> None:
        """Take settings ``VALUE`` for all phones and ``DEVICE=VALUE`` for one.

        Raises:
            PlacementError: a setting is none of those.
        """
        self._conventions = _by_device(conventions, [*ACCELERATION_SIGN, "auto"], "convention")
        self._frames = _by_device(frames, FRAMES, "frame")
        self._proven: dict[str, Convention] = {}
        self._calibrations: dict[str, NDArray[np.float64]] = {}

    def of(self, device: str) -> Placement:
        """Return how a phone is worn, as far as is known."""
        convention, source = self._convention(device)
        rotation = self._calibrations.get(device)
        frame = "calibrated"
        if rotation is None:
            frame = self._frames.get(device, self._frames.get(EVERY, "landscape"))
            rotation = FRAMES[frame]
        return Placement(convention, source, frame, ACCELERATION_SIGN[convention], rotation)

    def prove(self, device: str, convention: Convention) -> bool:
        """Note what a message proves of a phone; return whether that is news."""
        if self._proven.get(device) == convention:
            return False
        self._proven[device] = convention
        return True

    def calibrate(self, device: str, rotation: NDArray[np.float64] | None) -> None:
        """Set a phone's calibration ``(3, 3)``, or take it back."""
        if rotation is None:
            self._calibrations.pop(device, None)
        else:
            self._calibrations[device] = rotation

    def forget(self, device: str) -> None:
        """Drop what a phone's messages have proved; its calibration stays."""
        self._proven.pop(device, None)

    def _convention(self, device: str) -> tuple[Convention, Source]:
        chosen = self._conventions.get(device, self._conventions.get(EVERY, "auto"))
        for convention in ACCELERATION_SIGN:
            if chosen == convention:
                return convention, "set"
        if device in self._proven:
            return self._proven[device], "proven"
        return "android", "assumed"


def turned(
    rows: NDArray[np.float64], signs: NDArray[np.float64], rotations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return raw rows ``(n_phones, n_rows, 6)`` in the training frame.

    ``signs`` ``(n_phones,)`` and ``rotations`` ``(n_phones, 3, 3)`` are those of `Placement`. What
    comes of a row does not depend on the rows beside it.
    """
    result = np.empty_like(rows)
    # Products and sums written out: a matrix product may round otherwise for other shapes.
    for columns, factor in ((slice(0, 3), signs), (slice(3, 6), np.ones_like(signs))):
        matrices = factor[:, np.newaxis, np.newaxis] * rotations
        vectors = rows[:, :, np.newaxis, columns]  # (n_phones, n_rows, 1, 3)
        terms = matrices[:, np.newaxis] * vectors  # (n_phones, n_rows, 3, 3)
        result[:, :, columns] = terms[..., 0] + terms[..., 1] + terms[..., 2]
    return result


def _by_device(
    settings: Sequence[str], allowed: Mapping[str, object] | Sequence[str], what: str
) -> dict[str, str]:
    chosen = {}
    for setting in settings:
        device, _, value = setting.rpartition("=")
        if value not in allowed:
            raise PlacementError(f"no {what} {value!r}: it is one of {', '.join(allowed)}")
        chosen[device] = value
    return chosen
