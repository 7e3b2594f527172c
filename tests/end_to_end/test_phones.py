"""Real phones as their apps send: every format, convention and placement, by the front door."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from pipeline.recognition.placement.frames import FRAMES
from pipeline.recordings import simulated
from pipeline.vocabulary import STANDARD_GRAVITY
from tests.phone import Phone

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

EPOCH = 1698501144.4
SECONDS = 20.0

Motion = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Raw samples ``(n, 6)`` in m/s² and rad/s, on the phone's axes, at times in seconds"""


def walking(frame: str) -> Motion:
    """Return the motion of somebody who walks with a phone worn in a placement."""
    [recording] = simulated.recordings(1, seconds=SECONDS, activity="WALKING")
    [stretch] = recording.stretches
    back = FRAMES[frame].T
    rows = np.hstack([stretch.samples[:, :3] @ back.T, stretch.samples[:, 3:] @ back.T])
    return CubicSpline(np.arange(len(rows)) / 50, rows)


def xyz(row: NDArray[np.float64]) -> dict[str, float]:
    """Return a vector as JSON objects have it."""
    return dict(zip("xyz", map(float, row), strict=True))


def seconds(rate_hz: float) -> Iterator[NDArray[np.float64]]:
    """Yield the instants at which a sensor measures, second by second."""
    for second in range(int(SECONDS) - 1):
        yield second + np.arange(int(rate_hz)) / rate_hz


def android_sensor_logger(motion: Motion) -> Iterator[bytes]:
    """Yield what Sensor Logger sends of an Android phone: 100 and 200 Hz, gravity apart."""
    for number, times in enumerate(seconds(100)):
        readings = []
        for name, at in (("acc", times), ("gyroscope", number + np.arange(200) / 200 + 0.0013)):
            for time, row in zip(at, motion(at), strict=True):
                entry = {"time": round((EPOCH + time) * 1e9), "accuracy": 3}
                if name == "gyroscope":
                    readings.append(entry | {"name": name, "values": xyz(row[3:])})
                    continue
                gravity = np.array([0.5, 9.0, 1.0])
                readings.append(entry | {"name": "gravity", "values": xyz(gravity)})
                linear = row[:3] - gravity
                readings.append(entry | {"name": "accelerometer", "values": xyz(linear)})
        rng = np.random.default_rng(number)
        rng.shuffle(readings)  # type: ignore[arg-type]
        yield json.dumps(
            {"messageId": number, "sessionId": "s", "deviceId": "app", "payload": readings}
        ).encode()


def ios_sensor_logger(motion: Motion) -> Iterator[bytes]:
    """Yield what Sensor Logger sends of an iPhone as it is: in g, with Apple's sign."""
    for number, times in enumerate(seconds(100)):
        readings: list[dict[str, object]] = []
        for time, row in zip(times, motion(times), strict=True):
            at = {"time": round((EPOCH + time) * 1e9)}
            acc = -row[:3] / STANDARD_GRAVITY
            readings.append(at | {"name": "accelerometeruncalibrated", "values": xyz(acc)})
            readings.append(at | {"name": "gyroscope", "values": xyz(row[3:])})
        yield json.dumps(
            {"messageId": number, "sessionId": "s", "deviceId": "app", "payload": readings}
        ).encode()


def sensorspot(motion: Motion) -> Iterator[bytes]:
    """Yield what SensorSpot sends: one reading a message, nanoseconds since boot."""
    for times in seconds(50):
        for time, row in zip(times, motion(times), strict=True):
            at = {"timestamp": round((86_400 + time) * 1e9)}
            for kind, values in (("accelerometer", row[:3]), ("gyroscope", row[3:])):
                yield json.dumps(
                    at | {"type": f"android.sensor.{kind}", "values": values.tolist()}
                ).encode()


def phyphox(motion: Motion) -> Iterator[bytes]:
    """Yield what phyphox sends: arrays, seconds since the experiment began."""
    start = {"event": "START", "experimentTime": 0.0, "systemTime": EPOCH}
    for times in seconds(200):
        rows = motion(times)
        message: dict[str, object] = {"acc_time": times.tolist(), "gyr_time": times.tolist()}
        message |= {f"acc{axis}": rows[:, k].tolist() for k, axis in enumerate("XYZ")}
        message |= {f"gyr{axis}": rows[:, 3 + k].tolist() for k, axis in enumerate("XYZ")}
        yield json.dumps(message | {"time": {"now": EPOCH, "events": [start]}}).encode()


def safari(motion: Motion) -> Iterator[bytes]:
    """Yield what a page in Safari sends: 60 Hz, deg/s, Apple's sign, a tenth as the finest step."""
    for times in seconds(60):
        rows = motion(times) * [-1, -1, -1, *np.degrees([1, 1, 1])]
        keys = ("agx", "agy", "agz", "rx", "ry", "rz")
        samples = [
            {"t": EPOCH + time} | dict(zip(keys, row.round(1).tolist(), strict=True))
            for time, row in zip(times, rows, strict=True)
        ]
        yield json.dumps(
            {"v": 1, "platform": "ios", "unit": "m/s2", "gyro_unit": "deg/s", "samples": samples}
        ).encode()


def native(motion: Motion) -> Iterator[bytes]:
    """Yield har-stream's own messages of sensors at times of their own."""
    for times in seconds(104):
        rows = motion(times)
        at = {"time": (EPOCH + times).tolist()}
        acc = at | {"values": rows[:, :3].tolist(), "unit": "m/s2"}
        gyro = at | {"values": rows[:, 3:].tolist(), "unit": "rad/s"}
        yield json.dumps({"sensors": {"accelerometer": acc, "gyroscope": gyro}}).encode()


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("app", "name", "convention"),
    [
        (native, "native", "android"),
        (android_sensor_logger, "sensor-logger", "android"),
        (ios_sensor_logger, "sensor-logger", "ios"),
        (sensorspot, "sensorspot", "android"),
        (phyphox, "phyphox", "android"),
        (safari, "browser", "ios"),
    ],
)
def test_a_walk_is_recognised(
    broker: "Broker",
    start_command: "Start",
    request: pytest.FixtureRequest,
    app: Callable[[Motion], Iterator[bytes]],
    name: str,
    convention: str,
    frame: str,
) -> None:
    """A walker is recognised with any app, sign and placement; the convention is proven."""
    listener = Phone(broker)
    request.addfinalizer(listener.close)
    device = f"{name}-{uuid4().hex[:8]}"
    running = start_command(
        "har-stream", *broker.flags, "--subscribe", f"apps/+/{name}={name}", "--frame", frame
    )
    broker.await_har_stream()

    for message in app(walking(frame)):
        listener.publish(f"apps/{device}/{name}", message)

    while True:
        activity, _ = listener.await_message(f"har/{device}/activity")
        if json.loads(activity)["activity"] == "WALKING":
            break
    info_topic = f"har/{device}/info"
    infos = [payload for topic, payload, _ in listener.taken if topic == info_topic]
    told = json.loads(infos[-1] if infos else listener.await_message(info_topic)[0])
    proof = "assumed" if name == "native" else "proven"
    assert (told["convention"], told["convention_by"]) == (convention, proof)
    assert told["frame"] == frame
    assert [] == told["warnings"]
    assert 0 == running.end()
    assert "0 rejected messages" in running.log
