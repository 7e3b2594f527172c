"""Probabilities over time to the activity now.

So far the activity of a phone's newest window is its activity now; windows in which the filters
still settle say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

NO_ACTIVITY: Final = -1


@dataclass(frozen=True)
class ActivityChange:
    """A phone's activity now is another than before."""

    device: str
    activity: str
    since: float
    """Epoch seconds of the first sample of the window that showed it first"""
    probability: float
    """0 to 1"""


class Decider:
    """The activity now of all phones."""

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.now = np.full(n_slots, NO_ACTIVITY, np.int64)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the activities of these phones."""
        self.now[slots] = NO_ACTIVITY

    def push(self, slot: int, label: int, *, settling: bool) -> bool:
        """Return whether a phone's new window changes its activity now."""
        if settling or self.now[slot] == label:
            return False
        self.now[slot] = label
        return True
