"""Messages on their way from the network thread to the caller.

The caller takes many at once, as fast as it can process them: a few messages are taken as they
come, more are shared out by `inbox`. If the broker does not limit them, reading pauses while far
too many wait, unless an answer of the broker is awaited, which comes behind them.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from pipeline.messages import Message
from pipeline.mqtt.allowances import UNIT_BYTES, total_units
from pipeline.mqtt.inbox import Inbox, OwnerOf
from pipeline.readings import MAX_PAYLOAD_BYTES

MOST_AT_ONCE: Final = 2_000
"""Units of messages that are taken at once: some tenths of a second's work"""
SOON_S: Final = 0.1
"""As many units as can be processed in this time are taken as they come."""
LONGEST: Final = 1 + MAX_PAYLOAD_BYTES // UNIT_BYTES
"""Units that may wait in any case: of the longest message"""
COST_OF: Final = 8
"""Calls over which the time for a unit is averaged, the latest counting most"""


class Arrivals:
    """The messages that have come and are not taken yet."""

    def __init__(self, most_waiting: int, owner_of: OwnerOf | None) -> None:
        """Begin empty.

        Args:
            most_waiting: units of messages that may wait; beyond it, the oldest at QoS 0 are
                dropped, and a quarter of it is room for those at QoS 1 of an owner that floods.
            owner_of: the owner of a topic's messages; None if nobody gets a share.
        """
        self._most_waiting = most_waiting
        self._queue: queue.SimpleQueue[list[Message]] = queue.SimpleQueue()
        limit = max(most_waiting, LONGEST)
        self._inbox = (
            Inbox(limit, None) if owner_of is None else Inbox(limit, MOST_AT_ONCE, owner_of)
        )
        self.room = threading.Event()
        """Cleared while too many messages wait for more to be read"""
        self.room.set()
        self._lock = threading.Lock()
        """Guards `room`, and what it depends on"""
        self._n_kept_units = 0
        """Units in the queue at QoS 1: those at QoS 0 are dropped, not held up"""
        self._answer_awaited = False
        self._taken_at = time.monotonic()
        self._units_taken_last = 0
        self._cost_s = SOON_S / MOST_AT_ONCE
        """Seconds that the caller takes for a unit, averaged over the latest calls"""
        self._n_arrived = 0  # counted on the network thread alone
        self._n_fetched = 0  # of those, the messages in the inbox; counted by the caller alone

    def put(self, messages: list[Message]) -> None:
        """Add messages, on the network thread."""
        self._n_arrived += len(messages)
        with self._lock:
            self._queue.put(messages)
            self._n_kept_units += _kept_units(messages)
            if not self._answer_awaited and self._is_too_much(self._n_kept_units):
                self.room.clear()  # the caller takes its time

    def await_answer(self, *, awaited: bool) -> None:
        """Read on whatever waits, or no longer: an answer of the broker comes behind it."""
        with self._lock:
            self._answer_awaited = awaited
            if awaited:
                self.room.set()

    def wake(self) -> None:
        """Let a waiting `wait` return."""
        self._queue.put([])

    def wait(self, timeout_s: float, gather_s: float) -> bool:
        """Wait for messages; return False if none have come in time.

        ``gather_s`` seconds at least lie between two calls of `take`, so that there are many,
        unless there is more to take already.
        """
        called = time.monotonic()
        if self._units_taken_last:
            cost_s = (called - self._taken_at) / self._units_taken_last
            self._cost_s += (cost_s - self._cost_s) / COST_OF
        if not len(self._inbox):
            self._units_taken_last = 0
            try:
                self._fetch(self._queue.get(timeout=timeout_s))
            except queue.Empty:
                return False
        pause_s = self._taken_at + gather_s - time.monotonic()
        if pause_s > 0 and not self._inbox.backlogged:
            time.sleep(pause_s)
        return True

    def take(self, *, away_s: float) -> list[Message]:
        """Return the messages that are next, after `wait`.

        ``away_s`` is for how many seconds the broker could not send before it sent them.
        """
        self._fetch()
        now = time.monotonic()
        messages = self._inbox.take(
            elapsed_s=now - self._taken_at,
            soon=round(min(SOON_S / self._cost_s, MOST_AT_ONCE)),
            away_s=away_s,
        )
        self._taken_at, self._units_taken_last = now, total_units(messages)
        with self._lock:
            n_units = max(self._inbox.n_units, self._n_kept_units)
            if self._is_too_much(n_units) and not self._answer_awaited:
                self.room.clear()
            else:
                self.room.set()
        return messages

    def __len__(self) -> int:
        """How many wait."""
        return self._n_arrived - self._n_fetched + len(self._inbox)

    def oldest(self) -> dict[str, float]:
        """Return when the oldest message that waits has come, by topic, in monotonic seconds."""
        self._fetch()
        return self._inbox.oldest()

    def take_dropped(self) -> Counter[str]:
        """Return how many messages were dropped since the last call, by topic."""
        dropped, self._inbox.dropped = self._inbox.dropped, Counter()
        return dropped

    def take_surplus(self) -> list[Message]:
        """Return the messages at QoS 1 that were dropped since the last call."""
        surplus, self._inbox.surplus = self._inbox.surplus, []
        return surplus

    @property
    def busy(self) -> frozenset[str]:
        """Topics, of the messages taken last, of owners that send more than any phone would."""
        return self._inbox.busy

    def take_limited(self) -> set[str]:
        """Return the topics of owners that were limited for that since the last call."""
        limited, self._inbox.limited = self._inbox.limited, set()
        return limited

    def _fetch(self, arrived: Sequence[Message] = ()) -> None:
        """Put into the inbox what has arrived."""
        arrived = list(arrived)
        for _ in range(self._queue.qsize()):
            arrived += self._queue.get()
        with self._lock:
            self._n_kept_units -= _kept_units(arrived)
        self._inbox.put(arrived)
        self._n_fetched += len(arrived)

    def _is_too_much(self, n_units: int) -> bool:
        """Return whether so many units may not wait: the broker has sent more than it was to."""
        return n_units > 2 * self._most_waiting


def _kept_units(messages: Sequence[Message]) -> int:
    """Return the units of those at QoS 1."""
    return total_units([message for message in messages if message.mid])
