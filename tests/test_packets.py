from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.packets import (
    Arrived,
    Confirmation,
    Message,
    Outbox,
    Publication,
    acknowledgements,
    split,
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


def split_all(parts: Iterable[bytes], *, v5: bool) -> list[Arrived]:
    """Return the packets in what arrives part by part; nothing may be left over."""
    packets: list[Arrived] = []
    rest = b""
    for part in parts:
        new, rest = split(rest + part, NOW, v5=v5)
        packets += new
    assert rest == b""
    return packets


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
    assert wanted == split_all(parts, v5=v5)


def test_a_large_message() -> None:
    """A message of a mebibyte is there when its last byte is."""
    large = Message("har/phone/samples", b"x" * (1 << 20), NOW, 7)
    packet = Writer(v5=False).publish_packet(large, retain=False, noted=False)
    assert ([], packet[:-1]) == split(packet[:-1], NOW, v5=False)
    assert ([large], b"") == split(packet, NOW, v5=False)


@given(st.binary(max_size=200), st.booleans())
def test_bytes_that_are_no_packets(data: bytes, v5: bool) -> None:
    """Nonsense is split off or left, but never lost, and never ends the program."""
    packets, rest = split(data, NOW, v5=v5)
    whole = sum(len(one) for one in packets if isinstance(one, bytes))
    assert whole + len(rest) <= len(data)
    assert data.endswith(rest)


@pytest.mark.parametrize("v5", [False, True])
def test_malformed_packets_are_the_librarys(v5: bool) -> None:
    """A PUBLISH without room for its topic, and one of QoS 2, are handed on as they are."""
    for packet in (b"\x32\x03\x00\x09a", b"\x34\x06\x00\x01a\x00\x05\x00", b"\x30\x01\x00"):
        assert ([packet], b"") == split(packet, NOW, v5=v5)


def test_a_length_without_end() -> None:
    """A length of more than four bytes is handed on, for the library to object."""
    packet = b"\x30\xff\xff\xff\xff\x7f"
    assert ([packet], b"") == split(packet, NOW, v5=False)


def test_a_refusal() -> None:
    """A confirmation of MQTT 5 tells why not; short ones are good."""
    refused, good = b"\x40\x04\x04\x01\x87\x00", b"\x40\x02\x04\x02"
    assert [Confirmation(1025, 0x87), Confirmation(1026, 0)] == split(refused + good, NOW, v5=True)[
        0
    ]


def sent(packets: bytes, *, v5: bool = False) -> list[tuple[str, bytes, int, bool]]:
    """Return what an outbox's packets say."""
    split_off, rest = split(packets, NOW, v5=v5)
    assert rest == b""
    result = []
    for one in split_off:
        assert isinstance(one, Message)
        result.append((one.topic, one.payload, one.mid, one.dup))
    return result


@given(
    publications=st.lists(
        st.builds(Publication, st.text(min_size=1), st.binary(max_size=300), st.booleans())
    ),
    most=st.integers(1, 5),
    v5=st.booleans(),
    lost=st.lists(st.integers(0, 30)),
)
def test_an_outbox_loses_nothing(
    publications: list[Publication], most: int, v5: bool, lost: list[int]
) -> None:
    """Each publication is sent in order until it is confirmed, also over new connections."""
    outbox = Outbox(v5=v5)
    outbox.add(publications)
    assert publications == outbox.publications
    confirmed: list[bytes] = []
    on_the_way: list[tuple[str, bytes, int, bool]] = []
    step = 0
    while len(outbox):
        on_the_way += sent(outbox.packets(most), v5=v5)
        assert 1 <= len(on_the_way) <= most
        if step in lost:
            lost = [number for number in lost if number != step]
            first_again = [mid for _, _, mid, _ in on_the_way]
            outbox.begin_again()
            on_the_way = sent(outbox.packets(most), v5=v5)
            assert first_again == [mid for _, _, mid, dup in on_the_way if dup]
        _, payload, mid, _ = on_the_way.pop(0)
        assert outbox.confirm(mid)
        assert not outbox.confirm(mid)
        confirmed.append(payload)
        step += 1
    assert [one.payload for one in publications] == confirmed


def test_an_outbox_has_no_number_twice() -> None:
    """More publications than there are packet identifiers are told apart."""
    outbox = Outbox(v5=False)
    outbox.add(Publication("t", b"%d" % number) for number in range(70_000))
    first = sent(outbox.packets(1))
    seen = []
    for _ in range(69_999):
        [(_, payload, mid, _)] = sent(outbox.packets(2))
        assert mid != first[0][2]
        outbox.confirm(mid)
        seen.append(payload)
    assert [b"%d" % number for number in range(1, 70_000)] == seen


def test_the_retain_flag() -> None:
    """A retained publication says so in its packet."""
    outbox = Outbox(v5=False)
    outbox.add([Publication("t", b"", retain=True), Publication("t", b"")])
    packets = outbox.packets(2)
    assert (0x33, 0x32) == (packets[0], packets[len(packets) // 2])
