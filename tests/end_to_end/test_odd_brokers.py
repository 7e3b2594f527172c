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

from pipeline.mqtt import events, link, unacknowledged
from pipeline.mqtt.connection import Connection
from pipeline.mqtt.events import Session
from pipeline.settings import BrokerSettings
from tests.fake_broker import (
    CONNECT,
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

    from tests.processes import Running

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
    monkeypatch.setattr(events, "ANSWER_S", 0.1)
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
        monkeypatch.setattr(unacknowledged, "acknowledgements", broken)

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


def kinds(broker: FakeBroker) -> list[int]:
    """Return the kinds of packets that have come."""
    return [broker.received.get()[0] for _ in range(broker.received.qsize())]


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
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=False)
        for topic, size in (("s/1", 9), ("l/1", 200), ("s/2", 9), ("l/2", 200), ("l/3", 300)):
            connection.publish(topic, bytes(size))
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.publish("s/3", bytes(9))
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.close(timeout_s=0.0)
        received = [broker.received.get() for _ in range(broker.received.qsize())]
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
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(
            settings, name="test", subscriptions=["a"], status_topic="har/status"
        )

        def start_and_take() -> None:
            connection.start(retry=True)
            connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)

        with pytest.raises(ConnectionError) as error:
            start_and_take()
        connection.close(timeout_s=0.0)
        assert 1 == kinds(broker).count(CONNECT)
    assert setting in str(error.value)


def test_who_retains_nothing_needs_no_retain() -> None:
    """A broker that keeps nothing serves who publishes nothing to be kept, until that is."""
    with FakeBroker(Script(announced=b"\x25\x00")) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=False)
        connection.publish("t", b"")
        assert connection.await_confirmations(0, timeout_s=TIMEOUT_S)
        connection.publish("t", b"", retain=True)
        with pytest.raises(ConnectionError, match="retain_available true"):
            connection.await_confirmations(0, timeout_s=TIMEOUT_S)
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
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(settings, name="test", subscriptions=["a"])
        connection.start(retry=True)
        broker.await_packet(SUBSCRIBE, times=5)
        connection.close(timeout_s=0.0)
    lost = [record for record in caplog.records if "next try in" in record.msg]
    delays = [record.args[-1] for record in lost if isinstance(record.args, tuple)]
    assert [0.01 * growth**number for number in range(4)] == pytest.approx(delays[:4])
    assert (growth > 1) == ("its own log may say more" in lost[1].getMessage())


def test_a_session_that_is_kept_for_less(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that keeps our session for a shorter time than asked is called by name."""
    with FakeBroker(Script(announced=b"\x11\x00\x00\x00\x3c")) as broker:
        settings = BrokerSettings(broker=HOST, port=broker.port, protocol="5")
        connection = Connection(
            settings, name="test", subscriptions=["a"], session=Session("me", 3600, expected=False)
        )
        connection.start(retry=False)
        connection.close(timeout_s=0.0)
    assert "keeps our session for 60 s at most, not for --session-expiry 3600" in caplog.text


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


def test_har_stream_goes_on_without_what_is_too_large(start: Callable[..., "Running"]) -> None:
    """Its predictions are lost, and that is said; what led to them is acknowledged all the same."""
    rows = [[0, 0, 1]] * 400
    payload = (
        f'{{"start": {time.time() - 8}, "rate": 50.0, "acc": {rows}, "acc_unit": "g", '
        f'"gyro": {[[0, 0, 0]] * 400}, "gyro_unit": "rad/s"}}'
    ).encode()
    script = Script(
        announced=b"\x27\x00\x00\x00\xfa",
        ends_over=lambda _, size: size > 250,
        ends_with=0x95,
        then=message("har/phone/samples", payload, mid=7),
    )
    with FakeBroker(script) as broker:
        running = start(broker, "--state", "state")
        running.await_log("raise the broker's max_packet_size")
        broker.await_packet(PUBLISH, containing=b"har/phone/availability")
        assert b"\x00\x07" == broker.await_packet(PUBACK)[:2]
        assert 0 == running.end()
        assert CONNECT not in kinds(broker)  # again
    assert "no connection" not in running.log


@pytest.mark.parametrize(
    ("announced", "setting"), [(b"\x25\x00", "retain_available true"), (b"\x24\x00", "max_qos 1")]
)
def test_har_stream_at_a_broker_that_cannot_serve_it(
    start: Callable[..., "Running"], announced: bytes, setting: str
) -> None:
    """It ends with one line that says which setting of the broker it needs."""
    with FakeBroker(Script(announced=announced)) as broker:
        running = start(broker)
        assert 1 == running.process.wait(TIMEOUT_S)
    [line] = [line for line in running.log.splitlines() if line.startswith("har-stream: ")]
    assert setting in line
    assert "Traceback" not in running.log


def test_har_replay_at_a_broker_that_cannot_serve_it(start_command: "Start") -> None:
    """It ends with that line too, and without a traceback of any of its threads."""
    with FakeBroker(Script(announced=b"\x24\x00")) as broker:
        running = start_command(
            "har-replay", "--broker", HOST, "--port", str(broker.port), "--protocol", "5",
            "--recording", "simulated", "--subjects", "1", "--duration", "5",
        )  # fmt: skip
        assert 1 == running.process.wait(TIMEOUT_S)
    [line] = [line for line in running.log.splitlines() if line.startswith("har-replay: ")]
    assert "max_qos 1" in line
    assert "Traceback" not in running.log
