"""Whether this machine's clock can be right.

A board without a battery comes up after a power cut in a year long past, or where it was when it
was switched off. Samples of phones are then ahead of it by days, through no fault of theirs.
"""

from typing import Final

BUILT: Final = 1_795_651_200.0
"""Epoch seconds, 2026-11-26: no clock that is right shows a time before this was written."""

TOLERANCE_S: Final = 60.0
"""So far a clock may be set back without being called wrong."""


class OwnClock:
    """What is known of this machine's clock."""

    def __init__(self) -> None:
        """Begin with nothing but that it cannot be before `BUILT`."""
        self.latest = BUILT
        """The latest time, in epoch seconds, that it has certainly passed"""

    def passed(self, time_s: float) -> None:
        """Note that it was right at a time, in epoch seconds, as a checkpoint shows."""
        self.latest = max(self.latest, time_s)

    def is_wrong(self, time_s: float) -> bool:
        """Return whether a time that it shows, in epoch seconds, is long past for certain."""
        return time_s < self.latest - TOLERANCE_S
