"""People with phones in their trouser pockets, played to a har-stream without any setting.

They are of the sets that the models for any place are trained on: this shows that whatever lies
between a phone and its activity works at 20, 25 and 50 Hz, not how well strangers are recognised.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from pipeline.recordings import person_file
from pipeline.recordings.recording import Recording
from tests.client import MqttClient, Received
from tests.made_sets import write_person

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.broker

PEOPLE: Final = ("MotionSense/sub_05", "PDIoT_pocket/s10", "WISDM2019_phone/1600")
"""50, 25 and 20 samples a second"""
RIGHT: Final = 0.85
"""Share of the windows that is right, the mean over a phone's activities"""
TEN_STEPS_S: Final = 10.0
"""Until the filters have settled, and ten steps of walking are made"""
LONGEST_S: Final = 40.0
"""Of each recording"""
PAUSE_S: Final = 2.0


class Reader(MqttClient):
    """A client that reads predictions and infos, by phone."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.predictions: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.infos: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        super().__init__(broker, "har/+/prediction", "har/+/info")

    @property
    def n_predictions(self) -> int:
        """How many have come, of all phones."""
        return sum(map(len, self.predictions.values()))

    def keep(self, message: Received) -> None:
        """Keep a message."""
        if not message.payload:
            return
        content = json.loads(message.payload)
        if message.topic.endswith("info"):
            self.infos[content["device"]] = content
        else:
            self.predictions[content["device"]].append(content)


def write_walker(person: Path, path: Path) -> Recording:
    """Write a person's recordings of known activities into one, from walking on, and return it."""
    labelled = [
        (stretch.labels[0], stretch.times - stretch.times[0], stretch.samples)
        for recording in person_file.read(person)
        for stretch in recording.stretches
        if stretch.labels[0] >= 0 and (stretch.labels == stretch.labels[0]).all()
    ]
    labelled.sort(key=lambda part: (part[0], -len(part[1])))  # WALKING is the first activity
    kept = [(label, at[at < LONGEST_S], rows[at < LONGEST_S]) for label, at, rows in labelled]
    times, begins = [], 0.0
    for _, at, _ in kept:
        times.append(begins + at)
        begins += at[-1] + PAUSE_S
    samples = np.concatenate([rows for _, _, rows in kept])
    arrays = {
        "t": np.concatenate(times),
        "acc": samples[:, :3],
        "gyro": samples[:, 3:],
        "label": np.repeat([label for label, _, _ in kept], [len(at) for _, at, _ in kept]),
        "label_names": np.array(["w", "u", "d", "s", "st", "l", "running"]),
        "label6_names": np.array([*person_file.PLACEMENT_ACTIVITIES[:-1], ""]),
        "rec": np.zeros(len(samples), np.int16),
        "rec_names": np.array(["walks first"]),
        "rec_ok": np.ones(1, np.int8),
        "subject": np.array(person.stem),
        "placement": np.array("trouser pocket"),
        "device": np.array("a phone"),
        "dataset": np.array("Pocket"),
    }
    [recording] = person_file.read(write_person(path, arrays))
    return recording


def share_right(predictions: list[dict[str, Any]], recording: Recording) -> float:
    """Return the share of windows behind the first ten steps that are right.

    It is the mean over the activities that the person did.
    """
    starts = np.array([one["start"] for one in predictions])
    starts -= round(starts.min())  # har-replay moves a recording by whole seconds
    right = defaultdict(list)
    activities = recording.window_activities(starts + 1e-4)
    for start, activity, one in zip(starts, activities, predictions, strict=True):
        if activity is not None and start > TEN_STEPS_S:
            right[activity].append(activity == one["activity"])
    assert {"WALKING", "SITTING", "STANDING", "RUNNING"} <= right.keys()
    return float(np.mean([np.mean(of_activity) for of_activity in right.values()]))


def test_they_are_recognised_without_a_setting(
    broker: "Broker", start_command: "Start", run_command: "Run", data_dir: Path, tmp_path: Path
) -> None:
    """Once they have walked ten steps, with the model for any place, and nothing is amiss."""
    people = [data_dir / "placements" / f"{person}.npz" for person in PEOPLE]
    if not all(person.is_file() for person in people):
        pytest.skip("needs the real placement sets in HAR_DATA_DIR/placements")
    recordings = {
        recording.device: recording
        for recording in (
            write_walker(person, tmp_path / "Pocket" / f"{person.parent.name}.npz")
            for person in people
        )
    }
    with Reader(broker) as reader:
        stream = start_command("har-stream", *broker.flags)
        broker.await_har_stream()
        result = run_command(
            "har-replay", *broker.flags, "--recording", "Pocket", "--speed", "max", "--wait",
            "--report", "report.json",
        )  # fmt: skip
        assert 0 == result.returncode, result.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        reader.await_that(lambda: reader.n_predictions == report["windows_received"])
        shares = {
            device: share_right(reader.predictions[device], recording)
            for device, recording in recordings.items()
        }
        assert np.mean(list(shares.values())) >= RIGHT, shares
        for device in recordings:
            models = {one["model"].partition("@")[0] for one in reader.predictions[device]}
            assert {"cnn-lstm-any"} == models
            reader.await_that(lambda name=device: reader.infos[name].get("upright") == "known")
            assert [] == reader.infos[device]["warnings"]
        assert 0 == stream.end()
