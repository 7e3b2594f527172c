"""Messages that have arrived and wait to be taken, in fair shares when there are many.

Rules:

* Usually all messages are taken at once, in the order of their arrival.
* Messages are counted in `units`: a long one counts as several. One that is longer than its
  owner's share is taken alone, and of such ones of many owners only so many at once, in turn.
* When there are more than can be processed soon, each owner, which is a phone, gets an equal share;
  the rest is left for the next time. So new messages need not wait long, and an owner that floods
  does not hold up the others.
* Messages of one owner keep their order, whatever their topics: a phone's samples, and what says
  how they are to be processed.
* Of messages at QoS 0, which the broker cannot be made to keep, only a limited number wait: beyond
  it, the oldest of the owners with most of them are dropped.
* Of an owner's, those of its fullest topic are: a flood of samples does not drop a calibration.
* No owner gets more messages at QoS 0 through than any phone would send, however idle the machine
  is: what is older than a second of that is dropped.
* The same holds at QoS 1 for an owner that floods by its `allowances`, and for no other: a backlog
  is taken whole. Of a flood a quarter of what may wait is kept at most, so that the broker can send
  what others have. Messages that are dropped at QoS 1 are still to be acknowledged.
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from pipeline.messages import Message
from pipeline.mqtt.allowances import MOST_PER_S, UNIT_BYTES, SendingAllowances, total_units, units

ALWAYS: Final = 4
"""Units of one owner that are taken even in a crowd: usually two seconds of a phone's samples"""
LONGEST_PACE_S: Final = 0.1
"""An owner that is limited gets what any phone would send in so long at most, however long it took
since the last time: or who holds up the others would get the more for it"""


class Owner(NamedTuple):
    """Whose messages keep their order, and get a share."""

    name: str
    is_shared: bool = False
    """Whether they are of many, as on a topic that phones share"""


OwnerOf = Callable[[str], Owner]
"""From a topic to the owner of its messages"""


class Inbox:
    """The messages that wait: of those at QoS 0, and of an owner that floods, only so many."""

    def __init__(self, limit: int, most: int | None, owner_of: OwnerOf = Owner) -> None:
        """Begin empty.

        Args:
            limit: units that may wait; at QoS 0 no more are kept.
            most: units that are taken at once, in fair shares; None for all that there are.
            owner_of: the owner of a topic's messages; by default each topic is its own.
        """
        self._limit, self._most, self._owner_of = limit, most, owner_of
        self._left: dict[Owner, deque[tuple[int, Message]]] = {}
        """Messages that were left, with their places in the order of arrival"""
        self._new: list[Message] = []
        """Messages that have arrived since"""
        self._n_arrived = 0  # but for what is new
        self._n_waiting = 0
        self.n_units = 0
        """Units that wait"""
        self._n_droppable = 0  # units at QoS 0
        self._allowances = SendingAllowances()
        self._limited: set[Owner] = set()
        """Owners that were limited by themselves, and go on being busy"""
        self.dropped: Counter[str] = Counter()
        """Messages that were dropped, by topic; the caller may empty it"""
        self.surplus: list[Message] = []
        """Those of them at QoS 1; the caller empties it"""
        self.busy: frozenset[str] = frozenset()
        """Of the messages taken last, the topics of owners that send more than any phone"""
        self.limited: set[str] = set()
        """Those of owners that got less for it; the caller may empty it"""
        self.backlogged = False
        """There are messages left that can be taken at once"""

    def __len__(self) -> int:
        """How many wait."""
        return self._n_waiting

    def put(self, messages: Sequence[Message]) -> None:
        """Add what has arrived; drop what is too much."""
        self._new += messages
        self._n_waiting += len(messages)
        self.n_units += total_units(messages)
        self._n_droppable += _count_droppable(messages)
        if self._n_droppable > self._limit:
            # More than necessary, or the next message would exceed the limit again.
            self._drop(round(0.9 * self._limit))

    def take(self, *, elapsed_s: float, soon: int, away_s: float = 0.0) -> list[Message]:
        """Return the messages that are next, each owner's in the order of their arrival.

        Args:
            elapsed_s: seconds since they were taken last.
            soon: units that can be processed so quickly that no owner need be limited.
            away_s: seconds for which the broker could not send before it sent these.
        """
        counts = self._count_new()
        pace = max(ALWAYS, round(MOST_PER_S * min(elapsed_s, LONGEST_PACE_S)))
        if self._most is not None:
            self._note_new(counts, pace, elapsed_s, away_s)
        for key, queue in self._left.items():
            counts[key] += total_units([message for _, message in queue])
        share = self._share(counts, pace, soon)
        self.backlogged = False
        if share is None and not self._left:
            messages, self._new = self._new, []
        else:
            self._sort_in()
            messages = self._take_shares(share, pace)
        self._n_waiting -= len(messages)
        self.n_units -= total_units(messages)
        self._n_droppable -= _count_droppable(messages)
        self._note_busy(messages)
        return messages

    def oldest(self) -> dict[str, float]:
        """Return when the oldest message that waits has come, by topic, in monotonic seconds."""
        left = [message for queue in self._left.values() for _, message in queue]
        received: dict[str, float] = {}
        for message in (*left, *self._new):
            received.setdefault(message.topic, message.received)
        return received

    def _count_new(self) -> Counter[Owner]:
        """Return how many units of each owner are new."""
        counts = Counter(map(self._owner_of, map(_TOPIC, self._new)))
        for message in self._new:
            if len(message.payload) >= UNIT_BYTES:
                counts[self._owner_of(message.topic)] += units(message) - 1
        return counts

    def _note_new(
        self, counts: Mapping[Owner, int], pace: int, elapsed_s: float, away_s: float
    ) -> None:
        """Note how much each owner has sent that sends more than any phone, or has."""
        fast = {owner for owner, n in counts.items() if n > pace}
        if self._allowances.any_known:
            fast |= set(filter(self._allowances.knows, counts))
        sent: Counter[Hashable] = Counter()
        if fast:
            for message in self._new:
                owner = self._owner_of(message.topic)
                if owner in fast and not (owner.is_shared or message.dup):
                    sent[owner] += units(message)
        self._allowances.advance(sent, elapsed_s, away_s=away_s)

    def _note_busy(self, messages: Sequence[Message]) -> None:
        """Note which of the messages taken are of owners that send more than any phone."""
        if not self._allowances.any_known:
            self.busy = frozenset()
            self._limited.clear()
            return
        is_busy = self._allowances.is_busy
        owner_of = {topic: self._owner_of(topic) for topic in {one.topic for one in messages}}
        self.busy = frozenset([topic for topic, owner in owner_of.items() if is_busy(owner)])
        self._limited = set(filter(is_busy, self._limited))
        self.limited.update(topic for topic in self.busy if owner_of[topic] in self._limited)

    def _take_shares(self, share: int | None, pace: int) -> list[Message]:
        """Return a share of each owner's messages, None for all, and leave the rest."""
        taken: list[tuple[int, Message]] = []
        n_beyond = 0  # units of messages that are longer than a share
        for owner, queue in list(self._left.items()):
            n = len(queue)
            if share is not None and self._most is not None:
                most = max(share, self._most // 2) if owner.is_shared else share
                floods = not owner.is_shared and self._allowances.floods(owner)
                is_limited = floods or not (owner.is_shared or queue[0][1].mid)
                n_units = total_units([message for _, message in queue])
                if is_limited and n_units > pace:
                    most = min(most, pace)
                    if len(queue) > 1:
                        self._limited.add(owner)
                    n_kept = most + (min(MOST_PER_S, self._limit // 4) if floods else MOST_PER_S)
                    if n_units > n_kept:
                        self._drop_oldest(owner, n_units - n_kept, at_qos_1=floods)
                        queue = self._left.get(owner, deque())
                n = _n_within(queue, most)
                if n and units(queue[0][1]) > most:
                    n = 1 if n_beyond < self._most else 0  # then it is the first of the next time
                    n_beyond += units(queue[0][1])
                self.backlogged |= n < len(queue) and not (is_limited and most == pace)
            if n == len(queue):
                taken += queue
                self._left.pop(owner, None)
            elif n:
                taken += [queue.popleft() for _ in range(n)]
                self._left[owner] = self._left.pop(owner)  # behind those that got nothing
        taken.sort(key=itemgetter(0))
        return [message for _, message in taken]

    def _drop_oldest(self, owner: Owner, surplus: int, *, at_qos_1: bool = False) -> None:
        """Drop so many units of an owner's messages, the oldest of its fullest topics.

        They are those at QoS 0, or ``at_qos_1`` too.
        """
        queue = self._left[owner]
        units_of: Counter[str] = Counter()
        for _, message in queue:
            if at_qos_1 or not message.mid:
                units_of[message.topic] += units(message)
        surplus_of = _surplus_of_topics(units_of, surplus)
        kept: deque[tuple[int, Message]] = deque()
        dropped: list[Message] = []
        for number, message in queue:
            if (at_qos_1 or not message.mid) and surplus_of[message.topic] > 0:
                surplus_of[message.topic] -= units(message)
                dropped.append(message)
            else:
                kept.append((number, message))
        self.dropped.update(map(_TOPIC, dropped))
        self.surplus += [message for message in dropped if message.mid]
        self._n_droppable -= _count_droppable(dropped)
        self._n_waiting -= len(dropped)
        self.n_units -= total_units(dropped)
        if kept:
            self._left[owner] = kept
        else:
            del self._left[owner]

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
        """Return how many units of one owner are next, None for all that there are."""
        if self._most is None:
            return None
        largest = max((n for owner, n in counts.items() if not owner.is_shared), default=0)
        if largest <= pace and self.n_units <= min(soon, self._most):
            return None
        return min(
            max(fair_share(counts.values(), soon), ALWAYS), fair_share(counts.values(), self._most)
        )

    def _drop(self, n_kept: int) -> None:
        """Drop the oldest messages at QoS 0 of those owners that have most of them."""
        self._sort_in()
        droppable = {
            owner: _count_droppable([message for _, message in queue])
            for owner, queue in self._left.items()
        }
        share = fair_share(droppable.values(), n_kept)
        for owner, n in droppable.items():
            if n > share:
                self._drop_oldest(owner, n - share)


_TOPIC: Final = attrgetter("topic")


def _count_droppable(messages: Sequence[Message]) -> int:
    """Return the units of those at QoS 0."""
    return sum([units(message) for message in messages if not message.mid])


def _n_within(queue: Iterable[tuple[int, Message]], most: int) -> int:
    """Return how many of the first messages have ``most`` units together, one at least."""
    n = n_units = 0
    for _, message in queue:
        n_units += units(message)
        if n and n_units > most:
            break
        n += 1
    return n


def _surplus_of_topics(counts: Counter[str], surplus: int) -> Counter[str]:
    """Return how many units of each topic's messages to drop, ``surplus`` in all at most."""
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
