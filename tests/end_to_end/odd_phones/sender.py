"""A phone that is odd: it sends whatever a test wants, and reads what is published of it."""

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recordings import simulated
from tests.client import TIMEOUT_S, MqttClient, results_of

if TYPE_CHECKING:
    from tests.brokers import Broker

Rows = NDArray[np.float64]


def walk(seconds: float) -> Rows:
    """Return raw rows at 50 Hz of somebody who walks, worn as in training."""
    [recording] = simulated.recordings(1, seconds=seconds, activity="WALKING")
    return recording.stretches[0].samples[: round(seconds * 50)]


class Sender(MqttClient):
    """A phone's owner: sends messages and hears all that is published of one name."""

    def __init__(self, broker: "Broker", device: str = "") -> None:
        """Connect, under a name of its own by default."""
        self.device = device or f"odd-{uuid4().hex[:8]}"
        self.heard: list[tuple[str, Any]] = []
        """Last part of the topic, and content, of all that has been read so far"""
        super().__init__(broker, *results_of(self.device), "homeassistant/#")

    def publish_json(self, topic: str, content: object, *, retain: bool = False) -> None:
        """Send a message and return when the broker has it."""
        self.publish(topic, json.dumps(content), retain=retain)

    def send_rows(self, times: Rows, rows: Rows, size: int = 25, **changes: object) -> None:
        """Send raw rows ``(n, 6)`` in native messages of so many."""
        for k in range(0, len(times), size):
            part = slice(k, k + size)
            self.publish_json(
                f"har/{self.device}/samples",
                {"time": times[part].tolist(), "acc_unit": "m/s2", "gyro_unit": "rad/s"}
                | {"acc": rows[part, :3].tolist(), "gyro": rows[part, 3:].tolist()}
                | changes,
            )

    def send_apart(
        self, acc: tuple[Rows, Rows], gyro: tuple[Rows, Rows], *, n_messages: int
    ) -> None:
        """Send both sensors, each with its own times, in so many messages with a part of each."""
        parts = [np.array_split(one, n_messages) for one in (*acc, *gyro)]
        for acc_times, acc_rows, gyro_times, gyro_rows in zip(*parts, strict=True):
            sensors = {
                "accelerometer": {
                    "time": acc_times.tolist(),
                    "values": acc_rows.tolist(),
                    "unit": "m/s2",
                },
                "gyroscope": {
                    "time": gyro_times.tolist(),
                    "values": gyro_rows.tolist(),
                    "unit": "rad/s",
                },
            }
            self.publish_json(f"har/{self.device}/samples", {"sensors": sensors})

    def await_leaf(self, leaf: str, wanted: Callable[[Any], bool]) -> Any:  # noqa: ANN401
        """Return the first message on ``har/<device>/<leaf>`` that is wanted, of all that came."""
        for name, content in self.heard:
            if name == leaf and wanted(content):
                return content
        deadline = time.monotonic() + TIMEOUT_S
        while (heard := self._hear(deadline - time.monotonic())) is not None:
            name, content = heard
            if name == leaf and wanted(content):
                return content
        pytest.fail(f"no such {leaf} of {self.device}; heard: {self.heard[-6:]}")

    def keep_sending(self, rows: Rows, *, until: Callable[[str, Any], bool]) -> None:
        """Send rows at 50 Hz again and again, with gaps between, until something is heard."""
        deadline, start = time.monotonic() + TIMEOUT_S, now() - 55
        while True:
            start += len(rows) / 50 + 0.7
            self.send_rows(start + np.arange(len(rows)) / 50, rows)
            pause = time.monotonic() + 0.6
            while (heard := self._hear(pause - time.monotonic())) is not None:
                if until(*heard):
                    return
            assert time.monotonic() < deadline, self.heard[-6:]

    def _hear(self, timeout_s: float) -> tuple[str, Any] | None:
        """Return the leaf and the content of the next message, or None if none comes in time."""
        message = self.take(max(timeout_s, 0.0))
        if message is None:
            return None
        try:
            content = json.loads(message.payload)
        except ValueError:
            content = message.payload.decode()
        self.heard.append((message.topic.rpartition("/")[2], content))
        return self.heard[-1]

    def predictions(self) -> list[dict[str, Any]]:
        """Return the predictions so far."""
        return [content for name, content in self.heard if name == "prediction"]

    def activities(self) -> list[str]:
        """Return the activities that were shown so far, but for heartbeats."""
        shown = [content["activity"] for name, content in self.heard if name == "activity"]
        return [name for i, name in enumerate(shown) if i == 0 or name != shown[i - 1]]


def now() -> float:
    """Return epoch seconds."""
    return time.time()


def spot(kind: str, at_s: float, values: Sequence[float]) -> dict[str, object]:
    """Return what SensorSpot sends of an event, its time in seconds since the phone was on."""
    return {
        "type": f"android.sensor.{kind}",
        "timestamp": round(at_s * 1e9),
        "values": list(values),
    }


def logged(name: str, at_s: float, values: Rows) -> dict[str, object]:
    """Return what Sensor Logger sends of an event."""
    return {
        "name": name,
        "time": round(at_s * 1e9),
        "values": dict(zip("xyz", values.tolist(), strict=True)),
    }
