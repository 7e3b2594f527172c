"""A phone at a real broker, of which every message that comes back is kept."""

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import CHANNELS
from tests.client import MqttClient

if TYPE_CHECKING:
    from tests.brokers import Broker

EPOCH: Final = 1698501144.4
"""Time of a phone's first sample"""


class Phone(MqttClient):
    """Sends samples, and keeps everything that is published under har/."""

    def __init__(self, broker: "Broker") -> None:
        """Connect under a name of its own, and subscribe."""
        self.device = f"phone-{uuid4().hex[:8]}"
        super().__init__(broker, "har/#", "homeassistant/#")

    def send_rows(self, rows: NDArray[np.float64], *, first: int = 0, size: int = 25) -> None:
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

    def predictions(self, n: int) -> list[dict[str, Any]]:
        """Return this phone's next ``n`` predictions."""
        topic = f"har/{self.device}/prediction"
        return [json.loads(self.await_message(topic)[0]) for _ in range(n)]
