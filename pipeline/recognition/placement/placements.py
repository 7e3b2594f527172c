"""Which way each phone is worn: what was set, what its messages prove, what was calibrated.

A calibration goes from the phone's axes straight to the training frame, so it takes the place of a
named frame. The sign convention is needed before either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Convention, MessageError, check_device
from pipeline.recognition.placement.by_device import ByDevice
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.sign import ACCELERATION_SIGN, Basis, Conventions


@dataclass(frozen=True, eq=False)
class Placement:
    """The way one phone is worn."""

    convention: Convention
    convention_by: Basis
    """How it is known"""
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
        self._conventions = Conventions(conventions)
        self._frames = ByDevice(frames, FRAMES, "frame")
        self._here: set[str] = set()
        # Calibrations (3, 3): of phones that are here; of those that were, the longest gone first;
        # of those never seen, in the order in which they came.
        self._present: dict[str, NDArray[np.float64]] = {}
        self._gone: dict[str, NDArray[np.float64]] = {}
        self._unseen: dict[str, NDArray[np.float64]] = {}

    def of(self, device: str) -> Placement:
        """Return how a phone is worn, as far as is known."""
        convention, source = self._conventions.of(device)
        rotation = self._kept(device).get(device)
        frame = "calibrated"
        if rotation is None:
            frame = self._frames.of(device, default="landscape")
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
        return self._conventions.prove(device, convention)

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
        self._conventions.forget(device)
        self._here.discard(device)
        if device in self._present:
            self._gone[device] = self._present.pop(device)
        self._drop_surplus()

    def state(self) -> dict[str, Any]:
        """Return what was learnt of all phones, in values that JSON can hold; settings are not."""
        return {
            "here": sorted(self._here),
            "proven": dict(self._conventions.proven),
            "calibrations": {
                name: {device: rotation.tolist() for device, rotation in kept.items()}
                for name, kept in self._calibrations.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Know what `state` returned, in place of all that was learnt before."""
        self._here = set(state["here"])
        self._conventions.restore(state["proven"])
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
