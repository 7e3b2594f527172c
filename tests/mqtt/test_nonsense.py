"""Brokers that break off, or send what is no MQTT: nobody is left connected and deaf."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from pipeline.mqtt import events, link, unacknowledged
from pipeline.mqtt.connection import Connection
from pipeline.mqtt.events import Session
from tests.fake_broker import PUBACK, SUBSCRIBE, TIMEOUT_S, FakeBroker, Script, message, packet
from tests.mqtt.connecting import connection_to, failure

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


NONSENSE: Final = {
    "a login that is too short": Script(login=b"\x20\x01\x00"),
    "a login with properties that are none": Script(login=b"\x20\x05\x00\x00\x02\xff\xff"),
    "a login with a string that is not UTF-8": Script(
        login=b"\x20\x07\x00\x00\x04\x1f\x00\x01\xff"
    ),
    "another protocol": Script(login=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "subscriptions that are fewer": Script(subscriptions=(1,)),
    "subscriptions that are more": Script(subscriptions=(1, 1, 1)),
    "the end, for no reason": Script(login=b"\xe0\x00"),
    "bytes": Script(login=bytes(range(256))),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_nonsense_instead_of_an_answer(case: str) -> None:
    """Whoever answers so is no broker, and that is said."""
    with FakeBroker(NONSENSE[case]) as broker:
        assert "no connection to" in failure(broker, protocol="5")


AFTER: Final = {
    "a message without topic": packet(0x32, b"\x00\x09a"),
    "a message of QoS 2": packet(0x34, b"\x00\x01a\x00\x05\x00"),
    "a length without end": b"\x30\xff\xff\xff\xff\x7f",
    "what a client sends": packet(0x82, b"\x00\x01\x00"),
    "the end, for an unknown reason": packet(0xE0, b"\xc8"),
    "the end, for no reason": b"\xe0\x00",
    "the end, normally": b"\xe0\x01\x00",
}


@pytest.mark.parametrize("case", AFTER)
def test_nonsense_later(case: str) -> None:
    """After what is no MQTT, or the end of the connection, there is another attempt."""
    scripts = iter([Script(then=AFTER[case]), Script(then=message("a", b"again"))])
    with FakeBroker(lambda _: next(scripts)) as broker:
        connection = connection_to(broker)
        connection.start(retry=False)
        [came] = connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        assert b"again" == came.payload
        connection.close(timeout_s=0.0)


def test_subscriptions_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that keeps the connection, but does not answer them, is not waited for for ever."""
    monkeypatch.setattr(events, "ANSWER_S", 0.1)
    with FakeBroker(Script(subscriptions=())) as broker:
        assert "it does not answer the subscriptions" in failure(broker, protocol="5")


def test_subscriptions_that_are_answered_behind_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that first sends all that waits in a session is heard to its end."""
    monkeypatch.setattr(events, "ANSWER_S", 1.0)
    with FakeBroker(Script(subscriptions=())) as broker, ThreadPoolExecutor(1) as pool:
        connection = connection_to(broker)
        started = pool.submit(connection.start, retry=False)
        mid = broker.await_packet(SUBSCRIBE)[:2]
        for number in range(15):
            broker.send(message("a", b"%d" % number))
            time.sleep(0.1)
        broker.send(packet(0x90, mid + b"\x00\x01"))
        started.result(TIMEOUT_S)
        assert 15 == len(connection.take(timeout_s=TIMEOUT_S, gather_s=0.0))
        connection.close(timeout_s=0.0)


@pytest.mark.parametrize("answer", [b"\x00\x01", b"\x00\x87"])
def test_what_waits_is_taken_before_subscriptions_are_answered(answer: bytes) -> None:
    """Or all that waits in a session would be in memory first; what comes of it is told later."""
    session = Session("test-1", 60, expected=True)
    with FakeBroker(Script(subscriptions=())) as broker, ThreadPoolExecutor(1) as pool:
        connection = connection_to(broker, session=session)
        started = pool.submit(connection.start, retry=False)
        mid = broker.await_packet(SUBSCRIBE)[:2]
        broker.send(message("a", b"waited", mid=1))
        started.result(TIMEOUT_S)
        [came] = connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        assert (b"waited", False) == (came.payload, connection.ready.is_set())
        connection.acknowledge([came.receipt])
        broker.await_packet(PUBACK)
        broker.send(packet(0x90, mid + answer))
        if answer.endswith(b"\x01"):
            assert connection.ready.wait(TIMEOUT_S)
        else:
            with pytest.raises(ConnectionError, match="no connection to"):
                connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        connection.close(timeout_s=0.0)


def test_a_topic_that_is_not_text() -> None:
    """A topic that is not UTF-8 is one all the same, and what follows is heard."""
    then = packet(0x30, b"\x00\x03a/\xff\x00x") + message("a", b"next")
    with FakeBroker(Script(then=then)) as broker:
        connection = connection_to(broker)
        connection.start(retry=False)
        came = connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        assert [("a/\ufffd", b"x"), ("a", b"next")] == [(one.topic, one.payload) for one in came]
        connection.close(timeout_s=0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda connection: connection.take(timeout_s=TIMEOUT_S, gather_s=0.0),
        lambda connection: connection.await_confirmations(-1, timeout_s=TIMEOUT_S),
    ],
    ids=["take", "await_confirmations"],
)
def test_an_error_on_the_network_thread_is_the_callers(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Connection], object]
) -> None:
    """Whatever is raised there, the caller's next call raises it, and does not wait for ever."""

    def broken(mids: list[int]) -> bytes:
        raise ZeroDivisionError

    with FakeBroker(Script(then=message("a", b"", mid=7))) as broker:
        connection = connection_to(broker)
        monkeypatch.setattr(unacknowledged, "acknowledgements", broken)

        def start_and_call() -> None:
            connection.start(retry=False)
            call(connection)

        with pytest.raises(ZeroDivisionError):
            start_and_call()
        connection.close(timeout_s=0.0)


@pytest.mark.parametrize(("proven_s", "growth"), [(60.0, 2), (0.0, 1)])
def test_connections_that_do_not_last(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    proven_s: float,
    growth: int,
) -> None:
    """A broker that ends each connection as soon as it is ready is asked less and less often."""
    monkeypatch.setattr(link, "PROVEN_S", proven_s)
    monkeypatch.setattr(link.random, "uniform", lambda low, high: 0.01)
    with FakeBroker(Script(end=True)) as broker:
        connection = connection_to(broker)
        connection.start(retry=True)
        broker.await_packet(SUBSCRIBE, times=5)
        connection.close(timeout_s=0.0)
    lost = [record for record in caplog.records if "next try in" in record.msg]
    delays = [record.args["delay_s"] for record in lost if isinstance(record.args, dict)]
    assert pytest.approx([0.01 * growth**number for number in range(4)]) == delays[:4]
    assert (growth > 1) == ("its own log may say more" in lost[1].getMessage())
