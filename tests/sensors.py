"""A phone's motion sensors, set over the DevTools protocol in a browser that has none."""

import time
from collections.abc import Callable
from typing import Any, Final

TYPES: Final = ("accelerometer", "linear-acceleration", "gyroscope")
LOOK_S: Final = 0.25
"""How often it is looked whether playing is to end"""
Vector = tuple[float, float, float]


DISPATCHED: Final = """rows => setInterval(() => {
    const [x, y, z, alpha, beta, gamma] = rows[Math.round(performance.now() / 20) % rows.length];
    dispatchEvent(new DeviceMotionEvent("devicemotion", {
        accelerationIncludingGravity: {x, y, z}, rotationRate: {alpha, beta, gamma}, interval: 20,
    }));
}, 20)"""


def dispatch(page: Any, rows: list[list[float]]) -> None:  # noqa: ANN401 (Playwright's page)
    """Let a page have rows of 50 a second as its own events, over and over.

    A row is of accelerations in m/s², with gravity, and angular velocities in deg/s. No browser
    rounds these, and however busy the machine is, each has its own time.
    """
    page.evaluate(DISPATCHED, rows)


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

    def play(
        self,
        rows: Callable[[float], tuple[Vector, Vector]],
        seconds: float,
        *,
        until: Callable[[], object] = lambda: False,
    ) -> bool:
        """Set what ``rows`` gives for each moment, as fast as the browser takes it.

        Return whether ``until`` held, which ends it before its time.
        """
        begun = time.monotonic()
        look_s = LOOK_S
        while (passed_s := time.monotonic() - begun) < seconds:
            self.set(*rows(passed_s))
            if passed_s >= look_s:
                look_s = passed_s + LOOK_S
                if until():
                    return True
        return bool(until())
