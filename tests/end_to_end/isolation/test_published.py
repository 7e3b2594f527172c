"""That each topic holds the results of its own phone alone, when all send at once.

What a broker's rights add to that is tested in tests/deploy.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.serving.outputs.homeassistant import discovery
from tests.brokers import Mosquitto
from tests.end_to_end.isolation.names import NAMES
from tests.end_to_end.isolation.recognised import EPOCH, HOP, Results, message, moving
from tests.phone import Phone
from tests.processes import commands_in

OF_HAR_STREAM = {"har/status", "har/load", "har/info"}
"""Topics that are no phone's"""
RETAINED = {"activity", "availability", "info"}
KINDS = {"prediction", "episode", *RETAINED}
CALIBRATION = {"v": 1, "rotation": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}
ANNOUNCED = {discovery(name, [], name=None, heartbeat_s=1).topic for name in NAMES}
"""Topics on which Home Assistant learns of the phones"""

pytestmark = pytest.mark.broker


def start_of(device: str) -> float:
    """Return when a phone of `NAMES` begins to send; hours pass before the next one does."""
    return EPOCH + 10_000 * NAMES.index(device)


def as_recognised(kind: str, payload: bytes) -> tuple[object, ...]:
    """Return a result as `Results` has it."""
    content = json.loads(payload)
    times = [content[key] for key in ("start", "since", "end") if key in content]
    return kind, content["activity"], *(pytest.approx(time, abs=2e-6) for time in times)


@dataclass
class Published:
    """What came of all phones at once."""

    messages: list[tuple[str, bytes]]
    """Topics and payloads, in order"""
    of: dict[str, list[tuple[str, bytes]]]
    """Kind and payload of each device's results"""
    retained: dict[str, bytes]
    """What the broker still has at the end"""
    expected: Results
    """What the samples of each phone give alone"""

    def contents(self, device: str) -> list[dict[str, Any]]:
        """Return what is JSON of a device's results."""
        return [json.loads(payload) for kind, payload in self.of[device] if kind != "availability"]


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A Mosquitto for these tests alone."""
    mosquitto = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="module")
def published(
    mosquitto: Mosquitto,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: Path,
    classifier: Classifier,
) -> Published:
    """What is published of phones with odd names that send all at once, one of them calibrated."""
    folder = tmp_path_factory.mktemp("har-stream")
    with commands_in(folder) as start_command, Phone(mosquitto) as phone:
        running = start_command(
            "har-stream", *mosquitto.flags, "--model", str(tiny_model), "--hop", str(HOP),
            "--home-assistant", "--offline-after", "1", "--heartbeat", "3600",
        )  # fmt: skip
        mosquitto.await_har_stream()
        phone.publish("har/a/calibration", json.dumps(CALIBRATION), retain=True)
        expected = Results(classifier)
        for seed, name in enumerate(NAMES):
            topic, payload = message(name, moving(512, seed), start=start_of(name))
            phone.publish(topic, payload)
            expected.push((topic, payload))
            expected.forget(name)
        for name in NAMES:
            while (f"har/{name}/availability", b"offline", False) not in phone.taken:
                phone.await_message(f"har/{name}/availability", b"offline")
        assert 0 == running.end()
        while ("har/status", b"offline", False) not in phone.taken:
            phone.await_message("har/status", b"offline")
        messages = [(topic, payload) for topic, payload, _ in phone.taken]
        with Phone(mosquitto) as late:  # what comes now is retained, but for the last
            late.publish("har/end", b"")
            late.await_message("har/end")
            retained = {topic: payload for topic, payload, was_kept in late.taken if was_kept}
    inputs = {"har/a/calibration", *(f"har/{name}/samples" for name in NAMES)}
    of: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for topic, payload in messages:
        if topic.startswith("har/") and topic not in OF_HAR_STREAM | inputs:
            _, device, kind = topic.split("/")
            of[device].append((kind, payload))
    return Published(messages, dict(of), retained, expected)


def test_each_phone_has_its_topics(published: Published) -> None:
    """Each phone has results of every kind on ``har/<device>/<kind>``, and nobody else has any."""
    assert set(NAMES) == set(published.of)
    for name in NAMES:
        assert KINDS == {kind for kind, _ in published.of[name]}, name
        assert {name} == {content["device"] for content in published.contents(name)}


def test_each_phone_comes_and_goes(published: Published) -> None:
    """Each phone is called online once, and offline once."""
    for name in NAMES:
        availability = [payload for kind, payload in published.of[name] if kind == "availability"]
        assert [b"online", b"offline"] == availability


def test_what_is_published_is_of_the_phone(published: Published) -> None:
    """The results of a phone are what its samples give alone."""
    expected = published.expected
    for name in NAMES:
        for wanted in ("prediction", "activity", "episode"):
            results = [as_recognised(*one) for one in published.of[name] if one[0] == wanted]
            assert [one for one in expected.of[name] if one[0] == wanted] == results
        probabilities = [
            list(content["probabilities"].values())
            for content in published.contents(name)
            if "probabilities" in content
        ]
        np.testing.assert_allclose(probabilities, expected.probabilities[name], rtol=0, atol=1e-5)


def test_a_calibration_is_no_others(published: Published) -> None:
    """The phone that is calibrated has that frame, and all others have theirs."""
    for name in NAMES:
        frames = {one["frame"] for one in published.contents(name) if "frame" in one}
        assert {"calibrated" if name == "a" else "landscape"} == frames


def test_what_is_retained_is_what_came_last(published: Published) -> None:
    """Of each phone the broker retains what was published last, of these topics and no others."""
    latest = dict(published.messages)
    topics = {f"har/{name}/{kind}" for name in NAMES for kind in RETAINED}
    kept = {"har/a/calibration", *topics, *ANNOUNCED}
    retained = {
        topic: published.retained[topic] for topic in set(published.retained) - OF_HAR_STREAM
    }
    assert {topic: latest[topic] for topic in kept} == retained


def test_home_assistant_sees_as_many_devices(published: Published) -> None:
    """Each phone is announced on a topic of its own, by its name."""
    latest = dict(published.messages)
    assert len(NAMES) == len(ANNOUNCED)
    devices = [json.loads(latest[topic])["device"] for topic in ANNOUNCED]
    assert set(NAMES) == {device["name"] for device in devices}
