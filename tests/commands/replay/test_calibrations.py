"""Recordings of calibrated phones, played to a har-stream that runs."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pipeline.calibration_message import decode_calibration, encode_rotation
from pipeline.commands.replay.calibrations import Calibrations
from pipeline.mqtt.connection import Connection
from pipeline.recordings import parquet, simulated
from pipeline.settings import BrokerSettings
from pipeline.vocabulary import AUTO
from tests.client import MqttClient, Received
from tests.commands.replay.file_recordings import write_calibrated
from tests.commands.replay.listener import Listener

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.broker

DEVICE = "calibrated"
TOPIC = f"har/{DEVICE}/calibration"
ROTATION = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
ROTATION *= np.linalg.det(ROTATION)
OTHER = encode_rotation(ROTATION.T)
"""A calibration of later"""
N_WINDOWS = (20 * 50 - 128 - 1) // 64 + 1


class Watcher(MqttClient):
    """A client that reads calibrations and infos of the phone."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.published: list[bytes] = []
        """Calibrations, but for what was retained when it came"""
        self.info: dict[str, Any] = {}
        super().__init__(broker, TOPIC, f"har/{DEVICE}/info")

    def keep(self, message: Received) -> None:
        """Keep a message."""
        if message.topic != TOPIC:
            self.info = json.loads(message.payload)
        elif not message.is_retained:
            self.published.append(message.payload)

    def retain(self, payload: bytes) -> None:
        """Let the broker retain a calibration, and forget which were published."""
        n_published = len(self.published)
        self.publish(TOPIC, payload, retain=True)
        self.await_that(lambda: len(self.published) > n_published)
        self.published.clear()

    def await_frame(self, frame: str) -> None:
        """Return when har-stream says that the phone has this frame."""
        self.await_that(lambda: self.info.get("frame") == frame)


@pytest.fixture
def watcher(broker: "Broker") -> "Iterator[Watcher]":
    """A client that reads the phone's calibrations, of which none is retained at first or last."""
    with Watcher(broker) as watcher:
        watcher.retain(b"")
        yield watcher
        watcher.retain(b"")


def what_is_retained(broker: "Broker") -> bytes:
    """Return the calibration that the broker retains, empty if it retains none."""
    with MqttClient(broker, TOPIC, "har/test/fence") as newcomer:
        newcomer.publish("har/test/fence", b"behind what is retained")
        newcomer.await_that(lambda: any("fence" in one.topic for one in newcomer.received))
        return b"".join(one.payload for one in newcomer.received if one.topic == TOPIC)


def phone_messages(seconds: float) -> list[bytes]:
    """Return what a phone sends that is worn as `ROTATION` undoes, ending now."""
    (stretch,) = simulated.recordings(1, seconds=seconds, seed=8)[0].stretches
    values = (stretch.samples.reshape(-1, 2, 3) @ ROTATION).reshape(-1, 6)
    start = round(time.time() - seconds, 3)
    messages = []
    for first in range(0, len(values), 25):
        rows = values[first : first + 25]
        message = {"v": 1, "start": start + first / 50, "rate": 50.0}
        message |= {"acc": rows[:, :3].tolist(), "acc_unit": "m/s2"}
        message |= {"gyro": rows[:, 3:].tolist(), "gyro_unit": "rad/s"}
        messages.append(msgspec.json.encode(message))
    return messages


def test_it_is_recognised_as_it_was_live(
    broker: "Broker",
    start_stream: "Start",
    start_command: "Start",
    replay: "Run",
    listener: Listener,
    watcher: Watcher,
) -> None:
    """With the same model, to the same results, whether the broker still has the calibration.

    Another one that it has by then is in force again afterwards; it is never touched.
    """
    watcher.retain(encode_rotation(ROTATION))
    start_stream(model=Path(AUTO))
    recording = start_command("har-record", *broker.flags, "--device", DEVICE)
    recording.await_log(f"Recording {DEVICE}")
    for message in phone_messages(seconds=20.0):
        listener.publish(f"har/{DEVICE}/samples", message)
    listener.await_predictions(N_WINDOWS)
    assert 0 == recording.end()
    live = list(listener.predictions)
    assert {"cnn-lstm"} == {one["model"].partition("@")[0] for one in live}

    for retained, n_published in ((encode_rotation(ROTATION), 0), (b"", 2), (OTHER, 2)):
        watcher.retain(retained)
        n_known = len(listener.predictions)
        result = replay("--recording", "recordings")
        assert 0 == result.returncode, result.stderr
        again = listener.predictions[n_known:]
        assert len(live) == len(again)
        for one, other in zip(live, again, strict=True):
            assert (one["model"], one["activity"]) == (other["model"], other["activity"])
            assert pytest.approx(other["probabilities"], abs=1e-6) == one["probabilities"]
        watcher.await_frame("calibrated" if retained else "landscape")
        assert n_published == len(watcher.published)
        if n_published:
            used, given_back = watcher.published
            np.testing.assert_allclose(decode_calibration(used), ROTATION, rtol=0, atol=1e-12)
            assert retained == given_back
        assert retained == what_is_retained(broker)


def test_recordings_in_turn(
    start_stream: "Start", replay: "Run", watcher: Watcher, tmp_path: Path
) -> None:
    """Each is played with its own calibration, and one that has none with that of before."""
    watcher.retain(OTHER)
    start_stream()
    for created, rotation in (("a", None), ("b", ROTATION), ("c", None), ("d", ROTATION.T)):
        write_calibrated(tmp_path / "own", DEVICE, rotation, created=created)
    result = replay("--recording", "own")
    assert 0 == result.returncode, result.stderr
    watcher.await_that(lambda: len(watcher.published) >= 2)
    assert [encode_rotation(ROTATION), OTHER] == watcher.published


def test_somebody_calibrates_the_phone_meanwhile(
    broker: "Broker", watcher: Watcher, tmp_path: Path
) -> None:
    """What they have published is in force afterwards, and not what was before."""
    settings = BrokerSettings(broker=broker.host, port=broker.port)
    recording = parquet.read(write_calibrated(tmp_path, DEVICE, ROTATION))
    connection = Connection(settings, name="test", subscriptions=[])
    connection.start(retry=False)
    calibrations = Calibrations(settings, [recording], connection)
    calibrations.begin()
    calibrations.apply(DEVICE, recording.rotation)
    watcher.await_that(lambda: watcher.published == [encode_rotation(ROTATION)])
    watcher.retain(OTHER)
    calibrations.apply(DEVICE, recording.rotation)  # nothing to do
    calibrations.apply(DEVICE, ROTATION @ ROTATION)  # comes back behind theirs
    calibrations.give_back()
    watcher.await_that(lambda: len(watcher.published) == 2)
    assert [encode_rotation(ROTATION @ ROTATION), OTHER] == watcher.published
    assert connection.close(timeout_s=5.0)
