"""A phone's motion sensors, set over the DevTools protocol in a browser that has none."""

import time
from collections.abc import Callable
from typing import Any, Final

TYPES: Final = ("accelerometer", "linear-acceleration", "gyroscope")
Vector = tuple[float, float, float]


class Sensors:
    """The sensors of one page; the page gives 60 events a second of what is set."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401 (Playwright's page)
        """Give the page sensors; do that before it listens."""
        self._session = page.context.new_cdp_session(page)
        for kind in TYPES:
            self._session.send(
                "Emulation.setSensorOverrideEnabled",
                {"enabled": True, "type": kind, "metadata": {"available": True}},
            )
        self.set((0.0, 0.0, 9.8), (0.0, 0.0, 0.0))

    def set(self, acc: Vector, gyro: Vector) -> None:
        """Set acceleration in m/s², with gravity, and angular velocity in rad/s."""
        for kind, values in zip(TYPES, (acc, acc, gyro), strict=True):
            reading = {"xyz": dict(zip("xyz", values, strict=True))}
            self._session.send(
                "Emulation.setSensorOverrideReadings", {"type": kind, "reading": reading}
            )

    def play(self, rows: Callable[[float], tuple[Vector, Vector]], seconds: float) -> None:
        """Set what ``rows`` gives for each moment, as fast as the browser takes it."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            self.set(*rows(passed))
