"""Memory for the copies that a saved state is made of, used again once nobody has them any more.

Each second a state of some megabytes is copied and dropped. Memory that is new from the system
costs as much again as filling it, and now and then a tenth of a second, when the system has to move
other memory for it; a tick would have to wait so long.
"""

import sys
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_OWN_REFERENCES: Final = 3
"""To memory that no copy uses: of the dictionary, of a variable, and of the question itself"""


class Copies:
    """The memory of one owner's copies, by their names."""

    def __init__(self) -> None:
        """Begin without any."""
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def taken(self, name: str, array: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
        """Return a copy of ``array`` at ``places`` ``(n,)`` of its first axis, ``(n, ...)``."""
        copy = self._room(name, (len(places), *array.shape[1:]), array.dtype)
        array.take(places, axis=0, out=copy, mode="clip")  # with checks it would copy twice
        return copy

    def _room(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of any contents, which is its holder's for as long as he has it."""
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < n_bytes or sys.getrefcount(memory) > _OWN_REFERENCES:
            # Not by `np.empty`, which asks for memory in large pieces: these may have to be made.
            memory = np.frombuffer(bytearray(n_bytes + n_bytes // 8), np.uint8)
            self._memory[name] = memory
        return memory[:n_bytes].view(dtype).reshape(shape)
