import time
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.messages import Confirmation, Message, Publication
from pipeline.mqtt.packets import (
    Answer,
    Arrived,
    MalformedPacketError,
    Marked,
    Splitter,
    acknowledgements,
    publish,
)

NOW = 12.5
PING = b"\xd0\x00"


class Writer(Client):
    """paho's client, of which only the packets that it would send are wanted."""

    def __init__(self, *, v5: bool) -> None:
        """Speak MQTT 5 or 3.1.1."""
        protocol = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        super().__init__(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._sock = object()
        self.written = b""

    def _packet_queue(self, command: int, packet: bytes, *_: object) -> int:
        self.written += packet
        return 0

    def __del__(self) -> None:
        """There is no connection to close."""

    def publish_packet(self, message: Message, *, retain: bool, noted: bool) -> bytes:
        """Return the PUBLISH of a message; ``noted`` in MQTT 5 with a long user property."""
        properties = None
        if noted:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = ("note", "x" * 200)
        self.written = b""
        self._send_publish(
            message.mid, message.topic.encode(), message.payload, 1 if message.mid else 0,
            retain, message.dup, None, properties,
        )  # fmt: skip
        return self.written


messages = st.builds(
    Message,
    topic=st.text(st.characters(codec="utf-8", exclude_characters="\x00+#"), min_size=1),
    payload=st.binary(max_size=300),
    received=st.just(NOW),
    mid=st.integers(0, 0xFFFF),
    dup=st.booleans(),
).map(lambda one: one if one.mid else Message(one.topic, one.payload, NOW))


MOST_BYTES = 3000
"""Of a message that is kept"""


def split(data: bytes, *, v5: bool, most_bytes: int = 1 << 21) -> list[Arrived]:
    """Return the packets in what arrives at once."""
    return Splitter(v5=v5, most_bytes=most_bytes).split(data, NOW)


def split_all(parts: Iterable[bytes], *, v5: bool, most_bytes: int = 1 << 21) -> list[Arrived]:
    """Return the packets in what arrives part by part."""
    splitter = Splitter(v5=v5, most_bytes=most_bytes)
    return [packet for part in parts for packet in splitter.split(part, NOW)]


@given(
    wanted=st.lists(
        messages | st.just(PING) | st.builds(Confirmation, st.integers(1, 0xFFFF), st.just(0))
    ),
    cuts=st.lists(st.integers(0, 3000)),
    v5=st.booleans(),
    retain=st.booleans(),
    noted=st.booleans(),
)
def test_packets_however_they_arrive(
    wanted: list[Arrived], cuts: list[int], v5: bool, retain: bool, noted: bool
) -> None:
    """What paho would send is split off whole and in order, wherever the bytes are cut."""
    writer = Writer(v5=v5)
    stream = b""
    for packet in wanted:
        if isinstance(packet, Message):
            stream += writer.publish_packet(packet, retain=retain, noted=noted and v5)
        elif isinstance(packet, Confirmation):
            stream += acknowledgements([packet.mid])
        else:
            stream += packet
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(places)]
    expected = [
        msgspec.structs.replace(one, retained=retain) if isinstance(one, Message) else one
        for one in wanted
    ]
    assert expected == split_all(parts, v5=v5)


def test_a_large_message() -> None:
    """A message of a mebibyte is there when its last byte is."""
    large = Message("har/phone/samples", b"x" * (1 << 20), NOW, 7)
    packet = Writer(v5=False).publish_packet(large, retain=False, noted=False)
    assert [] == split(packet[:-1], v5=False)
    assert [large] == split(packet, v5=False)


def test_a_large_message_in_small_parts() -> None:
    """What has arrived of a packet is not copied again with each part of it."""
    packet = Writer(v5=False).publish_packet(
        Message("t", b"x" * (1 << 20), NOW, 7), retain=False, noted=False
    )
    parts = [packet[at : at + 100] for at in range(0, len(packet), 100)]
    begin = time.process_time()
    assert 1 == len(split_all(parts, v5=False))
    assert time.process_time() - begin < 1.0  # 10,000 copies would take several


@given(
    sizes=st.lists(st.sampled_from([0, 10, MOST_BYTES, MOST_BYTES + 1, 20_000]), max_size=6),
    cuts=st.lists(st.integers(0, 100_000)),
    v5=st.booleans(),
    qos=st.integers(0, 1),
)
def test_what_is_too_large_is_passed_over(
    sizes: list[int], cuts: list[int], v5: bool, qos: int
) -> None:
    """Of a message that is too large the topic comes, when it has ended, and all around it."""
    writer = Writer(v5=v5)
    stream = b""
    for number, size in enumerate(sizes, 1):
        message = Message(f"topic/{number}", b"x" * size, NOW, number * qos)
        stream += writer.publish_packet(message, retain=False, noted=False) + PING
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(places)]
    came = split_all(parts, v5=v5, most_bytes=MOST_BYTES)
    assert [PING] * len(sizes) == came[1::2]
    for number, (size, message) in enumerate(zip(sizes, came[::2], strict=True), 1):
        assert isinstance(message, Message)
        assert (f"topic/{number}", number * qos) == (message.topic, message.mid)
        whole = 2 + len(message.topic) + 2 * qos + v5 + size
        expected = (size, 0) if whole <= MOST_BYTES else (0, whole)
        assert expected == (len(message.payload), message.oversize)


def test_what_is_too_large_takes_no_memory() -> None:
    """A message of 200 MB is passed over in as much memory as one part of it."""
    part = bytes(1 << 18)
    splitter = Splitter(v5=False, most_bytes=1 << 20)
    head = b"\x32" + b"\xff\xff\xff\x5f" + b"\x00\x01t" + b"\x00\x07"
    tracemalloc.start()
    assert [] == splitter.split(head, NOW)
    left = 0x0BFFFFFF - 5
    while left > len(part):
        assert [] == splitter.split(part, NOW)
        left -= len(part)
    assert [Message("t", b"", NOW, 7, False, 0x0BFFFFFF)] == splitter.split(bytes(left), NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@given(st.binary(max_size=200), st.booleans(), st.lists(st.integers(0, 200)))
def test_bytes_that_are_no_packets(data: bytes, v5: bool, cuts: list[int]) -> None:
    """Nonsense is packets or malformed, the same however it is cut, and nothing else is raised."""
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]

    def result(parts: Iterable[bytes]) -> list[Arrived | str]:
        packets = split_all(parts, v5=v5, most_bytes=100)
        return [str(one) if isinstance(one, MalformedPacketError) else one for one in packets]

    assert result([data]) == result([data[a:b] for a, b in pairwise(places)])


MALFORMED = {
    "a message without room for its topic": b"\x32\x03\x00\x09a",
    "a message of QoS 2": b"\x34\x06\x00\x01a\x00\x05\x00",
    "a message that is none": b"\x30\x01\x00",
    "a length without end": b"\x30\xff\xff\xff\xff\x7f",
    "a short confirmation": b"\x40\x01\x00",
    "a short answer to a login": b"\x20\x01\x00",
    "a short answer to subscriptions": b"\x90\x02\x00\x01",
    "what a client sends": b"\x10\x00",
    "kind 0": b"\x00\x00",
    "too large, and no message": b"\x90\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("v5", [False, True])
def test_malformed_packets(case: str, v5: bool) -> None:
    """What is no packet, or none that a broker may send to us, comes as an error, and the last."""
    ping, error = split(PING + MALFORMED[case] + PING, v5=v5)
    assert PING == ping
    assert isinstance(error, MalformedPacketError)


def test_a_refusal() -> None:
    """A confirmation of MQTT 5 tells why not; short ones are good."""
    refused, good = b"\x40\x04\x04\x01\x87\x00", b"\x40\x02\x04\x02"
    assert [Confirmation(1025, 0x87), Confirmation(1026, 0)] == split(refused + good, v5=True)


def test_answers() -> None:
    """Answers to login and subscription, and the end, come with the reason codes of MQTT 5."""
    login, subscribed, end = b"\x20\x02\x01\x05", b"\x90\x04\x00\x01\x01\x80", b"\xe0\x01\x8e"
    assert [Answer("login", (0x87,), login), Answer("subscription", (1, 0x80))] == split(
        login + subscribed, v5=False
    )
    login, subscribed = b"\x20\x03\x00\xc8\x00", b"\x90\x05\x00\x01\x00\x01\xff"
    assert [
        Answer("login", (200,), login),
        Answer("subscription", (1, 255)),
        Answer("end", (0x8E,)),
        Answer("end", (0,)),
    ] == split(login + subscribed + end + b"\xe0\x00", v5=True)


def test_marks() -> None:
    """Who publishes on a topic is told in MQTT 5, and read from the messages of that topic."""
    for mark in ("me 7", "m" * 300, ""):
        packet = publish(Publication("har/status", b"online", mark=mark), 1, v5=True)
        [message] = Splitter(v5=True, most_bytes=MOST_BYTES).split(packet, NOW)
        assert isinstance(message, Message)
        assert b"online" == message.payload
        splitter = Splitter(v5=True, most_bytes=MOST_BYTES, marked_topic="har/status")
        assert [Marked(mark), PING] == splitter.split(at_qos_0(packet) + PING, NOW)


def at_qos_0(packet: bytes) -> bytes:
    """Return a publication's packet as the broker passes it on at QoS 0."""
    head = 2 if packet[1] < 128 else 3
    topic_end = head + 2 + int.from_bytes(packet[head : head + 2])
    body = packet[head:topic_end] + packet[topic_end + 2 :]  # without the identifier
    n = len(body)
    return b"\x30" + (bytes([n]) if n < 128 else bytes([n % 128 | 128, n // 128])) + body


@given(st.binary(max_size=60))
def test_marks_that_are_none(rest: bytes) -> None:
    """Whatever else is on that topic has no mark, or one, and nothing is raised."""
    packet = b"\x30" + bytes([len(rest) + 12]) + b"\x00\x0ahar/status" + rest
    splitter = Splitter(v5=True, most_bytes=MOST_BYTES, marked_topic="har/status")
    [marked] = splitter.split(packet, NOW)
    assert isinstance(marked, Marked)


@pytest.mark.parametrize(
    ("retain", "again", "head"),
    [(False, False, 0x32), (True, False, 0x33), (False, True, 0x3A), (True, True, 0x3B)],
)
def test_the_flags_of_a_publication(retain: bool, again: bool, head: int) -> None:
    """Its packet says whether it is to be retained, and whether it was sent before."""
    packet = publish(Publication("t", b"", retain), 1, v5=False, again=again)
    assert head == packet[0]
