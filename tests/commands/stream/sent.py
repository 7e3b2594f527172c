"""What phones send in the tests of har-stream."""

import json

import numpy as np
from numpy.typing import NDArray

from tests.phone import EPOCH


def raw_rows(n_samples: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return the noise of a phone that is shaken, ``(n_samples, 6)``."""
    noise = np.random.default_rng(seed).normal(size=(n_samples, 6))
    return noise * [2, 2, 2, 0.5, 0.5, 0.5] + [1, 9, 2, 0, 0, 0]


def prepared_rows(n_samples: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Return prepared noise, ``(n_samples, 9)``."""
    return np.random.default_rng(seed).normal(size=(n_samples, 9)) * 0.3


def sensor_logger(rows: NDArray[np.float64], *, first: int, device: str) -> str:
    """Return raw rows ``(n, 6)`` at 100 Hz as Sensor Logger sends them, gravity apart."""
    readings = []
    for k, row in enumerate(rows, first):
        time_ns = round((EPOCH + k / 100) * 1e9)
        parts = {"accelerometer": row[:3] - [0, 9, 0], "gravity": [0, 9, 0], "gyroscope": row[3:]}
        for name, vector in parts.items():
            values = dict(zip("xyz", map(float, vector), strict=True))
            readings.append({"name": name, "time": time_ns, "values": values})
    message = {"messageId": first, "sessionId": "s", "deviceId": device, "payload": readings}
    return json.dumps(message)
