"""The MQTT packets that come and go by the thousand, PUBLISH and PUBACK, many at a time.

A client library reads and writes packet by packet, for some 50 to 100 µs each. Here the bytes that
have arrived are split in one go, and what is to be sent is put together. A message that is too
large is passed over while it arrives: of it only the topic is kept. Answers of the broker are read
here too, because a library may know only some of the reason codes that brokers send. The rest is
left to the library (`paho_client`), and what a message means is decided elsewhere.

Sections are those of the OASIS standards MQTT 3.1.1 and MQTT 5.0.
"""

import sys
from collections.abc import Iterable
from struct import Struct
from typing import Final, Literal

import msgspec
from msgspec import structs

from pipeline.messages import Confirmation, Message, Publication

_CONNACK: Final = 2
_PUBLISH: Final = 3
_PUBACK: Final = 4
_SUBACK: Final = 9
_UNSUBACK: Final = 11
_PINGRESP: Final = 13
_DISCONNECT: Final = 14
_HEADS: Final = frozenset(
    [kind << 4 for kind in (_CONNACK, _PUBACK, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT)]
    + [_PUBLISH << 4 | flags for flags in range(16)]
)
"""First bytes of packets that a broker may send to us"""
_DUP: Final = 0x08
_QOS_1: Final = 0x02
_QOS_BITS: Final = 0x06
_RETAIN: Final = 0x01

_ACKNOWLEDGEMENT: Final = Struct(">BBH")  # section 3.4
_UINT16: Final = Struct(">H")

_USER_PROPERTY: Final = b"\x26"  # section 2.2.2.2
MARK_NAME: Final = "har-stream"
"""Of the user property that holds a mark"""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The broker's answer to a login or a subscription, or that it ends the connection."""

    kind: Literal["login", "subscription", "end of subscriptions", "end"]
    codes: tuple[int, ...]
    """Reason codes of MQTT 5, also where the broker speaks 3.1.1: one, or one a topic filter. From
    128 on they are refusals."""
    packet: bytes = b""
    """The whole of a login's"""


class Marked(msgspec.Struct, frozen=True, gc=False):
    """The mark of the client that published last on the marked topic."""

    mark: str


class MalformedPacketError(Exception):
    """The broker sent bytes that are no packet of MQTT, or one that nobody has asked it for."""


Arrived = Message | Confirmation | Answer | Marked | bytes | MalformedPacketError
"""A packet that was split off. Bytes are the whole answer to a ping; nothing follows an error."""


class Splitter:
    """Splits what arrives over one connection into packets."""

    def __init__(self, *, v5: bool, most_bytes: int, marked_topic: str | None = None) -> None:
        """Begin at the beginning of a packet.

        Args:
            v5: whether the connection speaks MQTT 5.
            most_bytes: of a message with its topic; larger ones are passed over.
            marked_topic: topic of whose messages, at QoS 0, only the marks are read.
        """
        self._v5 = v5
        self._marked = None if marked_topic is None else _string(marked_topic)
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []  # the beginning of a packet
        self._n_kept = 0  # bytes of these
        self._n_needed = 0  # bytes that it takes to go on; 0 while there are enough
        self._oversized: Message | None = None  # is being passed over
        self._n_left = 0  # bytes that are still to come of it

    def split(self, data: bytes, received: float) -> list[Arrived]:
        """Return the packets that are complete with ``data``.

        Args:
            data: what came over the connection, after what came before.
            received: seconds on the monotonic clock.
        """
        packets: list[Arrived] = []
        if self._oversized is not None:
            data = self._pass_over(data, received, packets)
        self._parts.append(data)
        self._n_kept += len(data)
        if self._n_kept < self._n_needed:  # else they would be copied each time
            return packets
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        at = self._n_needed = 0
        try:
            while not self._n_needed:
                at = self._split_off(data, at, received, packets)
        except MalformedPacketError as error:
            packets.append(error)
            at, self._n_needed = len(data), sys.maxsize
        self._parts = [data[at:]]
        self._n_kept = len(data) - at
        return packets

    def _split_off(self, data: bytes, at: int, received: float, packets: list[Arrived]) -> int:
        """Add the packet at a place and return the place after it; else note what it needs."""
        n_bytes = len(data) - at
        if n_bytes < 2:
            self._n_needed = 2
            return at
        head, length, body = data[at], data[at + 1], at + 2
        if head not in _HEADS:  # or what follows might be waited for in vain
            raise MalformedPacketError(f"a packet that begins with {head:#04x}")
        if length > 127:
            length, body = _variable_integer(data, at + 1)
            if body == 0:
                if n_bytes >= 5:
                    raise MalformedPacketError("a length of more than four bytes")
                self._n_needed = n_bytes + 1
                return at
        after = body + length
        if length > self._most_bytes:
            opening = _opening(data, head, body)
            if opening > len(data):
                self._n_needed = opening - at
                return at
            self._oversized = _message(data, head, body, after, received, v5=None)
            self._n_left = length
            return len(data) - len(self._pass_over(data[body:], received, packets))
        if after > len(data):
            self._n_needed = after - at
            return at
        packets.append(self._packet(data, at, head, body, after, received))
        return after

    def _pass_over(self, data: bytes, received: float, packets: list[Arrived]) -> bytes:
        """Return what follows a message that is too large, which is added when it has ended."""
        rest = data[self._n_left :]
        self._n_left -= len(data) - len(rest)
        if not self._n_left and self._oversized is not None:
            packets.append(structs.replace(self._oversized, received=received))
            self._oversized = None
        return rest

    def _packet(
        self, data: bytes, at: int, head: int, body: int, after: int, received: float
    ) -> Arrived:
        """Return one whole packet."""
        kind, length = head >> 4, after - body
        if kind == _PUBLISH and self._marked and data.startswith(self._marked, body):
            return Marked(_mark(data[body + len(self._marked) : after]))
        if kind == _PUBLISH:
            return _message(data, head, body, after, received, v5=self._v5)
        if kind == _PUBACK and length >= 2:
            return Confirmation(
                data[body] << 8 | data[body + 1], data[body + 2] if length > 2 else 0
            )
        if kind == _CONNACK and length >= 2:
            code = data[body + 1]
            if not self._v5 or code in _CODES_OF_3_1_1:  # so say brokers that do not know MQTT 5
                code = _CODES_OF_3_1_1.get(code, code)
            return Answer("login", (code,), data[at:after])
        if kind == _SUBACK and length >= 3:
            place = body + 2
            if self._v5:
                n_properties, place = _variable_integer(data[:after], place)
                place = place + n_properties if place else after
            return Answer("subscription", tuple(data[place:after]))
        if kind == _UNSUBACK:
            return Answer("end of subscriptions", ())
        if kind == _DISCONNECT and self._v5:
            return Answer("end", (data[body],) if length else (0,))
        if kind == _PINGRESP:
            return data[at:after]
        raise MalformedPacketError(f"a packet of kind {kind} with {length} bytes")


_CODES_OF_3_1_1: Final = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
"""Reason codes of MQTT 5 for the return codes of a refused login (MQTT 3.1.1, 3.2.2.3)"""


def _opening(data: bytes, head: int, body: int) -> int:
    """Return the place after a PUBLISH's topic and identifier, or after the topic's length.

    Raises:
        MalformedPacketError: it is none.
    """
    if head >> 4 != _PUBLISH:
        raise MalformedPacketError(f"a packet of kind {head >> 4} that is too large")
    if len(data) < body + 2:
        return body + 2
    return body + 2 + (data[body] << 8 | data[body + 1]) + 2


def _message(
    data: bytes, head: int, body: int, after: int, received: float, *, v5: bool | None
) -> Message:
    """Return the message of a PUBLISH (section 3.3), without its payload if ``v5`` is None.

    Raises:
        MalformedPacketError: it is none, or of QoS 2, for which nobody has asked.
    """
    if head & _QOS_BITS > _QOS_1 or after - body < 2:
        raise MalformedPacketError("a message that is none, or of QoS 2")
    topic_end = place = body + 2 + (data[body] << 8 | data[body + 1])
    mid = 0
    if head & _QOS_1:
        place += 2
        mid = data[place - 2] << 8 | data[place - 1] if place <= after else 0
    if v5 and place < after and not data[place]:  # no properties
        place += 1
    elif v5:
        length, place = _variable_integer(data[:after], place)
        place = place + length if place else after + 1
    if place > after:
        raise MalformedPacketError("a message that ends before its payload")
    topic = data[body + 2 : topic_end].decode(errors="replace")
    dup, retained = bool(head & _DUP), bool(head & _RETAIN)
    if v5 is None:
        return Message(topic, b"", received, mid, dup, after - body, retained)
    return Message(topic, data[place:after], received, mid, dup, 0, retained)


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


def _string(text: str) -> bytes:
    """Return a text as packets have it (section 1.5.4)."""
    data = text.encode()
    return _UINT16.pack(len(data)) + data


def _mark(rest: bytes) -> str:
    """Return the mark behind the topic in a message, as `publish` writes it, else nothing.

    At QoS 0 that begins with the properties.
    """
    beginning = _USER_PROPERTY + _string(MARK_NAME)
    _, place = _variable_integer(rest, 0)
    if not place or not rest.startswith(beginning, place):
        return ""
    place += len(beginning) + 2
    return rest[place : place + (rest[place - 2] << 8 | rest[place - 1])].decode(errors="replace")


def acknowledgements(mids: Iterable[int]) -> bytes:
    """Return the packets that acknowledge messages, in this order."""
    return b"".join([_ACKNOWLEDGEMENT.pack(_PUBACK << 4, 2, mid) for mid in mids])


def publish(publication: Publication, mid: int, *, v5: bool, again: bool = False) -> bytes:
    """Return the PUBLISH of a publication at QoS 1 (section 3.3).

    Args:
        publication: topic, payload and flags.
        mid: packet identifier.
        v5: whether the connection speaks MQTT 5.
        again: it was sent before.
    """
    properties = b"\x00" if v5 else b""
    if v5 and publication.mark:
        properties = _USER_PROPERTY + _string(MARK_NAME) + _string(publication.mark)
        properties = _length(len(properties)) + properties
    variable = b"%b%b%b" % (_string(publication.topic), _UINT16.pack(mid), properties)
    head = _PUBLISH << 4 | (_DUP if again else 0) | _QOS_1 | publication.retain
    length = _length(len(variable) + len(publication.payload))
    return b"%c%b%b%b" % (head, length, variable, publication.payload)
