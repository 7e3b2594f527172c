"""Brokers that lack something, or allow less than is asked for."""

from typing import Final

import pytest

from pipeline.mqtt import link
from pipeline.mqtt.events import Session
from tests.fake_broker import CONNECT, PUBLISH, TIMEOUT_S, FakeBroker, Script, packet
from tests.mqtt.connecting import connection_to

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


@pytest.mark.parametrize(("announced", "n_logins"), [(b"\x27\x00\x00\x00\x64", 1), (b"", 2)])
def test_what_is_too_large_for_the_broker(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    announced: bytes,
    n_logins: int,
) -> None:
    """It is lost, and that is said once; the rest is delivered, over one connection if announced.

    Of a broker that tells its limit only by ending the connection it is learned.
    """
    monkeypatch.setattr(link.random, "uniform", lambda low, high: 0.01)
    script = Script(announced=announced, ends_over=lambda _, size: size > 100, ends_with=0x95)
    with FakeBroker(script) as broker:
        connection = connection_to(broker)
        connection.start(retry=False)
        for topic, size in (("s/1", 9), ("l/1", 200), ("s/2", 9), ("l/2", 200), ("l/3", 300)):
            connection.publish(topic, bytes(size))
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.publish("s/3", bytes(9))
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.close(timeout_s=0.0)
        received = broker.packets()
    # It may take one more where the largest was not sent before the first end.
    assert [kind for kind, _ in received].count(CONNECT) - n_logins in (0, n_logins - 1)
    topics = [body[2:5] for kind, body in received if kind == PUBLISH]
    assert [b"s/1", b"s/2", b"s/3"] == sorted({topic for topic in topics if topic[:1] == b"s"})
    lines = [record for record in caplog.records if "max_packet_size" in record.message]
    assert 1 <= len(lines) <= 2  # the first at once, and the rest at the end
    assert "3 of ours are lost so far" in lines[-1].message


UNSUPPORTED: Final = {
    "announces no retain": (Script(announced=b"\x25\x00"), "retain_available true"),
    "announces no QoS 1": (Script(announced=b"\x24\x00"), "max_qos 1 or more"),
    "refuses retain": (
        Script(ends_over=lambda head, _: bool(head & 1), ends_with=0x9A),
        "retain_available true",
    ),
    "refuses QoS 1": (
        Script(ends_over=lambda head, _: bool(head & 6), ends_with=0x9B),
        "max_qos 1 or more",
    ),
    "refuses a login with retain": (Script(login=0x9A), "retain_available true"),
    "refuses a login with QoS 1": (Script(login=0x9B), "max_qos 1 or more"),
    "announces neither": (
        Script(announced=b"\x25\x00\x24\x00"),
        "retain_available true there (Retain not supported); it takes nothing at QoS 1: "
        "set max_qos 1 or more",
    ),
    "allows no wildcards": (Script(then=packet(0xE0, b"\xa2")), "subscriptions with wildcards"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_broker_does_not_support(case: str) -> None:
    """Trying again would not mend it: the connection ends, with the setting that is needed."""
    script, setting = UNSUPPORTED[case]
    with FakeBroker(script) as broker:
        connection = connection_to(broker, status_topic="har/status")

        def start_and_take() -> None:
            connection.start(retry=True)
            connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)

        with pytest.raises(ConnectionError) as error:
            start_and_take()
        connection.close(timeout_s=0.0)
        assert 1 == [kind for kind, _ in broker.packets()].count(CONNECT)
    assert setting in str(error.value)


def test_who_retains_nothing_needs_no_retain() -> None:
    """A broker that keeps nothing serves who publishes nothing to be kept, until that is."""
    with FakeBroker(Script(announced=b"\x25\x00")) as broker:
        connection = connection_to(broker)
        connection.start(retry=False)
        connection.publish("t", b"")
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.publish("t", b"", retain=True)
        with pytest.raises(ConnectionError, match="retain_available true"):
            connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.close(timeout_s=0.0)


def test_a_session_that_is_kept_for_less(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that keeps our session for a shorter time than asked is called by name."""
    with FakeBroker(Script(announced=b"\x11\x00\x00\x00\x3c")) as broker:
        connection = connection_to(broker, session=Session("me", 3600, expected=False))
        connection.start(retry=False)
        connection.close(timeout_s=0.0)
    assert "keeps our session for 60 s at most, not for --session-expiry 3600" in caplog.text
