"""Messages that have arrived and wait to be worked through.

Usually all of them are taken at once, in the order of their arrival. But only so many at a time, so
that what comes meanwhile need not wait long; and of those only a few of one topic, which is one
phone's, so that one that floods does not hold up the others. The rest is left for the next time. Of
messages at QoS 0, which the broker cannot be made to keep, only so many wait: beyond that the
oldest of the topics with most of them are dropped. Those at QoS 1 never are; so they press.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import Final

from pipeline.packets import Message

MOST_OF_ONE: Final = 4
"""Messages of one topic that are taken at once: usually two seconds of a phone's samples"""


class Inbox:
    """The messages that wait; of those at QoS 0 only so many."""

    def __init__(self, limit: int, most: int | None, shared: Collection[str] = ()) -> None:
        """Begin empty.

        Args:
            limit: messages at QoS 0 that are kept.
            most: messages that are taken at once, in fair shares; None for all that there are.
            shared: topics of many phones together.
        """
        self._limit, self._most, self._shared = limit, most, shared
        self._queues: dict[str, deque[tuple[int, Message]]] = {}
        """Messages of each topic, with their place in the order of arrival"""
        self._n_waiting = 0
        self._n_arrived = 0
        self._droppable: Counter[str] = Counter()
        """How many at QoS 0 wait, by topic"""
        self._n_droppable = 0
        self.dropped: Counter[str] = Counter()
        """By topic; whoever looks at it may empty it"""
        self.pressing = False
        """What was left the last time cannot be dropped, or is of very many"""

    def __len__(self) -> int:
        """How many wait."""
        return self._n_waiting

    def put(self, messages: Iterable[Message]) -> None:
        """Add what has arrived; drop what is too much."""
        number = self._n_arrived
        for message in messages:
            number += 1
            queue = self._queues.get(message.topic)
            if queue is None:
                queue = self._queues[message.topic] = deque()
            queue.append((number, message))
            if not message.mid:
                self._droppable[message.topic] += 1
                self._n_droppable += 1
        self._n_waiting += number - self._n_arrived
        self._n_arrived = number
        if self._n_droppable > self._limit:
            # Some more than has to be, or the next message would lead here again.
            self._drop(round(0.9 * self._limit))

    def take(self) -> list[Message]:
        """Return the messages that are next, each topic's in the order of their arrival."""
        counts = {topic: len(queue) for topic, queue in self._queues.items()}
        share = self._share(counts)
        taken: list[tuple[int, Message]] = []
        for topic, n in counts.items():
            queue = self._queues[topic]
            if share is not None and self._most is not None:
                n = min(n, max(share, self._most // 2) if topic in self._shared else share)
            if n == len(queue):
                taken += queue
                del self._queues[topic]
            else:
                taken += [queue.popleft() for _ in range(n)]
        taken.sort(key=itemgetter(0))
        messages = [message for _, message in taken]
        self._n_waiting -= len(taken)
        for message in messages:
            if not message.mid:
                self._n_droppable -= 1
                self._droppable[message.topic] -= 1
                if not self._droppable[message.topic]:
                    del self._droppable[message.topic]
        self.pressing = (
            share is not None
            and self._most is not None
            and (len(taken) >= self._most // 2 or self._n_waiting > self._n_droppable)
        )
        return messages

    def _share(self, counts: Mapping[str, int]) -> int | None:
        """Return how many messages of one topic are next, None for all that there are."""
        if self._most is None:
            return None
        largest = max((n for topic, n in counts.items() if topic not in self._shared), default=0)
        if largest <= MOST_OF_ONE and self._n_waiting <= self._most:
            return None
        return min(fair_share(counts, self._most), MOST_OF_ONE)

    def _drop(self, n_kept: int) -> None:
        """Drop the oldest messages at QoS 0 of those topics that have most of them."""
        share = fair_share(self._droppable, n_kept)
        for topic, n in list(self._droppable.items()):
            surplus = n - share
            if surplus <= 0:
                continue
            self.dropped[topic] += surplus
            self._droppable[topic] -= surplus
            self._n_droppable -= surplus
            self._n_waiting -= surplus
            kept: deque[tuple[int, Message]] = deque()
            for number, message in self._queues[topic]:
                if surplus and not message.mid:
                    surplus -= 1
                else:
                    kept.append((number, message))
            self._queues[topic] = kept


def fair_share(counts: Mapping[str, int], most: int) -> int:
    """Return how many each may have, at least one, so that all together have about ``most``."""
    left, share = most, 0
    ascending = sorted(counts.values())
    for i, count in enumerate(ascending):
        share = left // (len(ascending) - i)
        if count > share:
            break
        left -= count
    return max(share, 1)
