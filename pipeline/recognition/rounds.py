"""The windows of a tick in rounds, for steps that need each phone's windows in their order.

A round has each phone at most once. The phones with the most windows come first, so that each round
is of the first so many phones, and their state can be sliced instead of picked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Rounds:
    """The order in which windows are processed, and the phone of each."""

    slots: NDArray[np.intp]
    """``(n_phones,)``: each phone once"""
    order: NDArray[np.intp] | None
    """``(n,)``: the windows round by round, None if that is their order already"""
    phones: NDArray[np.intp]
    """``(n,)``: of each window in that order, the index into `slots`"""
    ends: NDArray[np.intp]
    """``(n_rounds,)``: where in that order each round ends"""

    def __iter__(self) -> Iterator[tuple[int, slice]]:
        """Yield for each round the number of its phones, and the place of its windows."""
        begin = 0
        for end in self.ends.tolist():
            yield end - begin, slice(begin, end)
            begin = end

    def ordered(self, of_windows: NDArray[S]) -> NDArray[S]:
        """Return values of the windows, ``(n, ...)``, in the order of the rounds."""
        return of_windows if self.order is None else of_windows[self.order]

    def restored(self, of_rounds: NDArray[S]) -> NDArray[S]:
        """Return values in the order of the rounds, ``(n, ...)``, in the windows' order again."""
        if self.order is None:
            return of_rounds
        result = np.empty_like(of_rounds)
        result[self.order] = of_rounds
        return result


def rounds_of(slots: NDArray[np.intp]) -> Rounds:
    """Return the rounds of windows whose phones are ``slots`` ``(n,)``, each phone's in order."""
    n = len(slots)
    ascending = np.sort(slots)
    if (ascending[1:] > ascending[:-1]).all():
        ends = np.full(min(n, 1), n)
        return Rounds(slots, None, np.arange(n), ends)
    by_phone = np.argsort(slots, kind="stable")
    phones, first, counts = np.unique(slots[by_phone], return_index=True, return_counts=True)
    most_first = np.argsort(-counts, kind="stable")
    place = np.empty_like(most_first)
    place[most_first] = np.arange(len(phones))
    nth = np.arange(n) - np.repeat(first, counts)  # the round of each window, phone by phone
    of_window = np.repeat(place, counts)
    order = np.lexsort((of_window, nth))
    ends = np.cumsum(np.bincount(nth))
    return Rounds(phones[most_first], by_phone[order], of_window[order], ends)
