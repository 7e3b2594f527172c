"""The ribbon of a phone: which activity it had when, for the last ten minutes.

It is made of the activity *now*, as har-stream gave it at the time, with transitions and unknowns.
An entry goes on as long as predictions come, each from where the one before ended. Where none came,
nothing was known: what they lack is left out, and so is a time that the phone's clock took back.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

RIBBON_S: Final = 600.0
MOST_ENTRIES: Final = 400
"""Of a ribbon: more would be one every 1.5 s"""
HOLE_S: Final = WINDOW_LENGTH / SAMPLING_RATE_HZ
"""Windows touch, at any hop; the prediction of one may be lost, but not of more"""
SET_BACK_S: Final = 15.0
"""A prediction that is older than the newest by more is of a clock that was set back"""


@dataclass
class Entry:
    """A period of one activity, in epoch seconds."""

    start: float
    end: float
    activity: str
    probability: float
    version: int
    """Of the fleet, when it changed last"""


class Ribbon:
    """The latest periods of a phone."""

    def __init__(self) -> None:
        """Begin empty."""
        self._entries: list[Entry] = []  # by their start
        self._now: Entry | None = None
        self._published: tuple[str, float] | None = None
        self._begins = 0.0  # when the entry of what is published begins: later, behind a hole
        self._is_silent = False  # the phone has been offline since its newest window
        self._until: float | None = None
        """End of the newest window"""

    def set_activity(self, activity: str, since: float, probability: float, version: int) -> None:
        """Note the activity now; what was thought of the time since then is cut.

        A period of which nothing is left stays as an empty one, so that pages learn of it.
        """
        if (activity, since) == self._published:
            since = self._begins  # a heartbeat
        else:
            self._published, self._begins = (activity, since), since
        until = since if self._until is None else max(since, self._until)
        for entry in self._entries:
            end = entry.start if entry.start > since else min(entry.end, since)
            if entry.start != since and end < entry.end:
                entry.end, entry.version = end, version
        place = bisect_left(self._entries, since, key=lambda entry: entry.start)
        now = Entry(since, until, activity, probability, version)
        is_known = place < len(self._entries) and self._entries[place].start == since
        self._entries[place : place + is_known] = [now]
        self._now = now
        self._forget(until)

    def fall_silent(self) -> None:
        """Note that the phone is offline: what is retained of it is not of its next window."""
        self._is_silent = True

    def go_on(self, start: float, end: float, version: int) -> bool:
        """Note that the activity now goes on over a window; return whether the clock was set back.

        What was known of times behind a clock that was set back is taken back. Behind a hole, the
        activity is known again when it is published again.
        """
        before, self._until = self._until, end
        is_set_back = before is not None and end < before - SET_BACK_S
        if before is not None and not is_set_back:
            self._until = max(before, end)
        if is_set_back:
            self._cut(start, version)
        elif start > self._begins + HOLE_S and (
            self._is_silent or (before is not None and start > before + HOLE_S)
        ):
            self._now, self._begins = None, start
        self._is_silent = False
        if self._now is not None and end > self._now.end:
            self._now.end, self._now.version = end, version
            self._forget(end)
        return is_set_back

    def _cut(self, time: float, version: int) -> None:
        """Take back what was known of times behind ``time``."""
        for entry in self._entries:
            end = max(entry.start, min(entry.end, time))
            if end < entry.end:
                entry.end, entry.version = end, version
        if self._now is not None and self._now.start > time:
            self._now = None

    def _forget(self, until: float) -> None:
        """Forget what is longer ago than `RIBBON_S`, or too much."""
        n_old = bisect_left(self._entries, until - RIBBON_S, key=lambda entry: entry.end)
        n_old = max(n_old, len(self._entries) - MOST_ENTRIES)
        self._entries = [
            entry for i, entry in enumerate(self._entries) if i >= n_old or entry is self._now
        ]

    def since(self, version: int) -> list[tuple[float, float, str, float]]:
        """Return start, end, activity and probability of what has changed after a version."""
        return [
            (round(entry.start, 3), round(entry.end, 3), entry.activity, entry.probability)
            for entry in self._entries
            if entry.version > version
        ]
