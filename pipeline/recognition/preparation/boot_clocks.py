"""Boot clocks: the epoch time at which each phone was switched on, for samples dated since then.

It is estimated from the times at which messages come, which are never too early: the quickest
message shows best when the clock stood at 0. If the first messages came late, the clock was
misread; it is then read anew, and its samples are dated earlier from then on.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.recognition.per_phone import PerPhone

CLOCK_TOLERANCE_S: Final = 0.5
CLOCK_CHECKED_S: Final = 5.0
"""If the quickest messages of two spans of so many seconds agree, within the tolerance, and came
earlier than the clock implies, by more than that, the clock is read anew. While a backlog comes,
they do not agree."""


class BootClocks(PerPhone):
    """The clocks of all phones that date their samples since their boot."""

    _per_phone = ("zero", "newest_zero", "origin", "least_zero", "least_before", "checked")

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.zero = np.full(n_slots, np.nan)  # epoch seconds at which the clock stood at 0
        self.newest_zero = np.full(n_slots, np.nan)  # the same, as the last message has it
        self.origin = np.full(n_slots, np.inf)  # of the grid, on that clock
        self.least_zero = np.full(n_slots, np.nan)  # least `newest_zero` in this span
        self.least_before = np.full(n_slots, np.nan)  # and in the one before
        self.checked = np.full(n_slots, np.nan)  # when this span began, on that clock

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the clocks of these phones."""
        self.zero[slots] = self.newest_zero[slots] = np.nan
        self.origin[slots] = np.inf
        self.least_zero[slots] = self.least_before[slots] = self.checked[slots] = np.nan

    def read(self, slot: int, newest: float, received: float) -> float:
        """Note when a phone's sample came that its clock dates ``newest``, in epoch seconds.

        If that clock was misread before, read it anew, and return by how many seconds what it
        dates is earlier than it seemed; else 0.
        """
        zero = self.newest_zero[slot] = received - newest
        self.least_zero[slot] = np.fmin(self.least_zero[slot], zero)
        since = newest - self.checked[slot]
        if -CLOCK_TOLERANCE_S < since < CLOCK_CHECKED_S:
            return 0.0
        least, before = float(self.least_zero[slot]), float(self.least_before[slot])
        self.checked[slot] = newest
        self.least_zero[slot] = np.nan
        if not 0 <= since <= 2 * CLOCK_CHECKED_S:  # a pause, or another boot
            self.least_before[slot] = np.nan
            return 0.0
        self.least_before[slot] = least
        earlier_s = float(self.zero[slot]) - least
        if not abs(least - before) <= CLOCK_TOLERANCE_S < earlier_s:
            return 0.0
        self.zero[slot] = least
        return earlier_s

    def dated(self, slot: int, origin: float) -> float:
        """Return in epoch seconds when a phone's grid begins, at ``origin`` on its own clock.

        That is ``origin`` if its clock has not been read: it shows the epoch.
        """
        if np.isnan(self.newest_zero[slot]):
            return origin
        if np.isnan(self.zero[slot]) or origin < self.origin[slot]:
            # Read for the first time, misread or begun again.
            self.zero[slot] = np.fmin(self.newest_zero[slot], self.least_before[slot])
        self.origin[slot] = origin
        return origin + float(self.zero[slot])

    def age_s(self, slot: int, newest: float, received: float) -> float:
        """Return how old a sample was when it came that a phone's clock dates ``newest``.

        In seconds; 0 as long as the clock has not been read.
        """
        zero = float(self.zero[slot])
        return 0.0 if np.isnan(zero) else received - zero - newest
