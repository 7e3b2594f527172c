import pytest

from pipeline.messages import Confirmation, Publication
from pipeline.mqtt import publisher
from pipeline.mqtt.packets import Splitter
from pipeline.mqtt.paho_client import Announcement
from pipeline.mqtt.publisher import Publisher

NOT_AUTHORIZED = 0x87


class Wire:
    """What a publisher has sent, and a clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin at 100 s."""
        self.now = 100.0
        self.sent = b""
        monkeypatch.setattr(publisher.time, "monotonic", lambda: self.now)
        self.publisher = Publisher(self.take, v5=True, address="here:1883", username=None)

    def take(self, packets: bytes) -> None:
        """Take what is sent."""
        self.sent += packets

    def publish(self, *payloads: bytes) -> list[int]:
        """Publish, and return the packet identifiers of what is sent."""
        self.sent = b""
        self.publisher.add([Publication("t", payload) for payload in payloads])
        self.publisher.send()
        packets = Splitter(v5=True, most_bytes=1 << 21).split(self.sent, 0.0)
        return [packet.mid for packet in packets]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A publisher and what it sends."""
    return Wire(monkeypatch)


def test_counts(wire: Wire) -> None:
    """What was made, is not confirmed, was refused, and did not fit is counted."""
    a, b, c = wire.publish(b"a", b"b", b"c")
    wire.publisher.confirm([Confirmation(a, 0), Confirmation(b, NOT_AUTHORIZED)])
    assert (3, 1, 1, 0) == wire.publisher.counts[:4]
    wire.publisher.confirm([Confirmation(c, NOT_AUTHORIZED)])
    assert (3, 0, 2, 0) == wire.publisher.counts[:4]
    wire.publisher.begin_again(
        Announcement(
            session_present=False,
            session_expiry_s=None,
            receive_maximum=None,
            maximum_packet_bytes=100,
            maximum_qos=2,
            retain_available=True,
        )
    )
    wire.publish(b"d", b"e" * 1_000)
    assert (5, 1, 2, 1) == wire.publisher.counts[:4]


def test_progress(wire: Wire) -> None:
    """It is told how far the broker was when, once."""
    a, b, c = wire.publish(b"a", b"b", b"c")
    wire.now = 101.0
    wire.publisher.confirm([Confirmation(a, 0), Confirmation(b, 0)])
    wire.now = 102.0
    wire.publisher.confirm([Confirmation(c, 0), Confirmation(c, 0)])
    assert [(2, 101.0), (3, 102.0)] == wire.publisher.take_progress()
    assert [] == wire.publisher.take_progress()


def test_a_broker_that_stalls(wire: Wire) -> None:
    """It stalls from the last confirmation on, or from when there was something to confirm."""
    assert 0 == wire.publisher.counts.stalled_s
    wire.now = 500.0
    a, b = wire.publish(b"a", b"b")
    wire.now = 503.0
    assert 3 == wire.publisher.counts.stalled_s
    wire.publisher.confirm([Confirmation(a, 0)])
    wire.now = 504.0
    assert 1 == wire.publisher.counts.stalled_s
    wire.publisher.confirm([Confirmation(b, 0)])
    wire.now = 600.0
    assert 0 == wire.publisher.counts.stalled_s
