"""One phone that sends very often: its results come at once, and all others' as without it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from tests.client import MqttClient, Received, results_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

EPOCH: Final = 1698501144.4
CHANNELS: Final = [
    f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
]
WINDOW: Final = 128
HOP: Final = 64

pytestmark = [pytest.mark.broker, pytest.mark.alone]


def message(number: int) -> bytes:
    """Return a phone's message of this number, one prepared sample."""
    row = np.random.default_rng(number).normal(size=9) * 0.3
    return json.dumps(
        {"time": [EPOCH + number / 50], "channels": CHANNELS, "samples": [row.round(4).tolist()]}
    ).encode()


class Phones(MqttClient):
    """A client that publishes as phones, and notes when what comes back."""

    def __init__(self, broker: "Broker", *topics: str) -> None:
        """Connect and subscribe, by default to all results."""
        self._arrivals_s: list[float] = []
        super().__init__(broker, *(topics or results_of()))

    def keep(self, message: Received) -> None:
        """Note when a message arrived, on the monotonic clock."""
        self._arrivals_s.append(time.monotonic())
        super().keep(message)

    def send_sample(self, device: str, number: int, *, qos: int) -> float:
        """Publish one message of a phone, and return when."""
        self.send(f"har/{device}/samples", message(number), qos=qos)
        return time.monotonic()

    def send_at(self, device: str, rate_hz: float, *, seconds: float, qos: int) -> list[float]:
        """Publish messages of a phone at a rate, and return when each of them was."""
        begin = time.monotonic()
        sent = []
        for number in range(round(rate_hz * seconds)):
            time.sleep(max(0.0, begin + number / rate_hz - time.monotonic()))
            sent.append(self.send_sample(device, number, qos=qos))
        return sent

    def await_arrival(self) -> tuple[float, Received]:
        """Return the next message, and when it arrived."""
        arrived = self.take()
        assert arrived is not None, "nothing comes"
        return self._arrivals_s[len(self.taken) - 1], arrived

    def await_arrival_on(self, topic: str) -> float:
        """Return when the next message on a topic arrived."""
        self.await_message(topic)
        return self._arrivals_s[len(self.taken) - 1]


@pytest.fixture
def phones(broker: "Broker") -> Iterator[Phones]:
    """Phones at the shared broker."""
    with Phones(broker) as phones:
        yield phones


@pytest.fixture
def start(broker: "Broker", start_command: "Start", tiny_model: "Path") -> Callable[..., "Running"]:
    """A function that starts a har-stream."""

    def start(*flags: str) -> "Running":
        running = start_command(
            "har-stream", *broker.flags, "--model", str(tiny_model), "--hop", str(HOP), *flags
        )
        broker.await_har_stream()
        return running

    return start


@pytest.mark.parametrize("rate_hz", [300, 600])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_phone_that_sends_each_event_by_itself(
    phones: Phones, start: Callable[..., "Running"], rate_hz: int, qos: int
) -> None:
    """Of 300 or 600 messages a second none wait: results are younger than a fifth of a second."""
    running = start()
    device = f"busy-{rate_hz}-{qos}"
    sent = phones.send_at(device, rate_hz, seconds=2.0, qos=qos)
    ages_s = []
    for number in range(WINDOW - 1, len(sent), HOP):
        ages_s.append(phones.await_arrival_on(f"har/{device}/prediction") - sent[number])
    assert np.median(ages_s) < 0.2
    assert ages_s[-1] < 0.5  # and they do not grow older and older
    assert 0 == running.end()
    assert "dropped" not in running.log


def test_what_others_are_told_while_one_is_busy(
    phones: Phones, start: Callable[..., "Running"]
) -> None:
    """Heartbeats and offline phones come on time, though messages that must be kept never end."""
    running = start("--heartbeat", "1", "--offline-after", "2", "--protocol", "3.1.1")
    for number in range(2 * WINDOW):
        phones.send_sample("calm", number, qos=1)
    phones.await_message("har/calm/activity")
    over = threading.Event()

    def flood() -> None:
        number = 0
        while not over.is_set():
            for _ in range(10):
                number += 1
                phones.send_sample("busy", number, qos=1)
            time.sleep(0.02)

    def stay() -> None:
        number = 2 * WINDOW
        while not over.wait(0.5):
            number += 1
            phones.send_sample("calm", number, qos=1)

    threads = [threading.Thread(target=flood), threading.Thread(target=stay)]
    for thread in threads:
        thread.start()
    try:
        phones.await_message("har/busy/availability")
        last = phones.send_sample("gone", 0, qos=1)
        assert b"online" == phones.await_message("har/gone/availability")[0]
        beats = []
        while True:
            when, arrived = phones.await_arrival()
            if arrived.topic == "har/calm/activity":
                beats.append(when)
            elif arrived.topic.endswith("/availability"):
                break
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert ("har/gone/availability", b"offline", False) == arrived
    assert 2.0 < when - last < 4.5
    assert len(beats) >= 1
    assert max(np.diff([last, *beats])) < 2.5
    assert 0 == running.end()


def test_the_log_grows_slowly(broker: "Broker", start: Callable[..., "Running"]) -> None:
    """Calibrations and invented names by the thousand make some dozens of lines, and a count."""
    running = start("--max-devices", "3000")
    calibration = json.dumps({"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]})
    with Phones(broker, "har/last/availability") as phones:
        phones.send_sample("calm", 0, qos=1)
        for number in range(1000):
            phones.send("har/calm/calibration", "" if number % 2 else calibration)
            phones.send_sample(f"invented-{number}", 0, qos=1)
            if not number % 100:
                time.sleep(0.05)  # the broker keeps only so many messages for a client
        phones.send_sample("last", 0, qos=1)
        phones.await_message("har/last/availability")
    assert 0 == running.end()
    lines = running.log.splitlines()
    assert len(lines) < 200
    assert any("left out" in line and "lines" in line for line in lines)
    assert "stopped: " in running.log
