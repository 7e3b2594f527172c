"""A phone in the tests of har-calibrate, and its wearer."""

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.client import MqttClient
from tests.commands.calibrate.wearers import ASKEW, EPOCH, Rows, stand, stroll

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running


class Phone(MqttClient):
    """A client of the broker that plays a phone, and har-stream as far as that is needed."""

    def __init__(self, broker: "Broker") -> None:
        """Connect under a name that no other test uses."""
        self.device = f"phone-{uuid.uuid4().hex[:8]}"
        self._recording = uuid.uuid4().hex[:8]
        self._n_rows_sent = 0
        super().__init__(broker, f"har/{self.device}/calibration")

    def listen_again(self) -> None:
        """Subscribe to this phone's calibration, so that the broker sends what it has."""
        self.subscribe(f"har/{self.device}/calibration")

    def await_calibrations(self, n: int) -> list[tuple[bytes, bool]]:
        """Return the calibrations when there are ``n``, and whether they were retained."""
        self.await_that(lambda: len(self.calibrations) >= n)
        return self.calibrations

    @property
    def calibrations(self) -> list[tuple[bytes, bool]]:
        """All calibrations so far, and whether they were retained."""
        return [(one.payload, one.is_retained) for one in self.received]

    def tell(self, **changes: Any) -> None:  # noqa: ANN401 (any JSON)
        """Publish what har-stream would tell of this phone, with some entries changed."""
        info = {
            "device": self.device,
            "topic": f"har/{self.device}/samples",
            "format": "native",
            "convention": "android",
            "warnings": [],
        }
        self.publish_on("info", msgspec.json.encode(info | changes), retain=True)

    def send_rows(self, rows: Rows) -> None:
        """Send rows as native messages, each following on the one before."""
        for part in np.array_split(rows, -(-len(rows) // 25)):
            message = {
                "start": EPOCH + self._n_rows_sent / SAMPLING_RATE_HZ,
                "rate": SAMPLING_RATE_HZ,
                "acc": part[:, :3].tolist(),
                "acc_unit": "m/s2",
                "gyro": part[:, 3:].tolist(),
                "gyro_unit": "rad/s",
                "recording": self._recording,
            }
            self.publish_on("samples", msgspec.json.encode(message))
            self._n_rows_sent += len(part)

    def publish_on(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish on one of the phone's topics, and return when the broker has it."""
        self.publish(f"har/{self.device}/{leaf}", payload, retain=retain)

    def close(self) -> None:
        """Take the retained messages back and disconnect."""
        for leaf in ("info", "calibration"):
            self.publish_on(leaf, b"", retain=True)
        super().close()


def obey(
    phone: Phone,
    running: "Running",
    *,
    worn: NDArray[np.float64] = ASKEW,
    walk: Callable[..., Rows] = stroll,
) -> None:
    """Do what the command asks its wearer to do."""
    running.await_log("Stand still for three seconds")
    phone.send_rows(stand(worn=worn))
    running.await_log("Now walk ten steps")
    phone.send_rows(walk(worn=worn))


def ahead(seconds: float) -> bytes:
    """Return a native message of a phone whose clock is ahead."""
    return msgspec.json.encode(
        {
            "start": time.time() + seconds,
            "rate": SAMPLING_RATE_HZ,
            "acc": stand(0.5)[:, :3].tolist(),
            "acc_unit": "m/s2",
            "gyro": stand(0.5)[:, 3:].tolist(),
            "gyro_unit": "rad/s",
        }
    )
