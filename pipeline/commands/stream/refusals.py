"""What of each phone's messages was refused, and why, so that its owner can be told.

It is kept for phones whose messages were refused lately, and for so many only: names can be made
up. What is published of it is decided in `stream`.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

from pipeline.readings import MessageError

MOST_PHONES: Final = 1_000
NEWS_S: Final = 10.0
"""What is refused of a phone is news at once, and then at most this often"""
LASTS_S: Final = 60.0
"""Seconds without a refused message after which a phone's are no news any more"""


@dataclass
class Refused:
    """What was refused of one phone's messages."""

    counts: Counter[str] = field(default_factory=Counter)
    """Messages by reason"""
    explanation: str = ""
    """Of the last one"""
    topic: str = ""
    """Where it came"""
    format: str = ""
    last: float = 0.0
    """When, in monotonic seconds"""
    told: float = -float("inf")
    """When it was news"""


class Refusals:
    """What was refused of all phones."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._of: OrderedDict[str, Refused] = OrderedDict()
        """By device, the longest ago first"""
        self._forgotten: list[str] = []
        """Devices for which there was no room any more"""
        self._news: set[str] = set()
        """Devices with messages refused since `news` returned them"""

    def add(self, device: str, error: MessageError, *, topic: str, format: str, now: float) -> bool:
        """Note a refused message; return whether it is the phone's first for a while."""
        refused = self._of.pop(device, None)
        is_first = refused is None
        if refused is None:
            refused = Refused()
            if len(self._of) >= MOST_PHONES:
                oldest, _ = self._of.popitem(last=False)
                self._forgotten.append(oldest)
                self._news.discard(oldest)
        self._of[device] = refused
        refused.counts[error.reason] += 1
        refused.explanation, refused.topic, refused.format = str(error), topic, format
        refused.last = now
        self._news.add(device)
        return is_first

    def of(self, device: str) -> Refused | None:
        """Return what was refused of a phone lately, None if nothing was."""
        return self._of.get(device)

    def news(self, now: float) -> list[tuple[str, Refused]]:
        """Return the phones of which messages were refused since they were returned last."""
        due = [device for device in self._news if now - self._of[device].told >= NEWS_S]
        self._news.difference_update(due)
        for device in due:
            self._of[device].told = now
        return [(device, self._of[device]) for device in sorted(due)]

    def expire(self, now: float) -> list[str]:
        """Forget the phones of which nothing was refused lately; return them."""
        over, self._forgotten = self._forgotten, []
        for device, refused in self._of.items():
            if now - refused.last < LASTS_S:
                break
            over.append(device)
        for device in over:
            self._of.pop(device, None)
            self._news.discard(device)
        return over
