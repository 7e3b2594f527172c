"""State of all phones in arrays over slots, which can be saved and restored."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.copies import Copies


class PerPhone:
    """All state of the phones is in arrays ``(n_slots, ...)``."""

    _per_phone: ClassVar[tuple[str, ...]]
    """The arrays' names"""
    _copies: Copies | None = None

    def state(self, slots: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return the state of these phones, in copied arrays ``(n_phones, ...)``."""
        if self._copies is None:
            self._copies = Copies()
        taken = self._copies.taken
        return {name: taken(name, getattr(self, name), slots) for name in self._per_phone}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        for name in self._per_phone:
            getattr(self, name)[slots] = state[name]
