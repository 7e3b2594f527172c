"""Times for people: dates and local time, or time since the start where no date is known."""

from datetime import datetime, tzinfo
from typing import Final

DAY_S: Final = 86_400


class Times:
    """How the times of one recording or day are written."""

    def __init__(
        self, first: float, last: float, *, is_dated: bool, zone: tzinfo | None = None
    ) -> None:
        """Write times between ``first`` and ``last``, in seconds.

        With ``is_dated`` they are of the epoch, and written as they are in ``zone``, by default
        that of this machine; else as time since ``first``.
        """
        self.first, self.last, self.is_dated = first, last, is_dated
        self._zone = zone
        self._spans_days = is_dated and self._at(first).date() != self._at(last).date()

    def moment(self, time: float) -> str:
        """Return a time to the second: ``14:03:12``, with its date if there are several."""
        if not self.is_dated:
            return clock(time - self.first)
        form = "%Y-%m-%d %H:%M:%S" if self._spans_days else "%H:%M:%S"
        return self._at(time).strftime(form)

    def span(self) -> str:
        """Return when it was, from when to when."""
        if not self.is_dated:
            return "date unknown"
        first, last = self._at(self.first), self._at(self.last)
        end = last.strftime("%Y-%m-%d %H:%M:%S" if self._spans_days else "%H:%M:%S")
        begin, zones = (
            first.strftime("%Y-%m-%d %H:%M:%S"),
            (first.strftime("%Z"), last.strftime("%Z")),
        )
        if zones[0] != zones[1]:  # clocks were changed meanwhile
            return f"{begin} {zones[0]} to {end} {zones[1]}"
        return f"{begin} to {end} {zones[0]}".rstrip()

    def tick(self, time: float, step_s: float) -> str:
        """Return a time for a scale whose marks are ``step_s`` seconds apart."""
        if not self.is_dated:
            return clock(time - self.first)
        at = self._at(time)
        if step_s >= DAY_S or (self._spans_days and (at.hour, at.minute, at.second) == (0, 0, 0)):
            return at.strftime("%m-%d")
        return at.strftime("%H:%M" if step_s >= 60 else "%H:%M:%S")

    def round_origin(self) -> float:
        """Return a time at which every round step begins: midnight, or the start."""
        if not self.is_dated:
            return self.first
        midnight = self._at(self.first).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.timestamp()

    def _at(self, time: float) -> datetime:
        at = datetime.fromtimestamp(time, self._zone)
        return at if self._zone is not None else at.astimezone()


def clock(seconds: float) -> str:
    """Return a time since a start: ``0:03:12``."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration(seconds: float) -> str:
    """Return how long something is: ``12 s``, ``3 min 12 s``, ``1 h 03 min``, ``3 days 2 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * DAY_S:
        return f"{whole // 3600} h {whole // 60 % 60:02d} min"
    return f"{whole // DAY_S} days {whole // 3600 % 24} h"
