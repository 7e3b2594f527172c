"""Which way each phone is worn: what was set, what its messages prove, what was calibrated.

A calibration goes from the phone's axes straight to the training frame, so it takes the place of a
named frame. The sign convention is needed before either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Convention, MessageError, check_device
from pipeline.recognition.placement.calibration import ACCELERATION_SIGN, FRAMES

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
    """The placements of all phones.

    A phone is *here* from `meet` to `forget`. Calibrations of phones that are not here are kept
    too, but no more than ``max_devices``: whoever invents names must not fill the memory, nor put
    out the calibrations of phones that there are.
    """

    def __init__(
        self,
        conventions: Sequence[str] = (),
        frames: Sequence[str] = (),
        *,
        max_devices: int = 10_000,
    ) -> None:
        """Take settings ``VALUE`` for all phones and ``DEVICE=VALUE`` for one.

        Raises:
            PlacementError: a setting is none of those.
        """
        self._max_devices = max_devices
        self._conventions = _by_device(conventions, [*ACCELERATION_SIGN, "auto"], "convention")
        self._frames = _by_device(frames, FRAMES, "frame")
        self._proven: dict[str, Convention] = {}
        self._here: set[str] = set()
        # Calibrations (3, 3): of phones that are here; of those that were, the longest gone first;
        # of those never seen, in the order in which they came.
        self._present: dict[str, NDArray[np.float64]] = {}
        self._gone: dict[str, NDArray[np.float64]] = {}
        self._unseen: dict[str, NDArray[np.float64]] = {}

    def of(self, device: str) -> Placement:
        """Return how a phone is worn, as far as is known."""
        convention, source = self._convention(device)
        rotation = self._kept(device).get(device)
        frame = "calibrated"
        if rotation is None:
            frame = self._frames.get(device, self._frames.get(EVERY, "landscape"))
            rotation = FRAMES[frame]
        return Placement(convention, source, frame, ACCELERATION_SIGN[convention], rotation)

    def meet(self, device: str) -> None:
        """Note that a phone is here; its calibration is kept whatever others there are."""
        kept = self._kept(device)
        self._here.add(device)
        if device in kept:
            self._present[device] = kept.pop(device)

    def prove(self, device: str, convention: Convention) -> bool:
        """Note what a message proves of a phone that is here; return whether that is news."""
        if self._proven.get(device) == convention:
            return False
        self._proven[device] = convention
        return True

    def calibrate(self, device: str, rotation: NDArray[np.float64] | None) -> None:
        """Set a phone's calibration ``(3, 3)``, or take it back.

        Raises:
            MessageError: no phone can have such a name; or the phone is not here, and so many
                others are calibrated that are not here either.
        """
        check_device(device)
        kept = self._kept(device)
        if rotation is None:
            kept.pop(device, None)
            return
        if device not in kept and kept is self._unseen and self._n_absent >= self._max_devices:
            raise MessageError(
                "devices",
                f"{self._n_absent} phones that are not here are calibrated already: send samples "
                "of this one first, or take others back with har-calibrate --remove",
            )
        kept[device] = rotation.copy()

    def forget(self, device: str) -> None:
        """Note that a phone is gone, and drop what its messages have proved.

        Its calibration stays. If that is one too many, one of a phone never seen goes for it, or
        that of the phone that is longest gone.
        """
        self._proven.pop(device, None)
        self._here.discard(device)
        if device in self._present:
            self._gone[device] = self._present.pop(device)
        self._drop_surplus()

    def state(self) -> dict[str, Any]:
        """Return what was learnt of all phones, in values that JSON can hold; settings are not."""
        return {
            "here": sorted(self._here),
            "proven": dict(self._proven),
            "calibrations": {
                name: {device: rotation.tolist() for device, rotation in kept.items()}
                for name, kept in self._calibrations.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Know what `state` returned, in place of all that was learnt before."""
        self._here = set(state["here"])
        self._proven = dict(state["proven"])
        for name, kept in self._calibrations.items():
            kept.clear()
            kept.update({d: np.array(rows) for d, rows in state["calibrations"][name].items()})
        self._drop_surplus()

    @property
    def _calibrations(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        return {"present": self._present, "gone": self._gone, "unseen": self._unseen}

    @property
    def _n_absent(self) -> int:
        return len(self._gone) + len(self._unseen)

    def _kept(self, device: str) -> dict[str, NDArray[np.float64]]:
        """Return the calibrations among which a phone's is, or would be."""
        if device in self._here:
            return self._present
        return self._gone if device in self._gone else self._unseen

    def _drop_surplus(self) -> None:
        """Drop calibrations of phones that are not here until they are no more than allowed."""
        while self._n_absent > self._max_devices:
            if self._unseen:
                self._unseen.popitem()  # the last that came, as in a flood of invented names
            else:
                del self._gone[next(iter(self._gone))]

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
