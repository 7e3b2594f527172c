"""Messages at QoS 1, from their arrival until they are acknowledged.

Messages are acknowledged in the order of their arrival (MQTT 5, 4.6): each as soon as it and all
before it may be. Over a new connection the broker sends again what was not acknowledged, so nothing
that came over an old connection is acknowledged over a new one.

Without a connection, or while as many messages as may be are unacknowledged for long, messages wait
at the broker. For how long they did is noted, since then they come faster than they were sent.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

from pipeline.messages import Message, Receipt
from pipeline.mqtt.packets import acknowledgements

STALLED_S: Final = 4.0
"""A shorter time in which the broker may send nothing more is like any other"""


class Unacknowledged:
    """The messages of the present connection that are not acknowledged yet."""

    def __init__(
        self,
        most_waiting: int,
        *,
        room: threading.Event,
        by_caller: bool,
        away_s: float = 0.0,
    ) -> None:
        """Begin empty.

        Args:
            most_waiting: messages that may wait to be taken, or that the broker may send before
                they are acknowledged.
            room: set while more is read.
            by_caller: the caller says which may be acknowledged. Otherwise a message is when it has
                come, or, while too many wait, when it is taken.
            away_s: seconds for which messages have waited at the broker already.
        """
        self._most_waiting = most_waiting
        self._room = room
        self.by_caller = by_caller
        self._may_be: dict[int, bool] = {}
        """Whether each may be acknowledged, by packet identifier, in the order of arrival"""
        self._since = 0.0  # monotonic seconds
        self._held_back = False
        """The broker may have held messages back since that was asked last"""
        self._n_arrived = 0  # counted on the network thread alone
        self._n_taken = 0  # of those; counted by the caller alone
        self._arrived_at = time.monotonic() - away_s
        """When messages could come last"""
        self._away_s = 0.0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._may_be)

    def begin_again(self) -> None:
        """Forget them: there is a new connection."""
        self._since = time.monotonic()
        self._away_s += self._since - self._arrived_at
        self._arrived_at = self._since
        self._may_be.clear()

    def arrived(self, messages: Sequence[Message]) -> bytes:
        """Add messages that have come; return the packets that acknowledge what may be at once."""
        mids = [message.mid for message in messages if message.mid]
        if messages:
            pause_s = time.monotonic() - self._arrived_at
            self._arrived_at += pause_s
            if pause_s > STALLED_S and len(self._may_be) >= self._most_waiting:
                self._away_s += pause_s
        self._n_arrived += len(mids)
        too_many = self._n_arrived - self._n_taken > self._most_waiting
        if self.by_caller or self._may_be or too_many:
            self._may_be |= dict.fromkeys(mids, False)
            self._held_back |= self._is_held_back()
            return b""
        return acknowledgements(mids)

    def taken(self, messages: Iterable[Message]) -> None:
        """Note that messages were taken."""
        self._n_taken += sum([message.mid > 0 for message in messages])

    def allow(self, receipts: Iterable[Receipt]) -> bytes:
        """Note that messages may be acknowledged; return the packets to send now.

        Those of an earlier connection are passed over; they come again.
        """
        for mid, received in receipts:
            if mid in self._may_be and received >= self._since:
                self._may_be[mid] = True
        mids = list(takewhile(self._may_be.__getitem__, self._may_be))
        for mid in mids:
            del self._may_be[mid]
        return acknowledgements(mids)

    def take_away_s(self) -> float:
        """Return for how many seconds messages could not come since this was called last."""
        away_s, self._away_s = self._away_s, 0.0
        return away_s

    def was_held_back(self) -> bool:
        """Return whether the broker may have held messages back since this was called last.

        It does so while it has sent as many as may be unacknowledged, or while nobody reads.
        """
        held_back, self._held_back = self._held_back, False
        return held_back or self._is_held_back()

    def _is_held_back(self) -> bool:
        most = self._most_waiting if self.by_caller else 1  # else one waits only in a crowd
        return len(self._may_be) >= most or not self._room.is_set()
