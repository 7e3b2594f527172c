"""Publications from when they are made until the broker confirms them.

Each is sent in its order, at most so many at a time, and again over each new connection until it is
confirmed. One that is larger than the broker takes is dropped: it would end each connection.
"""

import sys
from collections import deque
from collections.abc import Iterable
from typing import Final

from pipeline.messages import Publication
from pipeline.mqtt.packets import publish

_FIRST_ID: Final = 1024
"""Packet identifier of the first publication; the library's subscriptions take those below"""
_LAST_ID: Final = 0xFFFF


class Outbox:
    """Publications that the broker has not confirmed yet, in the order in which they were made."""

    def __init__(self, *, v5: bool) -> None:
        """Begin empty; ``v5`` is whether the connection speaks MQTT 5."""
        self._v5 = v5
        self._in_flight: dict[int, Publication] = {}  # by packet identifier
        self._again: deque[int] = deque()  # of those, to be sent over the new connection
        self._unsent: deque[Publication] = deque()
        self._last_mid = _LAST_ID
        self.most_bytes = sys.maxsize
        """Of a packet that the broker takes; a publication that is larger is dropped"""
        self.dropped: deque[tuple[str, int]] = deque()
        """Topics and bytes of publications that were dropped; the caller empties it"""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._in_flight) + len(self._unsent)

    @property
    def publications(self) -> list[Publication]:
        """All of them."""
        return [*self._in_flight.values(), *self._unsent]

    def add(self, publications: Iterable[Publication]) -> None:
        """Take publications, to be sent in this order."""
        self._unsent.extend(publications)

    def packets(self, most: int) -> bytes:
        """Return what may be sent now, so that at most so many are on their way."""
        room = most - (len(self._in_flight) - len(self._again))
        packets = []
        while self._again and room > 0:
            mid = self._again.popleft()
            if mid not in self._in_flight:  # it is confirmed already
                continue
            packet = publish(self._in_flight[mid], mid, v5=self._v5, again=True)
            if len(packet) > self.most_bytes:
                self._drop(mid, len(packet))
                continue
            packets.append(packet)
            room -= 1
        while self._unsent and room > 0:
            mid = self._next_mid()
            publication = self._in_flight[mid] = self._unsent.popleft()
            packet = publish(publication, mid, v5=self._v5)
            if len(packet) > self.most_bytes:
                self._drop(mid, len(packet))
                continue
            packets.append(packet)
            room -= 1
        return b"".join(packets)

    def drop_largest(self) -> None:
        """Drop what is largest of all that is on its way, and whatever else is as large.

        For a broker that ends the connection because a packet is too large, but not which.
        """
        sent = self._in_flight.keys() - set(self._again)
        sizes = {mid: len(publish(self._in_flight[mid], mid, v5=self._v5)) for mid in sent}
        if sizes:
            self.most_bytes = max(sizes.values()) - 1
            for mid, size in sizes.items():
                if size > self.most_bytes:
                    self._drop(mid, size)

    def _drop(self, mid: int, size: int) -> None:
        self.dropped.append((self._in_flight.pop(mid).topic, size))

    def confirm(self, mid: int) -> bool:
        """Note that the broker has a publication; return whether it was on its way."""
        return self._in_flight.pop(mid, None) is not None

    def begin_again(self) -> None:
        """Send anew what is on its way: there is a new connection (section 4.4)."""
        self._again = deque(self._in_flight)

    def _next_mid(self) -> int:
        mid = self._last_mid
        while True:
            mid = mid + 1 if mid < _LAST_ID else _FIRST_ID
            if mid not in self._in_flight:
                self._last_mid = mid
                return mid
