"""The present day of one phone: minutes of each activity, with what is going on.

Rules: episodes are final, but come when they are over. What goes on counts from where the last of
them ended to when the phone was heard of last, and is replaced by its episode. No instant counts
twice, as in `reading`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from pipeline.commands.history.days import Day
from pipeline.commands.history.reading import KeptEpisode, without_overlaps
from pipeline.messages import Publication

REMEMBERED_DAYS: Final = 7
"""A phone without an episode for so long has no day any more"""
_DECIMALS: Final = 1
"""Of minutes"""


@dataclass(frozen=True)
class Ongoing:
    """What a phone's wearer does."""

    activity: str
    since: float
    """Epoch seconds"""
    until: float
    """Epoch seconds when the phone was heard of last"""


class _Today(msgspec.Struct):
    device: str
    date: str
    begin: float
    minutes: dict[str, float]


class DayOfPhone:
    """The present day of one phone."""

    def __init__(self, device: str, ongoing: Ongoing | None = None) -> None:
        """Begin with what its wearer does, if that is known."""
        self.device = device
        self.activities: dict[str, None] = {}
        """All that were seen lately, in the order in which they were seen first"""
        self.ongoing: Ongoing | None = None
        if ongoing is not None:
            self.goes_on(ongoing)
        self._episodes: dict[float, KeptEpisode] = {}
        """By start; those of the present day"""
        self._last_end = 0.0

    def add(self, episodes: Iterable[KeptEpisode]) -> None:
        """Add finished episodes, in any order; some may have been added before."""
        for episode in episodes:
            self.activities[episode.activity] = None
            self._episodes[episode.start] = episode
            self._last_end = max(self._last_end, episode.end)
            if self.ongoing is not None and episode.end > self.ongoing.since:
                self.ongoing = None  # that was it; or the next message says what is now

    def goes_on(self, ongoing: Ongoing) -> None:
        """Note what its wearer does."""
        self.activities[ongoing.activity] = None
        self.ongoing = ongoing

    @property
    def has_had_episodes(self) -> bool:
        """Whether any episode was added."""
        return self._last_end > 0

    def is_over(self, day: Day) -> bool:
        """Return whether nothing is known of the phone for so long that it has no day."""
        until = self._last_end if self.ongoing is None else self.ongoing.until
        return until < day.after(-REMEMBERED_DAYS).begin

    def publication(self, day: Day) -> Publication:
        """Return the message on ``har/<device>/today``; episodes of days before are dropped."""
        kept = [one for one in self._episodes.values() if one.end > day.begin]
        self._episodes = {one.start: one for one in sorted(kept, key=lambda one: one.start)}
        seconds: defaultdict[str, float] = defaultdict(float)
        for episode in without_overlaps(self._episodes.values(), day.begin, day.end):
            seconds[episode.activity] += episode.end - episode.start
        if self.ongoing is not None:
            until = min(self.ongoing.until, day.end)
            before = [one.end for one in kept if one.start < until]  # not of a clock that is ahead
            begin = max([self.ongoing.since, day.begin, *before])
            seconds[self.ongoing.activity] += max(0.0, until - begin)
        minutes = {name: round(seconds[name] / 60, _DECIMALS) for name in self.activities}
        today = _Today(self.device, day.date.isoformat(), day.begin, minutes)
        return Publication(today_topic(self.device), msgspec.json.encode(today), retain=True)


def today_topic(device: str) -> str:
    """Return the topic of a phone's day."""
    return f"har/{device}/today"
