"""More than har-stream can work through: what waits, what is dropped, and that it gets over it.

Long ticks make a little much: all that comes during one waits for it.
"""

import json
import queue
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Broker, Running

    Start = Callable[..., Running]

TIMEOUT_S: Final = 30.0
EPOCH: Final = 1698501144.4
ROWS: Final = 64
"""Samples a message: half a window"""
MOST_WAITING: Final = 40

pytestmark = pytest.mark.broker


def message(number: int) -> bytes:
    """Return a phone's message of this number, prepared samples."""
    rng = np.random.default_rng(number)
    return json.dumps(
        {
            "start": EPOCH + number * ROWS / 50,
            "rate": 50,
            "channels": [f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc")
                         for axis in "xyz"],
            "samples": (rng.normal(size=(ROWS, 9)) * 0.3).round(4).tolist(),
        }
    ).encode()  # fmt: skip


class Observer:
    """A client that publishes as all phones, and notes predictions and the load."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self._came: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        subscribed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(0)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("har/+/prediction", 1), ("har/load", 1)]
        )
        self._client.on_subscribe = lambda *_: subscribed.put(None)
        self._client.on_message = self._note
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        subscribed.get(timeout=TIMEOUT_S)

    def _note(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._came.put((message.topic, bytes(message.payload)))

    def send(self, device: str, numbers: range, *, qos: int) -> None:
        """Publish messages of a phone, and return when the last has left."""
        for number in numbers:
            last = self._client.publish(f"har/{device}/samples", message(number), qos)
        last.wait_for_publish(TIMEOUT_S)

    def windows(self, device: str, *, until: int) -> list[int]:
        """Return the first messages of a phone's windows, until that of this number is there."""
        numbers: list[int] = []
        while until not in numbers:
            topic, payload = self._came.get(timeout=TIMEOUT_S)
            if topic == f"har/{device}/prediction":
                start = json.loads(payload)["start"]
                numbers.append(round((start - EPOCH) * 50 / ROWS))
        return numbers

    def load(self) -> dict[str, Any]:
        """Return the next report of the load."""
        while True:
            topic, payload = self._came.get(timeout=TIMEOUT_S)
            if topic == "har/load":
                report: dict[str, Any] = json.loads(payload)
                return report

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def observer(broker: "Broker") -> Iterator[Observer]:
    """An observer at the shared broker."""
    observer = Observer(broker)
    yield observer
    observer.close()


@pytest.fixture
def start(broker: "Broker", start_command: "Start", tiny_model: "Path") -> Callable[..., "Running"]:
    """A function that starts a har-stream that can keep little."""

    def start(*flags: str) -> "Running":
        running = start_command(
            "har-stream", *broker.flags, "--model", str(tiny_model), "--tick", "0.5",
            "--max-waiting", str(MOST_WAITING), *flags,
        )  # fmt: skip
        broker.await_har_stream()
        return running

    return start


def test_too_much_at_qos_0(observer: Observer, start: Callable[..., "Running"]) -> None:
    """The oldest of the phone that floods are dropped, counted and told; others lose nothing."""
    running = start()
    observer.send("calm", range(2), qos=0)
    observer.send("flood", range(400), qos=0)
    observer.send("calm", range(2, 4), qos=0)

    assert [0, 1, 2] == sorted(observer.windows("calm", until=2))
    newest = Counter(observer.windows("flood", until=398))
    assert set(range(380, 399)) <= set(newest)
    assert len(newest) < 398
    running.await_log("messages at QoS 0, the oldest of who sent most: 'har/flood/samples'")
    assert observer.load()["dropped"] > 0

    observer.send("flood", range(400, 402), qos=0)  # it has got over it
    assert 400 in observer.windows("flood", until=400)
    assert 0 == running.end()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_too_much_at_qos_1(
    observer: Observer, start: Callable[..., "Running"], protocol: str
) -> None:
    """Nothing is lost: what cannot be kept here is held back by the broker."""
    running = start("--protocol", protocol)
    observer.send("phone", range(400), qos=1)

    came = observer.windows("phone", until=398)

    assert list(range(399)) == came
    report = observer.load()
    assert 0 == report["dropped"] == report["rejected"] == report["waiting"]
    assert {"p50", "p99"} == set(report["latency_ms"])
    assert 0 == running.end()
    assert "dropped samples" not in running.log


def test_overload_is_a_state(observer: Observer, start: Callable[..., "Running"]) -> None:
    """It is told when it begins, and when it is over."""
    running = start("--hop", "4")  # 16 windows a message: dearer than to send it
    n_sent = 0
    while "messages wait; more waits at the broker, or is dropped at QoS 0" not in running.log:
        assert n_sent < 20_000, f"sent as fast as can be, and never overloaded: {running.log}"
        observer.send("phone", range(n_sent, n_sent + 200), qos=1)
        n_sent += 200
    running.await_log("caught up")
    assert 0 == running.end()
