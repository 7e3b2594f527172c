"""Messages that have arrived and wait to be worked through.

Usually all of them are taken at once, in the order of their arrival. But only so many at a time, so
that what comes meanwhile need not wait long; and of those only a few of one topic, which is one
phone's, so that one that floods does not hold up the others. The rest is left for the next time. Of
messages at QoS 0, which the broker cannot be made to keep, only so many wait: beyond that the
oldest of the topics with most of them are dropped. Those at QoS 1 never are; so they press.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from pipeline.packets import Message

MOST_OF_ONE: Final = 16
"""Messages of one topic that are taken at once: usually some seconds of a phone's samples"""


class Inbox:
    """The messages that wait; of those at QoS 0 only so many."""

    def __init__(self, limit: int, most: int, shared: Collection[str] = ()) -> None:
        """Begin empty.

        Args:
            limit: messages at QoS 0 that are kept.
            most: messages that are taken at once.
            shared: topics of many phones together.
        """
        self._limit, self._most, self._shared = limit, most, shared
        self._waiting: list[Message] = []
        self.dropped: Counter[str] = Counter()
        """By topic; whoever looks at it may empty it"""
        self.pressing = False
        """What was left the last time cannot be dropped, or is of very many"""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, messages: Iterable[Message]) -> None:
        """Add what has arrived; drop what is too much."""
        self._waiting += messages
        if len(self._waiting) <= self._limit:
            return
        counts = Counter(message.topic for message in self._waiting if message.mid == 0)
        if counts.total() > self._limit:
            # Some more than has to be, or the next message would lead here again.
            self._drop(counts, round(0.9 * self._limit))

    def take(self) -> list[Message]:
        """Return the messages that are next, each topic's in the order of their arrival."""
        counts = Counter(message.topic for message in self._waiting)
        share = self._share(counts)
        if share is None:
            everything, self._waiting, self.pressing = self._waiting, [], False
            return everything
        had: Counter[str] = Counter()
        taken: list[Message] = []
        kept: list[Message] = []
        for message in self._waiting:
            topic = message.topic
            had[topic] += 1
            of_one = max(share, self._most // 2) if topic in self._shared else share
            (taken if had[topic] <= of_one else kept).append(message)
        self._waiting = kept
        self.pressing = len(taken) >= self._most // 2 or any(message.mid for message in kept)
        return taken

    def _share(self, counts: Counter[str]) -> int | None:
        """Return how many messages of one topic are next, None for all that there are."""
        largest = max((n for topic, n in counts.items() if topic not in self._shared), default=0)
        if largest <= MOST_OF_ONE and len(self._waiting) <= self._most:
            return None
        return min(fair_share(counts, self._most), MOST_OF_ONE)

    def _drop(self, counts: Counter[str], n_kept: int) -> None:
        """Drop the oldest messages at QoS 0 of those topics that have most of them."""
        share = fair_share(counts, n_kept)
        surplus = {topic: n - share for topic, n in counts.items() if n > share}
        self.dropped.update(surplus)

        def kept(message: Message) -> bool:
            if message.mid or not surplus.get(message.topic):
                return True
            surplus[message.topic] -= 1
            return False

        self._waiting = list(filter(kept, self._waiting))


def fair_share(counts: Counter[str], most: int) -> int:
    """Return how many each may have, at least one, so that all together have about ``most``."""
    left, share = most, 0
    ascending = sorted(counts.values())
    for i, count in enumerate(ascending):
        share = left // (len(ascending) - i)
        if count > share:
            break
        left -= count
    return max(share, 1)
