"""Memory for the copies that a saved state is made of, used again once nobody has them any more.

Each second a state of some megabytes is copied and dropped. Memory that is new from the system
costs as much again as filling it, and now and then a tenth of a second, when the system has to move
other memory for it; a tick would have to wait so long. So there is room for a copy of the whole
array from the beginning, of which the system gives what is used, when it is used first.
"""

import sys
from math import prod
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
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
        shape = len(places), *array.shape[1:]
        copy = self.room(name, shape, array.dtype, most_bytes=array.nbytes)
        array.take(places, axis=0, out=copy, mode="clip")  # with checks it would copy twice
        return copy

    def room(
        self, name: str, shape: tuple[int, ...], dtype: DTypeLike, *, most_bytes: int
    ) -> NDArray[Any]:
        """Return an array of any contents, which is its holder's for as long as he has it.

        The largest of that name, as far as is known, has ``most_bytes``.
        """
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < n_bytes or sys.getrefcount(memory) > _OWN_REFERENCES:
            # Not by `np.empty`, which asks for memory in large pieces: these may have to be made.
            pages = mmap(-1, max(n_bytes, most_bytes, 1), flags=MAP_PRIVATE | MAP_ANONYMOUS)
            memory = np.frombuffer(pages, np.uint8)
            self._memory[name] = memory
        return memory[:n_bytes].view(dtype).reshape(shape)
