"""More than har-stream can work through: what waits, what is dropped, and that it gets over it.

Long ticks make a little much: all that comes during one waits for it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from tests.client import MqttClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

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


class Observer(MqttClient):
    """A client that publishes as all phones, and reads predictions and the load."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        super().__init__(broker, "har/+/prediction", "har/load")

    def send_messages(self, device: str, numbers: range, *, qos: int) -> None:
        """Publish messages of a phone, and return when the last has left."""
        for number in numbers[:-1]:
            self.send(f"har/{device}/samples", message(number), qos=qos)
        self.publish(f"har/{device}/samples", message(numbers[-1]), qos=qos)

    def windows(self, device: str, *, until: int) -> list[int]:
        """Return the first messages of a phone's windows, until that of this number is there."""
        numbers: list[int] = []
        while until not in numbers:
            payload, _ = self.await_message(f"har/{device}/prediction")
            numbers.append(round((json.loads(payload)["start"] - EPOCH) * 50 / ROWS))
        return numbers

    def load(self) -> dict[str, Any]:
        """Return the next report of the load."""
        report: dict[str, Any] = json.loads(self.await_message("har/load")[0])
        return report


@pytest.fixture
def observer(broker: "Broker") -> Iterator[Observer]:
    """An observer at the shared broker."""
    with Observer(broker) as observer:
        yield observer


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
    observer.send_messages("calm", range(2), qos=0)
    observer.send_messages("flood", range(400), qos=0)
    observer.send_messages("calm", range(2, 4), qos=0)

    assert [0, 1, 2] == sorted(observer.windows("calm", until=2))
    newest = Counter(observer.windows("flood", until=398))
    assert set(range(380, 399)) <= set(newest)
    assert len(newest) < 398
    running.await_log("messages, the oldest of who sent most: 'har/flood/samples'")
    assert observer.load()["dropped"] > 0

    observer.send_messages("flood", range(400, 402), qos=0)  # it has got over it
    assert 400 in observer.windows("flood", until=400)
    assert 0 == running.end()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_too_much_at_qos_1(
    observer: Observer, start: Callable[..., "Running"], protocol: str
) -> None:
    """Nothing is lost: what cannot be kept here is held back by the broker."""
    running = start("--protocol", protocol)
    observer.send_messages("phone", range(400), qos=1)

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
        observer.send_messages("phone", range(n_sent, n_sent + 200), qos=1)
        n_sent += 200
    running.await_log("caught up")
    assert 0 == running.end()
