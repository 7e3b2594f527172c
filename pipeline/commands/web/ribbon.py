"""The ribbon of a phone: which activity it had when, for the last ten minutes.

It is made of the activity *now*, as har-stream gave it at the time, with transitions and unknowns.
An entry goes on as long as predictions come.
"""

from collections import deque
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
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)

    def set_activity(self, activity: str, since: float, probability: float, version: int) -> None:
        """Note the activity now; one that began earlier than was thought cuts those before."""
        for entry in reversed(self._entries):
            if entry.start < since:
                if entry.end > since:
                    entry.end, entry.version = since, version
                break
            if entry.start > since and entry.end > entry.start:
                entry.end, entry.version = entry.start, version  # empty: it was none
        last = self._entries[-1] if self._entries else None
        if last is not None and last.start == since:
            last.activity, last.probability, last.version = activity, probability, version
            return
        # What was known to go on does so under the new name.
        end = max([since, *(entry.end for entry in self._entries)])
        self._entries.append(Entry(since, end, activity, probability, version))

    def go_on_until(self, end: float, version: int) -> None:
        """Note that the activity now goes on; forget what is longer ago than `RIBBON_S`."""
        if not self._entries:
            return
        last = self._entries[-1]
        if end > last.end:
            last.end, last.version = end, version
        while len(self._entries) > 1 and self._entries[0].end < end - RIBBON_S:
            self._entries.popleft()

    def since(self, version: int) -> list[tuple[float, float, str, float]]:
        """Return start, end, activity and probability of what has changed after a version."""
        return [
            (round(entry.start, 3), round(entry.end, 3), entry.activity, entry.probability)
            for entry in self._entries
            if entry.version > version
        ]
