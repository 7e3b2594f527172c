"""How many messages an owner may send: a backlog at once, and for long as many as any phone.

Rules:

* An owner's messages fill time, `MOST_PER_S` of them a second, from when the first of them comes.
  An owner floods while they fill more than `BACKLOG_S` beyond now. So whether it does follows from
  its own messages alone, whoever else is there and however idle the machine is.
* A message of many bytes counts as several (`units`), for it takes as long; nearly all are shorter.
* A message that the broker sends again was counted when it came first.
* While the broker cannot send, because we are away or acknowledge nothing, messages wait there, and
  come as fast as they can be taken: then they fill the time in which they waited too. Whoever sends
  no more than any phone has been caught up with after as long again.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from pipeline.messages import Message

MOST_PER_S: Final = 2500
"""Messages a second that any phone would send: the fastest phones' accelerometer and gyroscope,
400 and 840 Hz, both also uncalibrated, one event a message"""
BACKLOG: Final = 10_000
"""Messages at once beyond that: what a phone gathers in 83 minutes at 2 messages a second. It is
half of what a broker sends ahead by default, so that a backlog leaves room for others. A client
that has the usual 20 messages on their way, over a network of 8 ms round trip, sends no more than
MOST_PER_S a second, so that its backlog may be of any size."""
BACKLOG_S: Final = (BACKLOG + 0.5) / MOST_PER_S
"""The time that they fill; half a message more, so that the last is certainly one of them"""
BUSY_S: Final = 0.1
"""Time that is filled beyond now by an owner that sends more than any phone: not by a burst"""
UNIT_BYTES: Final = 4096
"""A payload of fewer bytes counts as one message: a second of samples at 50 Hz, in JSON"""
MOST_AWAY_S: Final = 400.0
"""A longer absence counts as this: as a million messages, ten times what our Mosquitto keeps"""


def units(message: Message) -> int:
    """Return as how many messages one counts."""
    return 1 + len(message.payload) // UNIT_BYTES


def total_units(messages: Sequence[Message]) -> int:
    """Return as how many several count."""
    return len(messages) + sum([len(message.payload) // UNIT_BYTES for message in messages])


class SendingAllowances:
    """The time that each owner's messages fill; times are in seconds since the first call."""

    def __init__(self) -> None:
        """Begin with all owners free to send."""
        self._now = 0.0
        self._since = 0.0
        """Messages that come now may have waited at the broker since then ..."""
        self._until = 0.0
        """... until then; after it, all that waited has come"""
        self._filled: dict[Hashable, float] = {}
        """The time up to which an owner's messages fill it; not of those that fill none"""

    def advance(self, counts: Mapping[Hashable, int], elapsed_s: float, *, away_s: float) -> None:
        """Note messages that have come.

        Args:
            counts: units of messages that came for the first time, by owner.
            elapsed_s: seconds since the last call.
            away_s: seconds for which the broker could not send, before these messages; 0 if it
                could.
        """
        self._now += elapsed_s
        if away_s:
            begin = self._now - away_s
            if self._now < self._until:  # not all of the last time has come
                begin = min(begin, self._since)
            self._since = max(begin, self._now - MOST_AWAY_S)
            self._until = 2 * self._now - self._since
        empty = self._since if self._now < self._until else self._now
        fullest = self._now + BACKLOG_S + 1.0  # so that a flood is over a second after its end
        for owner, n in counts.items():
            filled = max(self._filled.get(owner, empty), empty) + n / MOST_PER_S
            self._filled[owner] = min(filled, fullest)
        if self._filled:
            self._filled = {
                owner: filled for owner, filled in self._filled.items() if filled > empty
            }

    def knows(self, owner: Hashable) -> bool:
        """Return whether an owner's messages fill any time."""
        return owner in self._filled

    def is_busy(self, owner: Hashable) -> bool:
        """Return whether an owner has sent more than any phone would, a backlog perhaps."""
        return self._filled.get(owner, self._now) > self._now + BUSY_S

    def floods(self, owner: Hashable) -> bool:
        """Return whether an owner has sent more than it may."""
        return self._filled.get(owner, self._now) > self._now + BACKLOG_S

    @property
    def any_known(self) -> bool:
        """Whether any owner's messages fill time."""
        return bool(self._filled)
