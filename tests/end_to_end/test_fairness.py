"""One phone that sends very often: its results come at once, and all others' as without it."""

import json
import queue
import threading
import time
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

TIMEOUT_S: Final = 20.0
EPOCH: Final = 1698501144.4
CHANNELS: Final = [
    f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
]
WINDOW: Final = 128
HOP: Final = 64

pytestmark = pytest.mark.broker


def message(number: int) -> bytes:
    """Return a phone's message of this number, one prepared sample."""
    row = np.random.default_rng(number).normal(size=9) * 0.3
    return json.dumps(
        {"time": [EPOCH + number / 50], "channels": CHANNELS, "samples": [row.round(4).tolist()]}
    ).encode()


class Phones:
    """A client that publishes as phones, and notes when what comes back."""

    def __init__(self, broker: "Broker", topics: str = "har/+/+") -> None:
        """Connect and subscribe."""
        self.came: queue.SimpleQueue[tuple[float, str, bytes]] = queue.SimpleQueue()
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(0)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._note
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        assert subscribed.wait(TIMEOUT_S)

    def _note(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if not message.topic.endswith("/samples"):
            self.came.put((time.monotonic(), message.topic, bytes(message.payload)))

    def send(self, device: str, number: int, *, qos: int) -> float:
        """Publish one message of a phone, and return when."""
        self._client.publish(f"har/{device}/samples", message(number), qos)
        return time.monotonic()

    def calibrate(self, device: str, payload: bytes | str) -> None:
        """Publish a phone's calibration."""
        self._client.publish(f"har/{device}/calibration", payload, 1)

    def send_at(self, device: str, rate_hz: float, *, seconds: float, qos: int) -> list[float]:
        """Publish messages of a phone at a rate, and return when each of them was."""
        begin = time.monotonic()
        sent = []
        for number in range(round(rate_hz * seconds)):
            time.sleep(max(0.0, begin + number / rate_hz - time.monotonic()))
            sent.append(self.send(device, number, qos=qos))
        return sent

    def await_message(self, topic: str) -> tuple[float, Any]:
        """Return when the next message on a topic came, and what it says."""
        while True:
            when, found, payload = self.came.get(timeout=TIMEOUT_S)
            if found == topic:
                return when, payload.decode()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def phones(broker: "Broker") -> Iterator[Phones]:
    """Phones at the shared broker."""
    phones = Phones(broker)
    yield phones
    phones.close()


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
    """Of 300 or 600 messages a second none wait: results are younger than a tenth of a second."""
    running = start()
    device = f"busy-{rate_hz}-{qos}"
    sent = phones.send_at(device, rate_hz, seconds=2.0, qos=qos)
    ages_s = []
    for number in range(WINDOW - 1, len(sent), HOP):
        when, _ = phones.await_message(f"har/{device}/prediction")
        ages_s.append(when - sent[number])
    assert np.median(ages_s) < 0.1
    assert ages_s[-1] < 0.5  # and they do not grow older and older
    assert 0 == running.end()
    assert "dropped" not in running.log


def test_what_others_are_told_while_one_is_busy(
    phones: Phones, start: Callable[..., "Running"]
) -> None:
    """Heartbeats and offline phones come on time, though messages that must be kept never end."""
    running = start("--heartbeat", "1", "--offline-after", "2", "--protocol", "3.1.1")
    for number in range(2 * WINDOW):
        phones.send("calm", number, qos=1)
    phones.await_message("har/calm/activity")
    over = threading.Event()

    def flood() -> None:
        number = 0
        while not over.is_set():
            for _ in range(10):
                number += 1
                phones.send("busy", number, qos=1)
            time.sleep(0.02)

    def stay() -> None:
        number = 2 * WINDOW
        while not over.wait(0.5):
            number += 1
            phones.send("calm", number, qos=1)

    threads = [threading.Thread(target=flood), threading.Thread(target=stay)]
    for thread in threads:
        thread.start()
    try:
        phones.await_message("har/busy/availability")
        last = phones.send("gone", 0, qos=1)
        assert "online" == phones.await_message("har/gone/availability")[1]
        beats = []
        while True:
            when, topic, payload = phones.came.get(timeout=TIMEOUT_S)
            if topic == "har/calm/activity":
                beats.append(when)
            elif topic.endswith("/availability"):
                break
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert ("har/gone/availability", b"offline") == (topic, payload)
    assert 2.0 < when - last < 4.5
    assert len(beats) >= 1
    assert max(np.diff([last, *beats])) < 2.5
    assert 0 == running.end()


def test_the_log_grows_slowly(broker: "Broker", start: Callable[..., "Running"]) -> None:
    """Calibrations and invented names by the thousand make some dozens of lines, and a count."""
    running = start("--max-devices", "3000")
    phones = Phones(broker, "har/last/availability")
    phones.send("calm", 0, qos=1)
    rotation = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    for number in range(1000):
        phones.calibrate("calm", b"" if number % 2 else json.dumps({"v": 1, "rotation": rotation}))
        phones.send(f"invented-{number}", 0, qos=1)
        if not number % 100:
            time.sleep(0.05)  # the broker keeps only so many messages for a client
    phones.send("last", 0, qos=1)
    phones.await_message("har/last/availability")
    phones.close()
    assert 0 == running.end()
    lines = running.log.splitlines()
    assert len(lines) < 200
    assert any("left out" in line and "lines" in line for line in lines)
    assert "stopped: " in running.log
