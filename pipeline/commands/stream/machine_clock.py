"""Whether this machine's clock can be right.

After a power cut, the clock of a board without a battery begins in a year long past, or at the time
when the board was switched off. Correct samples of phones are then ahead of it by days. A clock
that begins at that time cannot be distinguished from a right clock until a phone's samples agree
with it, or it is set.
"""

from datetime import UTC, datetime
from typing import Final

from pipeline.event_log import EventLog

logger = EventLog(__name__)

BUILT: Final = 1_795_651_200.0
"""Epoch seconds, 2026-11-26, when this was written: no right clock shows an earlier time."""

TOLERANCE_S: Final = 60.0
"""How far a clock may be set back without being called wrong."""


class MachineClock:
    """This machine's clock, and whether it can be right."""

    def __init__(self) -> None:
        """Begin knowing only that it cannot be before `BUILT`."""
        self.latest = BUILT
        """The latest time, in epoch seconds, that it has certainly passed"""
        self.is_confirmed = False
        """A phone's samples agree with it, since the start and since it was set last"""
        self.is_known_wrong = False
        """When `check` was called last, it showed a time that is certainly long past"""
        self._offset: float | None = None  # epoch seconds of the monotonic clock's 0

    def passed(self, time_s: float) -> None:
        """Note that it was right at a time, in epoch seconds, as a checkpoint shows."""
        self.latest = max(self.latest, time_s)

    def is_wrong(self, time_s: float) -> bool:
        """Return whether a time that it shows, in epoch seconds, is certainly long past."""
        return time_s < self.latest - TOLERANCE_S

    def confirm(self) -> None:
        """Note that a phone's samples agree with it."""
        self.is_confirmed = True

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Check a time that it shows, in epoch seconds; return whether it is certainly wrong."""
        self.check(time_s)
        return self.is_known_wrong

    def check(self, time_s: float) -> None:
        """Check whether a time that it shows, in epoch seconds, can be right; log changes."""
        before, self.is_known_wrong = self.is_known_wrong, self.is_wrong(time_s)
        if self.is_known_wrong and not before:
            logger.error(
                "clock-wrong",
                "this machine's clock is wrong: it was later before, at %(latest)s; until it is "
                "set, samples are taken however far ahead of it they are",
                latest=datetime.fromtimestamp(self.latest, UTC).isoformat(timespec="seconds"),
            )
        elif before and not self.is_known_wrong:
            logger.info("clock-plausible", "this machine's clock can be right again")

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
