"""Whether this machine's clock can be right.

A board without a battery comes up after a power cut in a year long past, or where it was when it
was switched off. Samples of phones are then ahead of it by days, through no fault of theirs. Where
it was switched off cannot be told from right, until a phone's samples agree with it or it is set.
"""

import logging
from datetime import UTC, datetime
from typing import Final

logger = logging.getLogger(__name__)

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
        self.is_confirmed = False
        """A phone's samples agree with it, since the start and since it was set last"""
        self.is_known_wrong = False
        """When `check` was called last, it showed a time long past for certain"""
        self._offset: float | None = None  # epoch seconds of the monotonic clock's 0

    def passed(self, time_s: float) -> None:
        """Note that it was right at a time, in epoch seconds, as a checkpoint shows."""
        self.latest = max(self.latest, time_s)

    def is_wrong(self, time_s: float) -> bool:
        """Return whether a time that it shows, in epoch seconds, is long past for certain."""
        return time_s < self.latest - TOLERANCE_S

    def check(self, time_s: float) -> None:
        """See whether a time that it shows, in epoch seconds, can be right; log changes."""
        before, self.is_known_wrong = self.is_known_wrong, self.is_wrong(time_s)
        if self.is_known_wrong and not before:
            logger.error(
                "this machine's clock is wrong: it was later before, at %s; until it is set, "
                "samples are taken however far ahead of it they are",
                datetime.fromtimestamp(self.latest, UTC).isoformat(timespec="seconds"),
            )
        elif before and not self.is_known_wrong:
            logger.info("this machine's clock can be right again")

    def has_jumped(self, offset_s: float) -> bool:
        """Return whether it was set since this was called last, by more than the tolerance.

        Args:
            offset_s: the monotonic clock's 0 in epoch seconds, by this clock.
        """
        if self._offset is not None and abs(offset_s - self._offset) <= TOLERANCE_S:
            return False
        jumped, self._offset = self._offset is not None, offset_s
        if jumped:
            self.is_confirmed = False
        return jumped
