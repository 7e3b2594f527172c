"""The slot of each phone: its place in all arrays of recognition.

A phone has its slot from `admit` to `remove`; afterwards the slot serves another phone.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MessageError


class Slots:
    """The slots, and the phones that have them."""

    def __init__(self, n_slots: int) -> None:
        """Begin without phones; there is room for ``n_slots`` at once."""
        self.n_slots = n_slots
        self._slots: dict[str, int] = {}
        self._names = [""] * n_slots  # by slot
        self._free = list(range(n_slots - 1, -1, -1))  # the next to be given is the last

    @property
    def devices(self) -> list[str]:
        """Names of the phones, in the order in which they were admitted."""
        return list(self._slots)

    @property
    def in_use(self) -> NDArray[np.intp]:
        """``(n_phones,)``: slots of `devices`, in their order."""
        return np.array(list(self._slots.values()), np.intp)

    @property
    def names(self) -> Sequence[str]:
        """Name of each slot's phone; the name of a slot without a phone has no meaning."""
        return self._names

    def admit(self, device: str) -> None:
        """Give a phone a slot unless it has one.

        Raises:
            MessageError: all slots are taken.
        """
        if device in self._slots:
            return
        if not self._free:
            raise MessageError("devices", f"there are {len(self._slots)} phones already")
        slot = self._slots[device] = self._free.pop()
        self._names[slot] = device

    def of(self, device: str) -> int:
        """Return the slot of an admitted phone."""
        return self._slots[device]

    def of_all(self, devices: Iterable[str]) -> NDArray[np.intp]:
        """Return the slots ``(n,)`` of admitted phones."""
        return np.array(list(map(self._slots.__getitem__, devices)), np.intp)

    def remove(self, devices: Iterable[str]) -> list[int]:
        """Free the slots of these phones, and return them."""
        slots = [self._slots.pop(device) for device in devices]
        self._free += slots
        return slots

    def replace(self, devices: Sequence[str]) -> NDArray[np.intp]:
        """Replace all phones by these, at most as many as there are slots.

        Return their slots ``(n_phones,)``.
        """
        self._slots = {device: slot for slot, device in enumerate(devices)}
        self._names[: len(devices)] = devices
        self._free = list(range(self.n_slots - 1, len(devices) - 1, -1))
        return self.in_use
