"""The ribbon of a phone: which activity it had when, for the last ten minutes.

It is made of the activity *now*, as har-stream gave it at the time, with transitions and unknowns.
An entry goes on as long as predictions come.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

RIBBON_S: Final = 600.0
MOST_ENTRIES: Final = 400
"""Of a ribbon: more would be one every 1.5 s"""


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

    def set_activity(self, activity: str, since: float, probability: float, version: int) -> None:
        """Note the activity now; what was thought of the time since then is cut.

        A period of which nothing is left stays as an empty one, so that pages learn of it.
        """
        until = max([since, *(entry.end for entry in self._entries)])
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

    def go_on_until(self, end: float, version: int) -> None:
        """Note that the activity now goes on."""
        if self._now is not None and end > self._now.end:
            self._now.end, self._now.version = end, version
            self._forget(end)

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
