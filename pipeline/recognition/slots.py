"""State in arrays over slots, one slot a phone, that can be taken out and put back."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class PerPhone:
    """What is known of each phone is in arrays ``(n_slots, ...)``, and nowhere else."""

    _per_phone: ClassVar[tuple[str, ...]]
    """The arrays' names"""

    def state(self, slots: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return all that is known of these phones, in arrays ``(n_phones, ...)`` of their own."""
        return {name: getattr(self, name)[slots] for name in self._per_phone}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Know of these phones what `state` returned; a slot may be another than it was."""
        for name in self._per_phone:
            getattr(self, name)[slots] = state[name]
