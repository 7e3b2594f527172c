"""The MQTT packets that come and go by the thousand, PUBLISH and PUBACK, many at a time.

A client library reads and writes packet by packet, for some 50 to 100 µs each. Here the bytes that
have arrived are split in one go, and what is to be sent is put together. All other packets are left
to the library (`mqtt`), and what a message means is decided elsewhere.

Sections are those of the OASIS standards MQTT 3.1.1 and MQTT 5.0.
"""

from collections import deque
from collections.abc import Iterable
from struct import Struct
from typing import Final

import msgspec

_PUBLISH: Final = 3
_PUBACK: Final = 4
_DUP: Final = 0x08
_QOS_1: Final = 0x02
_QOS_BITS: Final = 0x06
_RETAIN: Final = 0x01

_ACKNOWLEDGEMENT: Final = Struct(">BBH")  # section 3.4
_UINT16: Final = Struct(">H")

_FIRST_ID: Final = 1024
"""Of publications; the library's subscriptions take those below"""
_LAST_ID: Final = 0xFFFF


Receipt = tuple[int, float]
"""By what a message is acknowledged: packet identifier, and when it came (monotonic seconds)"""


class Message(msgspec.Struct, frozen=True, gc=False):
    """What the broker delivered."""

    topic: str
    payload: bytes
    received: float
    """Seconds on the monotonic clock"""
    mid: int = 0
    """Packet identifier, by which it is acknowledged; 0 at QoS 0"""
    dup: bool = False
    """The broker has sent it before"""

    @property
    def receipt(self) -> Receipt:
        """What `mid` and `received` say."""
        return self.mid, self.received


class Confirmation(msgspec.Struct, frozen=True, gc=False):
    """The broker's answer to a publication."""

    mid: int
    reason: int
    """From 128 on a refusal (MQTT 5)"""


class Publication(msgspec.Struct, frozen=True, gc=False):
    """What is to be published at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


Arrived = Message | Confirmation | bytes
"""What was split off; bytes are a packet of another kind, whole."""


def split(data: bytes, received: float, *, v5: bool) -> tuple[list[Arrived], bytes]:
    """Return the packets at the beginning of ``data``, and the rest that is no whole packet yet.

    Args:
        data: what came over the connection, from the beginning of a packet on.
        received: seconds on the monotonic clock.
        v5: whether the connection speaks MQTT 5.
    """
    packets: list[Arrived] = []
    at, end = 0, len(data)
    while end - at >= 2:
        head, length, body = data[at], data[at + 1], at + 2
        if length > 127:
            length, body = _variable_integer(data, at + 1)
            if body == 0:
                if end - at > 5:  # too long for any length: the library is to object
                    packets.append(data[at:])
                    at = end
                break
        after = body + length
        if after > end:
            break
        packet: Arrived | None = None
        if head >> 4 == _PUBLISH:
            packet = _message(data, head, body, after, received, v5=v5)
        elif head >> 4 == _PUBACK and length >= 2:
            packet = Confirmation(
                data[body] << 8 | data[body + 1], data[body + 2] if length > 2 else 0
            )
        packets.append(data[at:after] if packet is None else packet)
        at = after
    return packets, data[at:]


def _message(
    data: bytes, head: int, body: int, after: int, received: float, *, v5: bool
) -> Message | None:
    """Return the message of a PUBLISH (section 3.3), None if it is of QoS 2 or malformed."""
    if head & _QOS_BITS > _QOS_1 or after - body < 2:
        return None
    topic_end = place = body + 2 + (data[body] << 8 | data[body + 1])
    mid = 0
    if head & _QOS_1:
        place += 2
        if place > after:
            return None
        mid = data[place - 2] << 8 | data[place - 1]
    if v5:
        if place >= after:
            return None
        length, place = _variable_integer(data[:after], place) if data[place] else (0, place + 1)
        if place == 0:
            return None
        place += length
    if place > after:
        return None
    topic = data[body + 2 : topic_end].decode(errors="replace")
    return Message(topic, data[place:after], received, mid, bool(head & _DUP))


def _variable_integer(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer of one to four bytes at a place (section 2.2.3) and the place after it.

    The place is 0 if its end is not there.
    """
    value = 0
    for i, byte in enumerate(data[at : at + 4]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, at + i + 1
    return 0, 0


def _length(value: int) -> bytes:
    """Return a length as `_variable_integer` reads it."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def acknowledgements(mids: Iterable[int]) -> bytes:
    """Return the packets that acknowledge messages, in this order."""
    return b"".join([_ACKNOWLEDGEMENT.pack(_PUBACK << 4, 2, mid) for mid in mids])


class Outbox:
    """Publications that the broker has not confirmed yet, in the order in which they were made."""

    def __init__(self, *, v5: bool) -> None:
        """Begin empty; ``v5`` is whether the connection speaks MQTT 5."""
        self._no_properties = b"\x00" if v5 else b""
        self._in_flight: dict[int, Publication] = {}  # by packet identifier
        self._again: deque[int] = deque()  # of those, to be sent over the new connection
        self._unsent: deque[Publication] = deque()
        self._last_mid = _LAST_ID

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
            packets.append(self._packet(mid, self._in_flight[mid], _DUP))
            room -= 1
        while self._unsent and room > 0:
            mid = self._next_mid()
            publication = self._in_flight[mid] = self._unsent.popleft()
            packets.append(self._packet(mid, publication, 0))
            room -= 1
        return b"".join(packets)

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

    def _packet(self, mid: int, publication: Publication, dup: int) -> bytes:
        topic = publication.topic.encode()
        variable = b"%b%b%b%b" % (
            _UINT16.pack(len(topic)), topic, _UINT16.pack(mid), self._no_properties
        )  # fmt: skip
        head = _PUBLISH << 4 | dup | _QOS_1 | publication.retain
        length = _length(len(variable) + len(publication.payload))
        return b"%c%b%b%b" % (head, length, variable, publication.payload)
