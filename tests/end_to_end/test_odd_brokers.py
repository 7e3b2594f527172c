"""Brokers that refuse, break off, or send what is no MQTT: nobody is left connected and deaf."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.mqtt import connection as link
from pipeline.mqtt.connection import Connection, Session
from pipeline.settings import BrokerSettings
from tests.fake_broker import (
    DISCONNECT,
    HOST,
    PUBACK,
    PUBLISH,
    SUBSCRIBE,
    TIMEOUT_S,
    FakeBroker,
    Script,
    message,
    packet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Running

    Start = Callable[..., Running]

REFUSALS: Final = range(128, 256)
NAMES: Final = ReasonCode(PacketTypes.CONNACK).names

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


def expected_name(code: int) -> str:
    """Return how a reason code is called for people."""
    return next(iter(NAMES[code])) if code in NAMES else f"reason code {code}"


def failure(broker: FakeBroker, *, protocol: str, name: str = "test") -> str:
    """Return why a connection fails at its first attempt, and see that its thread has ended."""
    settings = BrokerSettings(broker=HOST, port=broker.port, protocol=protocol)
    connection = Connection(settings, name=name, subscriptions=["a", "b"])
    with pytest.raises(ConnectionError) as error:
        connection.start(retry=False)
    assert not [one for one in threading.enumerate() if f"client-{name}-" in one.name]
    connection.close(timeout_s=0.0)
    return str(error.value)


def sweep(broker: FakeBroker, codes: range, *, protocol: str) -> dict[int, str]:
    """Return why connections fail whose names tell the reason code that they are to get."""
    with ThreadPoolExecutor(16) as executor:
        failures = executor.map(
            lambda code: failure(broker, protocol=protocol, name=f"code{code}x"), codes
        )
        return dict(zip(codes, failures, strict=True))


def told_code(connect: bytes) -> int:
    """Return the reason code in the name of the client that logs in."""
    return int(connect.split(b"code")[1].split(b"x")[0])


@pytest.mark.parametrize("kind", ["login", "subscription", "end"])
def test_every_refusal_has_a_name(kind: str) -> None:
    """Whatever reason code a broker of MQTT 5 gives, also one unknown to paho, it is said."""

    def script(connect: bytes) -> Script:
        code = told_code(connect)
        if kind == "login":
            return Script(login=code)
        if kind == "subscription":
            return Script(subscriptions=(code, code))
        return Script(login=packet(0xE0, bytes([code])))

    with FakeBroker(script) as broker:
        failures = sweep(broker, REFUSALS, protocol="5")
    for code, why in failures.items():
        wanted = "taken our place" if (kind, code) == ("end", 0x8E) else expected_name(code)
        assert wanted in why, code


def test_every_refusal_of_3_1_1() -> None:
    """So it is with the return codes of a login of MQTT 3.1.1, of which there are five."""
    known = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
    with FakeBroker(lambda connect: Script(v5=False, login=told_code(connect))) as broker:
        failures = sweep(broker, range(1, 256), protocol="3.1.1")
    for code, why in failures.items():
        assert expected_name(known.get(code, code)) in why, code


def test_every_refusal_of_a_subscription_of_3_1_1() -> None:
    """There only 128 is one, but others are not taken for a subscription either."""
    with FakeBroker(
        lambda connect: Script(v5=False, subscriptions=(told_code(connect),) * 2)
    ) as broker:
        failures = sweep(broker, REFUSALS, protocol="3.1.1")
    for code, why in failures.items():
        assert f"the subscription to a and b ({expected_name(code)})" in why


def test_every_refusal_of_a_publication(caplog: pytest.LogCaptureFixture) -> None:
    """Each is said once, the connection goes on, and what was published counts as delivered."""
    with FakeBroker(Script(publications=tuple(REFUSALS))) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=False)
        for _ in range(2 * len(REFUSALS)):
            connection.publish("t", b"")
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        assert connection.ready.is_set()
        connection.close(timeout_s=0.0)
    for code in REFUSALS:
        assert 1 == caplog.text.count(f"refuses what is published: {expected_name(code)}; may"), (
            code
        )


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
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=False)
        [came] = connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        assert b"again" == came.payload
        connection.close(timeout_s=0.0)


def test_subscriptions_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that keeps the connection, but does not answer them, is not waited for for ever."""
    monkeypatch.setattr(link, "ANSWER_S", 0.1)
    with FakeBroker(Script(subscriptions=())) as broker:
        assert "it does not answer the subscriptions" in failure(broker, protocol="5")


def test_a_topic_that_is_not_text() -> None:
    """A topic that is not UTF-8 is one all the same, and what follows is heard."""
    then = packet(0x30, b"\x00\x03a/\xff\x00x") + message("a", b"next")
    with FakeBroker(Script(then=then)) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
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
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        monkeypatch.setattr(link, "acknowledgements", broken)

        def start_and_call() -> None:
            connection.start(retry=False)
            call(connection)

        with pytest.raises(ZeroDivisionError):
            start_and_call()
        connection.close(timeout_s=0.0)


def test_who_takes_our_place_keeps_it() -> None:
    """A session that another has taken over is left to it, with an error that says so."""
    with FakeBroker(Script(then=packet(0xE0, b"\x8e"))) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(
            settings, name="test", subscriptions=["a"], session=Session("me", 60, expected=False)
        )

        def start_and_take() -> None:
            connection.start(retry=True)
            connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)

        with pytest.raises(ConnectionError, match="taken our place"):
            start_and_take()
        network = [one for one in threading.enumerate() if one.name.endswith("client-me")]
        for one in network:
            one.join(TIMEOUT_S)  # it does not try again
            assert not one.is_alive()
        connection.close(timeout_s=0.0)


@pytest.mark.parametrize(("younger_by", "stays"), [(-1, True), (0, True), (1, False)])
def test_of_two_with_one_name_the_younger_stays(younger_by: int, stays: bool) -> None:
    """Where the broker does not tell who took our place, the other one's mark does."""
    logins: list[bytes] = []

    def script(connect: bytes) -> Script:
        logins.append(connect)
        own_start = int(connect.split(b"\x0ahar-stream")[1].split(b"me ")[1].split(b"\x00")[0])
        mark = f"me {own_start + younger_by}"
        properties = b"\x26\x00\x0ahar-stream" + len(mark).to_bytes(2) + mark.encode()
        status = packet(
            0x31, b"\x00\x0ahar/status" + bytes([len(properties)]) + properties + b"offline"
        )
        return Script(end=len(logins) == 1, then=status)

    with FakeBroker(script) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(
            settings,
            name="test",
            subscriptions=["a"],
            status_topic="har/status",
            session=Session("me", 60, expected=False),
        )
        connection.start(retry=True)
        broker.await_packet(SUBSCRIBE, times=2)  # the first time, marks are from before
        if stays:
            assert [] == connection.take(timeout_s=0.1, gather_s=0.0)
        else:
            with pytest.raises(ConnectionError, match="taken our place"):
                connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        connection.close(timeout_s=0.0)


def test_what_is_optional_may_be_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Without one of the other subscriptions, or with one of them, it goes on, and that is said."""
    for codes, refused in (((1, 0x87, 0x87), ("b", "c")), ((1, 1, 0x80), ("c",))):
        with FakeBroker(Script(subscriptions=codes)) as broker:
            settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
            connection = Connection(
                settings, name="test", subscriptions=["a", "b", "c"], optional=["c"]
            )
            connection.start(retry=False)
            assert refused == connection.refused
            connection.close(timeout_s=0.0)
    assert "the broker refuses the subscription to b: Not authorized" in caplog.text
    with FakeBroker(Script(subscriptions=(0x87, 0x80, 1))) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(
            settings, name="test", subscriptions=["a", "b", "c"], optional=["c"]
        )
        with pytest.raises(
            ConnectionError, match=r"a and b \(Not authorized, Unspecified error\): may"
        ):
            connection.start(retry=True)


# By the front door


@pytest.fixture
def start(start_command: "Start", tiny_model: "Path") -> Callable[..., "Running"]:
    """A function that starts a har-stream at a fake broker."""

    def start(broker: FakeBroker, *flags: str) -> "Running":
        return start_command(
            "har-stream", "--broker", HOST, "--port", str(broker.port), "--protocol", "5",
            "--model", str(tiny_model), *flags,
        )  # fmt: skip

    return start


def test_har_stream_survives_a_refused_publication(start: Callable[..., "Running"]) -> None:
    """A reason code that paho does not know, for what it publishes, does not make it deaf."""
    bad = message("har/phone/samples", b"{", mid=9)
    with FakeBroker(Script(publications=(0x95,), then=bad)) as broker:
        running = start(broker)
        running.await_log("refuses what is published: Packet too large")
        running.await_log("rejected a message on 'har/phone/samples'")
        assert 0 == running.end()
        broker.await_packet(PUBLISH, containing=b"offline")


def test_har_stream_is_not_online_without_subscriptions(start: Callable[..., "Running"]) -> None:
    """Where the broker refuses all samples it ends, says why, and has not said that it is there."""
    with FakeBroker(lambda _: Script(subscriptions=(0x87, 0x87, 1))) as broker:
        running = start(broker, "--subscribe", "sensor-logger=sensor-logger")
        assert 1 == running.process.wait(TIMEOUT_S)
        assert (
            "har-stream: no connection to 127.0.0.1:"
            f"{broker.port}: the broker refuses the subscription to sensor-logger and "
            "har/+/samples (Not authorized): may anybody read there?" in running.log
        )
        sent = [broker.received.get() for _ in range(broker.received.qsize())]
        assert PUBLISH not in [kind for kind, _ in sent]


def test_har_stream_without_subscriptions_after_a_while(start: Callable[..., "Running"]) -> None:
    """If they are refused later, it is not online either, and tries again until they are not."""
    scripts = iter(
        [Script(end=True), Script(subscriptions=(0x87, 0x87)), Script(subscriptions=(1, 1))]
    )
    with FakeBroker(lambda _: next(scripts)) as broker:
        running = start(broker)
        broker.await_packet(SUBSCRIBE)
        broker.await_packet(SUBSCRIBE)
        running.await_log("the broker refuses the subscription to har/+/samples (Not authorized)")
        kinds: list[int] = []
        while PUBLISH not in kinds:
            kinds.append(broker.received.get(timeout=TIMEOUT_S)[0])
        assert SUBSCRIBE in kinds  # only then it says that it is online
        assert 0 == running.end()


def test_har_stream_whose_place_is_taken(start: Callable[..., "Running"]) -> None:
    """It ends with an error, without saying ``offline`` in the name of who is there now."""
    with FakeBroker(Script(then=packet(0xE0, b"\x8e"))) as broker:
        running = start(broker, "--state", "state")
        assert 1 == running.process.wait(TIMEOUT_S)
        assert "har-stream: another program has taken our place at 127.0.0.1:" in running.log
        assert DISCONNECT not in [broker.received.get()[0] for _ in range(broker.received.qsize())]


@pytest.mark.parametrize(("most", "called_offline"), [(2, False), (3, True)])
def test_whose_messages_may_be_held_back(
    start: Callable[..., "Running"], most: int, called_offline: bool
) -> None:
    """While the broker waits for acknowledgements, nobody is called offline; else who is silent."""
    payload = (
        f'{{"time": [{time.time()}], "acc": [[0, 0, 1]], "acc_unit": "g", '
        '"gyro": [[0, 0, 0]], "gyro_unit": "rad/s"}'
    ).encode()
    first, *more = (message("har/phone/samples", payload, mid=mid) for mid in (1, 2, 3))
    # After the first one is saved, two more come, that are in no checkpoint for a long time.
    with FakeBroker(Script(then=first, acknowledged=b"".join(more))) as broker:
        start(
            broker, "--state", "state", "--checkpoint", "1000", "--offline-after", "1.2",
            "--max-waiting", str(most),
        )  # fmt: skip
        broker.await_packet(PUBLISH, containing=b"har/phone/availability")
        deadline = time.monotonic() + 3.7
        offline = False
        while not offline and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                kind, body = broker.received.get(timeout=0.1)
                offline = kind == PUBLISH and b"har/phone/availability" in body and b"offl" in body
    assert called_offline == offline


def test_what_is_too_large_is_acknowledged_in_its_turn(start: Callable[..., "Running"]) -> None:
    """A broker that sends it all the same need not send it again, nor what is around it."""
    messages = [
        message("har/phone/samples", payload, mid=mid)
        for mid, payload in ((1, b"{"), (2, bytes(1_500_000)), (3, b"{"))
    ]
    with FakeBroker(Script(then=b"".join(messages))) as broker:
        running = start(broker, "--state", "state")
        running.await_log("rejected a message on 'har/phone/samples' (size, 1 so far)")
        mids = [int.from_bytes(broker.await_packet(PUBACK)[:2]) for _ in messages]
        assert [1, 2, 3] == mids
        assert 0 == running.end()
