"""A phone at a real broker, of which every message that comes back is kept."""

import json
import queue
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.vocabulary import CHANNELS

if TYPE_CHECKING:
    from tests.conftest import Broker

EPOCH: Final = 1698501144.4
"""Time of a phone's first sample"""
TIMEOUT_S: Final = 20.0


class Phone:
    """An MQTT client that sends samples and notes everything that is published under har/."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.device = f"phone-{uuid4().hex[:8]}"
        self._arrived: queue.SimpleQueue[tuple[str, bytes, bool]] = queue.SimpleQueue()
        self._subscribed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.seen: list[tuple[str, bytes, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        topics = [("har/#", 1), ("homeassistant/#", 1)]
        self._client.on_connect = lambda client, *_: client.subscribe(topics)
        self._client.on_subscribe = lambda *_: self._subscribed.put(None)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self.await_subscription()

    def await_subscription(self) -> None:
        """Return when the broker has confirmed a subscription."""
        self._subscribed.get(timeout=TIMEOUT_S)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._arrived.put((message.topic, bytes(message.payload), message.retain))

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Send a message and return when the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(TIMEOUT_S)

    def send(self, rows: NDArray[np.float64], *, first: int = 0, size: int = 25) -> None:
        """Send raw ``(n, 6)`` or prepared ``(n, 9)`` rows at 50 Hz in messages of ``size`` rows."""
        for k in range(0, len(rows), size):
            message: dict[str, Any] = {"v": 1, "start": EPOCH + (first + k) / 50, "rate": 50.0}
            part = rows[k : k + size]
            if part.shape[1] == 9:
                message |= {"channels": CHANNELS, "samples": part.tolist()}
            else:
                message |= {"acc": part[:, :3].tolist(), "acc_unit": "m/s2"}
                message |= {"gyro": part[:, 3:].tolist(), "gyro_unit": "rad/s"}
            self.publish(f"har/{self.device}/samples", json.dumps(message))

    def await_message(self, topic: str, payload: bytes | None = None) -> tuple[bytes, bool]:
        """Return the next message on a topic, with that payload if given, and its retain flag."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                found = self._arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {payload!r} on {topic}; seen: {self.seen[-5:]}")
            self.seen.append(found)
            if found[0] == topic and payload in (None, found[1]):
                return found[1], found[2]

    def predictions(self, n: int) -> list[dict[str, Any]]:
        """Return this phone's next ``n`` predictions."""
        topic = f"har/{self.device}/prediction"
        return [json.loads(self.await_message(topic)[0]) for _ in range(n)]

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
