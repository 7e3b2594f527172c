"""Messages that have arrived and wait to be taken, in fair shares when there are many.

Rules:

* Usually all messages are taken at once, in the order of their arrival.
* When there are more than can be processed soon, each owner, which is a phone, gets an equal share;
  the rest is left for the next time. So new messages need not wait long, and an owner that floods
  does not hold up the others.
* Messages of one owner keep their order, whatever their topics: a phone's samples, and what says
  how they are to be processed.
* Messages at QoS 1 are never dropped. Of those at QoS 0, which the broker cannot be made to keep,
  only a limited number wait: beyond it, the oldest of the owners with most of them are dropped.
* Of an owner's, those of its fullest topic are: a flood of samples does not drop a calibration.
* No owner gets more messages at QoS 0 through than any phone would send, however idle the machine
  is: what is older than a second of that is dropped.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from pipeline.messages import Message

ALWAYS: Final = 4
"""Messages of one owner that are taken even in a crowd: usually two seconds of a phone's samples"""
MOST_PER_S: Final = 2500
"""Messages at QoS 0 of one owner that are taken: the fastest phones' accelerometer and gyroscope,
400 and 840 Hz, both also uncalibrated, one event a message. What is more waits a second at most."""


class Owner(NamedTuple):
    """Whose messages keep their order, and get a share."""

    name: str
    is_shared: bool = False
    """Whether they are of many, as on a topic that phones share"""


OwnerOf = Callable[[str], Owner]
"""From a topic to the owner of its messages"""


class Inbox:
    """The messages that wait; of those at QoS 0 only so many."""

    def __init__(self, limit: int, most: int | None, owner_of: OwnerOf = Owner) -> None:
        """Begin empty.

        Args:
            limit: messages at QoS 0 that are kept.
            most: messages that are taken at once, in fair shares; None for all that there are.
            owner_of: the owner of a topic's messages; by default each topic is its own.
        """
        self._limit, self._most, self._owner_of = limit, most, owner_of
        self._left: dict[Owner, deque[tuple[int, Message]]] = {}
        """Messages that were left, with their places in the order of arrival"""
        self._new: list[Message] = []
        """Messages that have arrived since"""
        self._n_arrived = 0  # but for what is new
        self._n_waiting = 0
        self._n_droppable = 0  # at QoS 0
        self.dropped: Counter[str] = Counter()
        """Messages that were dropped, by topic; the caller may empty it"""
        self.backlogged = False
        """There are messages left that can be taken at once"""

    def __len__(self) -> int:
        """How many wait."""
        return self._n_waiting

    def put(self, messages: Sequence[Message]) -> None:
        """Add what has arrived; drop what is too much."""
        self._new += messages
        self._n_waiting += len(messages)
        self._n_droppable += _count_droppable(messages)
        if self._n_droppable > self._limit:
            # More than necessary, or the next message would exceed the limit again.
            self._drop(round(0.9 * self._limit))

    def take(self, *, elapsed_s: float, soon: int) -> list[Message]:
        """Return the messages that are next, each owner's in the order of their arrival.

        Args:
            elapsed_s: seconds since they were taken last.
            soon: messages that can be processed so quickly that no owner need be limited.
        """
        counts = Counter(map(self._owner_of, map(_TOPIC, self._new)))
        for key, queue in self._left.items():
            counts[key] += len(queue)
        pace = max(ALWAYS, round(MOST_PER_S * elapsed_s))
        share = self._share(counts, pace, soon)
        self.backlogged = False
        if share is None and not self._left:
            messages, self._new = self._new, []
        else:
            self._sort_in()
            messages = self._take_shares(share, pace)
        self._n_waiting -= len(messages)
        self._n_droppable -= _count_droppable(messages)
        return messages

    def oldest(self) -> dict[str, float]:
        """Return when the oldest message that waits has come, by topic, in monotonic seconds."""
        left = [message for queue in self._left.values() for _, message in queue]
        received: dict[str, float] = {}
        for message in (*left, *self._new):
            received.setdefault(message.topic, message.received)
        return received

    def _take_shares(self, share: int | None, pace: int) -> list[Message]:
        """Return a share of each owner's messages, None for all, and leave the rest."""
        taken: list[tuple[int, Message]] = []
        for owner, queue in list(self._left.items()):
            n = len(queue)
            if share is not None and self._most is not None:
                n = min(n, max(share, self._most // 2) if owner.is_shared else share)
                if n > pace and not owner.is_shared and not queue[0][1].mid:
                    n = pace
                    if len(queue) > n + MOST_PER_S:
                        self._drop_oldest(owner, len(queue) - n - MOST_PER_S)
                        queue = self._left[owner]
                elif n < len(queue):
                    self.backlogged = True
            if n == len(queue):
                taken += queue
                del self._left[owner]
            else:
                taken += [queue.popleft() for _ in range(n)]
        taken.sort(key=itemgetter(0))
        return [message for _, message in taken]

    def _drop_oldest(self, owner: Owner, surplus: int) -> None:
        """Drop so many of an owner's messages at QoS 0, the oldest of its fullest topics."""
        queue = self._left[owner]
        surplus_of = _surplus_of_topics(
            Counter(message.topic for _, message in queue if not message.mid), surplus
        )
        kept: deque[tuple[int, Message]] = deque()
        for number, message in queue:
            if not message.mid and surplus_of[message.topic] > 0:
                surplus_of[message.topic] -= 1
                self.dropped[message.topic] += 1
            else:
                kept.append((number, message))
        n_dropped = len(queue) - len(kept)
        self._n_droppable -= n_dropped
        self._n_waiting -= n_dropped
        self._left[owner] = kept

    def _sort_in(self) -> None:
        """Put new messages behind those that were left of their owners."""
        for message in self._new:
            self._n_arrived += 1
            key = self._owner_of(message.topic)
            queue = self._left.get(key)
            if queue is None:
                queue = self._left[key] = deque()
            queue.append((self._n_arrived, message))
        self._new = []

    def _share(self, counts: Mapping[Owner, int], pace: int, soon: int) -> int | None:
        """Return how many messages of one owner are next, None for all that there are."""
        if self._most is None:
            return None
        largest = max((n for owner, n in counts.items() if not owner.is_shared), default=0)
        if largest <= pace and self._n_waiting <= min(soon, self._most):
            return None
        return min(
            max(fair_share(counts.values(), soon), ALWAYS), fair_share(counts.values(), self._most)
        )

    def _drop(self, n_kept: int) -> None:
        """Drop the oldest messages at QoS 0 of those owners that have most of them."""
        self._sort_in()
        droppable = {
            owner: sum(not message.mid for _, message in queue)
            for owner, queue in self._left.items()
        }
        share = fair_share(droppable.values(), n_kept)
        for owner, n in droppable.items():
            if n > share:
                self._drop_oldest(owner, n - share)


_TOPIC: Final = attrgetter("topic")


def _count_droppable(messages: Sequence[Message]) -> int:
    """Return how many are at QoS 0."""
    return sum([not message.mid for message in messages])


def _surplus_of_topics(counts: Counter[str], surplus: int) -> Counter[str]:
    """Return how many of each topic's messages to drop, ``surplus`` in all at most."""
    share = fair_share(counts.values(), counts.total() - surplus)
    surplus_of: Counter[str] = Counter()
    for topic, n in sorted(counts.items(), key=itemgetter(1), reverse=True):
        surplus_of[topic] = min(max(n - share, 0), surplus)
        surplus -= surplus_of[topic]
    for topic, n in counts.items():  # more topics than may be kept
        more = min(n - surplus_of[topic], surplus)
        surplus_of[topic] += more
        surplus -= more
    return surplus_of


def fair_share(counts: Iterable[int], most: int) -> int:
    """Return how many each may have, at least one, so that all together have about ``most``."""
    left, share = most, 0
    ascending = sorted(counts)
    for i, count in enumerate(ascending):
        share = left // (len(ascending) - i)
        if count > share:
            break
        left -= count
    return max(share, 1)
