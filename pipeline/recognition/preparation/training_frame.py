"""How all phones are worn: the rotation of raw samples into the training frame, and where."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.placement.frames import in_training_frame


class TrainingFrame(PerPhone):
    """The sign and rotation from each phone's axes to the training frame."""

    _per_phone = ("sign", "rotation", "differs", "at_waist")

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones; their axes are those of training until `place`."""
        self.sign = np.ones(n_slots)  # of accelerations
        self.rotation = np.tile(np.eye(3), (n_slots, 1, 1))
        self.differs = np.zeros(n_slots, np.bool_)  # sign or rotation change anything
        self.at_waist = np.zeros(n_slots, np.bool_)  # known to be worn there

    def reset(self, slots: Sequence[int]) -> None:
        """Forget how these phones are worn."""
        self.sign[slots], self.rotation[slots], self.differs[slots] = 1.0, np.eye(3), False
        self.at_waist[slots] = False

    def place(
        self, slot: int, sign: float, rotation: NDArray[np.float64], *, at_waist: bool = False
    ) -> bool:
        """Set how a phone is worn, as `Placement` has it; return whether that is a change."""
        if (
            sign == self.sign[slot]
            and at_waist == self.at_waist[slot]
            and np.array_equal(rotation, self.rotation[slot])
        ):
            return False
        self.sign[slot], self.rotation[slot], self.at_waist[slot] = sign, rotation, at_waist
        self.differs[slot] = sign != 1.0 or not np.array_equal(rotation, np.eye(3))
        return True

    def rotated(self, slots: NDArray[np.intp], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return raw rows ``(n_phones, n_rows, 6)`` of these phones in the training frame."""
        others = np.flatnonzero(self.differs[slots])
        if len(others) == 0:
            return rows
        worn = slots[others]
        rows = rows.copy()
        rows[others] = in_training_frame(rows[others], self.sign[worn], self.rotation[worn])
        return rows
