"""The placement of each phone: from settings, from what its messages tell, from calibration.

A calibration goes from the phone's axes straight to the training frame, so it takes the place of a
named frame. The sign convention is needed before either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import BodyPlace, Convention, Delivery, MessageError, check_device
from pipeline.recognition.placement.body_place import BodyPlaces, PlaceBasis
from pipeline.recognition.placement.by_device import ByDevice
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.sign import ACCELERATION_SIGN, Basis, Conventions
from pipeline.recognition.placement.statements import Statements


@dataclass(frozen=True, eq=False)
class Placement:
    """The way one phone is worn."""

    convention: Convention
    convention_by: Basis
    """How it is known"""
    frame: str
    """A name of `FRAMES`, or ``calibrated``"""
    sign: float
    """The factor that makes accelerations Android's, 1 or -1"""
    rotation: NDArray[np.float64]
    """``(3, 3)``: from the phone's axes (Android) to the training frame"""
    worn_at: BodyPlace = "any"
    worn_at_by: PlaceBasis = "assumed"
    """How it is known"""
    statements_alternate: bool = False
    """Whether it is known by statements that alternate"""


class Placements:
    """The placements of all phones.

    A phone is *admitted* from `admit` to `forget`. Calibrations of other phones are kept too, but
    no more than ``max_devices``: a sender that invents names must not fill the memory, nor drop the
    calibrations of phones that exist.
    """

    def __init__(
        self,
        conventions: Sequence[str] = (),
        frames: Sequence[str] = (),
        body_places: Sequence[str] = (),
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
        self._body_places = BodyPlaces(body_places, self._frames)
        self._admitted: dict[str, None] = {}  # in the order in which they were
        # Calibrations (3, 3): of phones that are admitted; of those that were, the longest gone
        # first; of those that never were, in the order in which the calibrations came.
        self._of_admitted: dict[str, NDArray[np.float64]] = {}
        self._of_gone: dict[str, NDArray[np.float64]] = {}
        self._of_unknown: dict[str, NDArray[np.float64]] = {}

    def of(self, device: str) -> Placement:
        """Return how a phone is worn, as far as is known."""
        convention, source = self._conventions.of(device)
        rotation = self._kept(device).get(device)
        frame = "calibrated"
        if rotation is None:
            frame = self._frames.of(device, default="landscape")
            rotation = FRAMES[frame]
        worn_at, worn_at_by = self._body_places.of(device, is_calibrated=frame == "calibrated")
        sign = ACCELERATION_SIGN[convention]
        alternate = worn_at_by == "stated" and self.statements.alternate(device)
        return Placement(convention, source, frame, sign, rotation, worn_at, worn_at_by, alternate)

    def place_if(self, device: str, *, is_calibrated: bool) -> BodyPlace:
        """Return where a phone would count as worn, with a calibration or without one."""
        return self._body_places.of(device, is_calibrated=is_calibrated)[0]

    def admit(self, device: str) -> None:
        """Admit a phone; from now on its calibration is kept, however many others there are."""
        kept = self._kept(device)
        self._admitted[device] = None
        if device in kept:
            self._of_admitted[device] = kept.pop(device)

    def prove(self, device: str, convention: Convention) -> bool:
        """Note what a message proves of an admitted phone; return whether that is a change."""
        return self._conventions.prove(device, convention)

    def note(self, delivery: Delivery, has_newer: Callable[[Delivery], bool]) -> bool:
        """Note what a message of an admitted phone tells of how it is worn.

        ``has_newer`` tells whether it goes on behind all samples before. Returned is whether
        anything that `of` returns has changed.
        """
        is_news, device, worn_at = False, delivery.device, None
        for reading in delivery.readings:
            if reading.convention is not None:
                is_news |= self.prove(device, reading.convention)
            worn_at = worn_at or reading.worn_at
        if self.statements.matters(device, worn_at) and has_newer(delivery):
            is_news |= self.statements.note(
                device, worn_at, oldest=delivery.oldest, newest=delivery.newest
            )
        return is_news

    def tells_news(
        self, device: str, convention: Convention | None, worn_at: BodyPlace | None
    ) -> bool:
        """Return whether a message that says this of an admitted phone can matter to `note`."""
        if convention is not None and self._conventions.proven.get(device) != convention:
            return True
        return self.statements.matters(device, worn_at)

    @property
    def statements(self) -> Statements:
        """What the phones' messages state of where they are worn."""
        return self._body_places.statements

    def calibrate(self, device: str, rotation: NDArray[np.float64] | None) -> None:
        """Set a phone's calibration ``(3, 3)``, or take it back.

        Raises:
            MessageError: no phone can have such a name; or the phone is not admitted, and as many
                others that are not are calibrated as may be.
        """
        check_device(device)
        kept = self._kept(device)
        if rotation is None:
            kept.pop(device, None)
            return
        if device not in kept and kept is self._of_unknown and self._n_absent >= self._max_devices:
            raise MessageError(
                "devices",
                f"{self._n_absent} phones that send nothing are calibrated already: send samples "
                "of this one first, or take others back with har-calibrate --remove",
            )
        kept[device] = rotation.copy()

    def forget(self, device: str) -> None:
        """Forget an admitted phone, and what its messages have proved or stated.

        Its calibration stays. If there are then too many, the latest of a phone that was never
        admitted is dropped, or else that of the phone that is longest gone.
        """
        self._conventions.forget(device)
        self.statements.forget(device)
        self._admitted.pop(device, None)
        if device in self._of_admitted:
            self._of_gone[device] = self._of_admitted.pop(device)
        self._drop_surplus()

    def state(self) -> dict[str, Any]:
        """Return all but the settings, in values that JSON can hold."""
        return {
            "here": list(self._admitted),
            "proven": dict(self._conventions.proven),
            "statements": self.statements.state(),
            "calibrations": {
                name: {device: rotation.tolist() for device, rotation in kept.items()}
                for name, kept in self._calibrations.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned, in place of all that was learnt before."""
        self._admitted = dict.fromkeys(state["here"])
        self._conventions.restore(state["proven"])
        self.statements.restore(state["statements"])
        for name, kept in self._calibrations.items():
            kept.clear()
            kept.update({d: np.array(rows) for d, rows in state["calibrations"][name].items()})
        self._drop_surplus()

    @property
    def _calibrations(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        return {"present": self._of_admitted, "gone": self._of_gone, "unseen": self._of_unknown}

    @property
    def _n_absent(self) -> int:
        return len(self._of_gone) + len(self._of_unknown)

    def _kept(self, device: str) -> dict[str, NDArray[np.float64]]:
        """Return the calibrations among which a phone's is, or would be."""
        if device in self._admitted:
            return self._of_admitted
        return self._of_gone if device in self._of_gone else self._of_unknown

    def _drop_surplus(self) -> None:
        """Drop calibrations of phones that are not admitted until no more are left than allowed."""
        while self._n_absent > self._max_devices:
            if self._of_unknown:
                self._of_unknown.popitem()  # the latest, as in a flood of invented names
            else:
                del self._of_gone[next(iter(self._of_gone))]
