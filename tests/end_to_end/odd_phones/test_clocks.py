"""Phones whose clocks are not as they should be, and samples of other days."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.end_to_end.odd_phones.sender import Sender, logged, now, spot, walk

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker


def test_a_clock_set_back(
    lasting_mosquitto: "Mosquitto",
    start_command: "Start",
    join: Callable[..., Sender],
    tmp_path: Path,
) -> None:
    """Every window before the step and after it comes, though all messages are there at once."""
    lasting_mosquitto.start()
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"))
    flags += ("--subscribe", "logger=sensor-logger")
    assert 0 == _ended(start_command("har-stream", *flags), lasting_mosquitto)
    phone = join(at=lasting_mosquitto)
    rows = walk(40)
    start = now() - 20
    for step_s, part in ((0.0, slice(0, 1000)), (-3600.0, slice(1000, 2000))):
        times = start + step_s + np.arange(1000) / 50
        for k in range(0, 1000, 50):
            readings = [
                reading
                for at_s, row in zip(times[k : k + 50], rows[part][k : k + 50], strict=True)
                for reading in (
                    logged("totalacceleration", at_s, row[:3]),
                    logged("gyroscope", at_s + 0.003, row[3:]),
                )
            ]
            content = {"deviceId": phone.device, "sessionId": "s", "payload": readings}
            phone.publish_json("logger", content)
    running = start_command("har-stream", *flags)

    phone.await_leaf("prediction", lambda one: -3600 + 16 < one["start"] - start < -1800)
    starts = np.array([one["start"] for one in phone.predictions()])
    assert [14, 14] == [(starts > start - 1).sum(), (starts < start - 1800).sum()]
    assert 0 == running.end()


def _ended(running: "Running", broker: "Broker") -> int:
    """Return how a har-stream ended that was only to make its session."""
    broker.await_har_stream()
    return running.end()


@pytest.mark.parametrize("ahead_s", [0.15, -0.3, 30.0, 7200.0])
def test_clocks_apart(phone: Sender, stream: "Running", ahead_s: float) -> None:
    """Sensors on clocks apart are told of, with the difference; the activity is unknown then."""
    rows = walk(30)
    times = now() - 30 + np.arange(1500) / 50
    phone.send_apart((times + ahead_s, rows[:, :3]), (times, rows[:, 3:]), n_messages=30)

    info = phone.await_leaf("info", lambda info: "clocks-apart" in info["warnings"])
    assert pytest.approx(ahead_s, abs=0.05) == info["clocks_apart_s"]
    assert not any(warning.startswith("no-") for warning in info["warnings"])
    if phone.predictions():
        phone.await_leaf("activity", lambda one: one["activity"] == "unknown")
    assert set(phone.activities()) <= {"unknown"}


def test_old_samples(phone: Sender, stream: "Running", join: Callable[..., Sender]) -> None:
    """Samples of days ago give predictions with their times, but nobody is there, and nothing now.

    Nor does a backlog; when live samples come, the activity is that of now.
    """
    rows = walk(40)
    old = now() - 3 * 86_400
    phone.send_rows(old + np.arange(1000) / 50, rows[:1000])
    phone.await_leaf("prediction", lambda one: one["start"] > old + 16)
    info = phone.await_leaf("info", lambda info: "old-samples" in info["warnings"])
    assert "--max-behind" in info["advice"][0]
    assert {"prediction", "info"} >= {name for name, _ in phone.heard} - {"episode"}

    phone.send_rows(now() - 20 + np.arange(1000) / 50, rows[:1000])
    activity = phone.await_leaf("activity", lambda one: True)
    assert activity["since"] > now() - 60
    assert "online" in [content for name, content in phone.heard if name == "availability"]


def test_retained_samples(
    own_mosquitto: "Mosquitto", start_command: "Start", join: Callable[..., Sender]
) -> None:
    """What a broker has kept of samples for days makes no phone present."""
    own_mosquitto.start()
    phone = join(at=own_mosquitto)
    old = now() - 3 * 86_400
    rows = walk(20)
    message = {"start": old, "rate": 50, "acc_unit": "m/s2", "gyro_unit": "rad/s"}
    message |= {"acc": rows[:, :3].tolist(), "gyro": rows[:, 3:].tolist()}
    phone.publish_json(f"har/{phone.device}/samples", message, retain=True)
    flags = (*own_mosquitto.flags, "--home-assistant")
    running = start_command("har-stream", *flags, HAR_MAX_BEHIND="60")

    phone.await_leaf("prediction", lambda one: one["start"] > old + 16)
    phone.await_leaf("info", lambda info: "old-samples" in info["warnings"])
    assert not {"availability", "activity", "config"} & {name for name, _ in phone.heard}
    assert 0 == running.end()


def test_a_retained_sample_of_no_date(
    own_mosquitto: "Mosquitto", start_command: "Start", join: Callable[..., Sender]
) -> None:
    """A sample that a broker has kept makes no phone present, if its clock does not tell either."""
    own_mosquitto.start()
    phone = join(at=own_mosquitto)
    phone.publish_json(f"spot/{phone.device}", spot("accelerometer", 100, [0, 9, 1]), retain=True)
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--subscribe", "spot/+=sensorspot", HAR_MAX_BEHIND="60"
    )
    phone.await_leaf("info", lambda info: "old-samples" in info["warnings"])
    assert "availability" not in {name for name, _ in phone.heard}
    assert 0 == running.end()


def test_who_comes_back(phone: Sender, stream: "Running") -> None:
    """What a phone did before it fell silent is not what it does when it returns."""
    rows = walk(20)
    phone.send_rows(now() - 20 + np.arange(1000) / 50, rows)
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    phone.await_leaf("availability", lambda text: text == "offline")
    assert not any("gaps" in one["warnings"] for name, one in phone.heard if name == "info")
    phone.heard.clear()
    phone.send_rows(now() + np.arange(50) / 50, rows[:50])
    activity = phone.await_leaf("activity", lambda one: True)
    assert "unknown" == activity["activity"]
    assert pytest.approx(now(), abs=5) == activity["since"]
