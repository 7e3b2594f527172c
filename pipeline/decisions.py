"""Probabilities over time to the activity now.

So far the activity of a phone's newest window is its activity now; windows in which the filters
still settle say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NO_ACTIVITY: Final = -1


@dataclass(frozen=True)
class Change:
    """A phone's activity now is another than before."""

    slot: int
    activity: str
    since: float
    """Epoch seconds of the first sample of the window that showed it first"""
    probability: float
    """0 to 1"""


@dataclass(frozen=True)
class Episode:
    """A finished stretch of one activity."""

    slot: int
    activity: str
    start: float
    """Epoch seconds"""
    end: float
    """Epoch seconds"""
    probability: float
    """Mean, 0 to 1"""


@dataclass(frozen=True)
class Decided:
    """What windows lead to."""

    changes: list[Change]
    episodes: list[Episode]


class Decider:
    """The activities of all phones."""

    def __init__(self, n_slots: int, activities: Sequence[str], *, hop: int) -> None:
        """Make room for ``n_slots`` phones."""
        self._activities = activities
        self.now = np.full(n_slots, NO_ACTIVITY, np.int64)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the activities of these phones."""
        self.now[slots] = NO_ACTIVITY

    def interrupt(self, slots: Sequence[int]) -> list[Episode]:
        """Close what is going on: a gap follows."""
        return []

    def push(
        self,
        slots: NDArray[np.intp],
        starts: NDArray[np.float64],
        windows: NDArray[np.float32],
        probabilities: NDArray[np.float32],
        *,
        settling: NDArray[np.bool_],
        implausible: NDArray[np.bool_],
    ) -> Decided:
        """Take each phone's next window; every phone at most once."""
        changes = []
        labels = probabilities.argmax(axis=1)
        for i in np.flatnonzero(~settling & (self.now[slots] != labels)).tolist():
            label = int(labels[i])
            self.now[slots[i]] = label
            changes.append(
                Change(
                    int(slots[i]),
                    self._activities[label],
                    float(starts[i]),
                    float(probabilities[i, label]),
                )
            )
        return Decided(changes, [])
