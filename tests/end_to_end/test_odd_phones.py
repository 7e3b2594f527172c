"""Phones whose clocks, rates and names are not as they should be, by the front door."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recordings import simulated
from tests.client import TIMEOUT_S, MqttClient, results_of

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

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


@pytest.fixture
def join(request: pytest.FixtureRequest, broker: "Broker") -> Callable[..., Sender]:
    """A function that connects somebody to the shared broker until the test ends."""

    def connect(device: str = "") -> Sender:
        sender = Sender(broker, device)
        request.addfinalizer(sender.close)
        return sender

    return connect


@pytest.fixture
def phone(join: Callable[..., Sender]) -> Sender:
    """A phone with a name of its own."""
    return join()


@pytest.fixture
def stream(broker: "Broker", start_command: "Start") -> "Iterator[Running]":
    """A har-stream as it is by default, that also reads what SensorSpot sends."""
    running = start_command(
        "har-stream",
        *broker.flags,
        *("--subscribe", "spot/+=sensorspot", "--offline-after", "4"),
        HAR_MAX_BEHIND="60",
    )
    broker.await_har_stream()
    yield running
    code = running.process.poll()
    assert 0 == (running.end() if code is None else code), running.log


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


# Rates


@pytest.mark.parametrize("rate_hz", [0.5, 2.0, 3.0, 7.0])
def test_a_slow_phone(phone: Sender, stream: "Running", rate_hz: float) -> None:
    """A phone of a few samples a second is told so, has no windows, and no activity but unknown."""
    n = round(40 * rate_hz)
    times = now() - 40 + np.arange(n) / rate_hz
    phone.send_rows(times, walk(40)[:: round(50 / rate_hz)][:n], size=1 + round(rate_hz))

    info = phone.await_leaf("info", lambda info: "low-rate" in info["warnings"])
    assert "50 or more" in info["advice"][info["warnings"].index("low-rate")]
    assert phone.predictions() == []
    assert set(phone.activities()) <= {"unknown"}


@pytest.mark.parametrize("early_s", [0.35, 0.45, 0.5, 3.0])
@pytest.mark.parametrize("n_rows", [1, 7, 25])
def test_an_early_event(phone: Sender, stream: "Running", early_s: float, n_rows: int) -> None:
    """A phone whose first event comes early has all its windows, and its walker is recognised."""
    times = now() - 20 + np.arange(1000) / 50
    rows = walk(20)
    phone.send_rows(np.array([times[0] - early_s]), rows[:1])
    phone.send_rows(times, rows, size=n_rows)

    phone.await_leaf("prediction", lambda one: one["start"] > times[1000 - 128 - 64])
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    assert len(phone.predictions()) >= 14
    assert ["WALKING"] == phone.activities()


def test_an_early_event_of_a_steady_phone(phone: Sender, stream: "Running") -> None:
    """Whatever is known of a phone in its first second can be told."""
    times = now() - 2 + np.arange(50) / 50
    phone.send_rows(times[:1] - 0.5, walk(1)[:1])
    phone.send_rows(times, walk(1))
    phone.await_leaf("info", lambda info: info["warnings"] == [])


def test_two_samples_do_not_end_it(
    phone: Sender, stream: "Running", join: Callable[..., Sender]
) -> None:
    """Two messages of one row, 0.45 s apart, are survived: others are told what they lack."""
    start, other = now(), join()
    phone.send_rows(np.array([start, start + 0.45]), walk(1)[:2], size=1)
    for at_s, row in enumerate(walk(1)):
        other.publish_json(f"spot/{other.device}", spot("accelerometer", 100 + at_s / 50, row[:3]))
    other.await_leaf("info", lambda info: "no-gyroscope" in info["warnings"])


def test_a_slow_beginning(phone: Sender, stream: "Running") -> None:
    """An app whose first events come slowly is not slow for ever: it heals within seconds."""
    rows = walk(24)
    times = np.concatenate([[0.0, 0.25], 0.5 + np.arange(1100) / 50])
    for at_s, row in zip(times, rows[:1102], strict=True):
        phone.publish_json(f"spot/{phone.device}", spot("accelerometer", 500 + at_s, row[:3]))
        phone.publish_json(f"spot/{phone.device}", spot("gyroscope", 500 + at_s, row[3:]))

    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    info = phone.await_leaf("info", lambda info: info.get("rates_hz", {}).get("gyroscope") == 50)
    assert info["warnings"] == []


# Clocks


def test_a_clock_set_back(
    lasting_mosquitto: "Mosquitto", start_command: "Start", tmp_path: Path
) -> None:
    """Every window before the step and after it comes, though all messages are there at once."""
    lasting_mosquitto.start()
    flags = (*lasting_mosquitto.flags, "--state", str(tmp_path / "state"))
    flags += ("--subscribe", "logger=sensor-logger")
    assert 0 == _ended(start_command("har-stream", *flags), lasting_mosquitto)
    phone = Sender(lasting_mosquitto)
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
    phone.close()


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
    assert ahead_s == pytest.approx(info["clocks_apart_s"], abs=0.05)
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


def test_retained_samples(own_mosquitto: "Mosquitto", start_command: "Start") -> None:
    """What a broker has kept of samples for days makes no phone present."""
    own_mosquitto.start()
    phone = Sender(own_mosquitto)
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
    phone.close()


def test_a_retained_sample_of_no_date(own_mosquitto: "Mosquitto", start_command: "Start") -> None:
    """A sample that a broker has kept makes no phone present, if its clock does not tell either."""
    own_mosquitto.start()
    phone = Sender(own_mosquitto)
    phone.publish_json(f"spot/{phone.device}", spot("accelerometer", 100, [0, 9, 1]), retain=True)
    running = start_command(
        "har-stream", *own_mosquitto.flags, "--subscribe", "spot/+=sensorspot", HAR_MAX_BEHIND="60"
    )
    phone.await_leaf("info", lambda info: "old-samples" in info["warnings"])
    assert "availability" not in {name for name, _ in phone.heard}
    assert 0 == running.end()
    phone.close()


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
    assert activity["since"] == pytest.approx(now(), abs=5)


def test_two_phones_under_one_name(phone: Sender, stream: "Running") -> None:
    """If two phones send under one name, their owners are told."""
    rows = walk(60)
    times = now() - 30 + np.arange(1500) / 50
    for k in range(0, 1500, 25):
        phone.send_rows(times[k : k + 25], rows[k : k + 25])
        phone.send_rows(times[k : k + 25] - 0.2531, rows[1500 + k : 1525 + k])

    phone.await_leaf("info", lambda info: {"two-phones", "late-samples"} & {*info["warnings"]})


@pytest.mark.parametrize("size", [1, 5, 50])
def test_two_recordings_in_turns(phone: Sender, stream: "Running", size: int) -> None:
    """If two phones' recordings take turns under one name, one goes on, and they are told."""
    rows = walk(30)
    times = now() - 30 + np.arange(1500) / 50
    for k in range(0, 1500, size):
        for name in ("first", "second"):
            phone.send_rows(times[k : k + size], rows[k : k + size], size=size, recording=name)

    phone.await_leaf("info", lambda info: "two-phones" in info["warnings"])
    phone.await_leaf("prediction", lambda one: one["start"] > times[1500 - 200])
    assert {"unknown"} == {one["activity"] for name, one in phone.heard if name == "activity"}


def test_a_recording_a_message(phone: Sender, stream: "Running") -> None:
    """Who names each message's recording anew is told that this is why there are no windows."""
    for number in range(10):
        times = now() - 10 + number + np.arange(50) / 50
        phone.send_rows(times, walk(1), size=50, recording=f"session {number}")

    phone.await_leaf("info", lambda info: ["short-recordings"] == info["warnings"])


# Order


def test_a_recording_of_the_same_name_again(phone: Sender, stream: "Running") -> None:
    """Recordings named walk, stand, walk give their windows each; only old samples come again."""
    rows = walk(25)
    start = now() - 80
    for number, name in enumerate(("walk", "stand", "walk")):
        times = start + 27 * number + np.arange(1250) / 50
        still = np.tile(rows[:1].mean(axis=0) * [1, 1, 1, 0, 0, 0], (1250, 1))
        phone.send_rows(times, still if name == "stand" else rows, recording=name)

    phone.await_leaf("prediction", lambda one: one["start"] > start + 54 + 21)
    starts = np.array([one["start"] for one in phone.predictions()])
    counts, _ = np.histogram(starts, start - 1 + 27 * np.arange(4))
    assert [18, 18, 18] == counts.tolist()
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING" and one["since"] > start)


@pytest.mark.parametrize("n_old", [1, 3, 8])
def test_a_backlog_among_live_samples(phone: Sender, stream: "Running", n_old: int) -> None:
    """Live windows come though a backlog comes between; what it loses is counted and told."""
    rows = walk(60)
    backlog = now() - 7200
    live = now() - 40 + np.arange(2000) / 50
    for second in range(40):
        chosen = slice(50 * second, 50 * second + 50)
        phone.send_rows(live[chosen], rows[chosen], size=50)
        for k in range(n_old):
            old = backlog + second * n_old + k + np.arange(50) / 50
            phone.send_rows(old, rows[50 * k : 50 * k + 50], size=50)

    phone.await_leaf("prediction", lambda one: one["start"] > live[2000 - 250])
    starts = np.array([one["start"] for one in phone.predictions()])
    assert (starts > live[0] + 15).sum() >= 15
    phone.await_leaf("info", lambda info: "late-samples" in info["warnings"])
    assert 0 == stream.end()
    assert " 0 repeated or late" not in stream.log


# Room


def test_the_longest_silent_make_room(
    broker: "Broker", start_command: "Start", phone: Sender, join: Callable[..., Sender]
) -> None:
    """When there are as many phones as may be, one offline goes, and nothing stays of it."""
    gone = join("gone-" + phone.device)
    start_command(
        "har-stream",
        *broker.flags,
        *("--max-devices", "1", "--offline-after", "0.5", "--home-assistant"),
        HAR_MAX_BEHIND="60",
    )
    broker.await_har_stream()
    rows = walk(20)
    gone.send_rows(now() - 20 + np.arange(1000) / 50, rows)
    gone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    gone.await_leaf("info", lambda info: info["rates_hz"] == {"motion": 50})
    gone.await_leaf("availability", lambda text: text == "offline")

    phone.send_rows(now() - 20 + np.arange(1000) / 50, rows)

    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    for leaf in ("availability", "activity", "info"):
        assert "" == gone.await_leaf(leaf, lambda text: text == "")


def test_a_phone_for_which_there_is_no_room(
    broker: "Broker", start_command: "Start", phone: Sender, join: Callable[..., Sender]
) -> None:
    """While all others are there, a new phone is told that there is no room."""
    other = join("other-" + phone.device)
    start_command("har-stream", *broker.flags, "--max-devices", "1", HAR_MAX_BEHIND="60")
    broker.await_har_stream()
    rows = walk(2)
    other.send_rows(now() - 2 + np.arange(100) / 50, rows)
    other.await_leaf("availability", lambda text: text == "online")
    phone.send_rows(now() - 2 + np.arange(100) / 50, rows)

    info = phone.await_leaf("info", lambda info: "rejected" in info["warnings"])
    assert {"devices": 4} == info["rejected"]
    assert "1 phones already" in info["advice"][0]


# Reasons


def test_refused_messages_are_told(phone: Sender, stream: "Running") -> None:
    """A phone whose messages are all refused is told why, each one for itself."""
    phone.send_rows(now() + 100_000 + np.arange(50) / 50, walk(1))
    info = phone.await_leaf("info", lambda info: "rejected" in info["warnings"])
    assert {"time": 2} == info["rejected"]
    assert "ahead of this machine's clock" in info["advice"][0]


def test_pauses_are_told(phone: Sender, stream: "Running") -> None:
    """A phone whose samples always pause before there is a window is told so."""
    phone.keep_sending(
        walk(1), until=lambda name, one: name == "info" and "gaps" in one["warnings"]
    )


def test_an_activity_ends_with_its_windows(phone: Sender, stream: "Running") -> None:
    """When a walking phone goes on without windows, what it does is unknown."""
    rows = walk(20)
    phone.send_rows(now() - 76 + np.arange(1000) / 50, rows)
    phone.await_leaf("activity", lambda one: one["activity"] == "WALKING")
    phone.keep_sending(
        rows[:50], until=lambda name, one: name == "activity" and one["activity"] == "unknown"
    )
