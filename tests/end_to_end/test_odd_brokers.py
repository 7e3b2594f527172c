"""Brokers that refuse or lack something: har-stream goes on, or ends and says why."""

import contextlib
import queue
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

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

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("own_settings")]


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
    with FakeBroker(lambda _: Script(subscriptions=(0x87, 0x87, 1, 1))) as broker:
        running = start(
            broker, "--no-default-subscriptions", "--subscribe", "sensor-logger=sensor-logger"
        )
        assert 1 == running.process.wait(TIMEOUT_S)
        assert (
            "har-stream: no connection to 127.0.0.1:"
            f"{broker.port}: the broker refuses the subscription to sensor-logger and "
            "har/+/samples (Not authorized): may anybody read there?" in running.log
        )
        sent = broker.packets()
        assert PUBLISH not in [kind for kind, _ in sent]


def test_har_stream_without_subscriptions_after_a_while(start: Callable[..., "Running"]) -> None:
    """If they are refused later, it is not online either, and tries again until they are not."""
    scripts = iter(
        [Script(end=True), Script(subscriptions=(0x87,) * 3), Script(subscriptions=(1,) * 3)]
    )
    with FakeBroker(lambda _: next(scripts)) as broker:
        running = start(broker, "--no-default-subscriptions")
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
        assert DISCONNECT not in [kind for kind, _ in broker.packets()]


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
        assert CONNECT not in [kind for kind, _ in broker.packets()]  # again
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
