"""Recordings of a user's own, played to a har-stream that runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from pipeline.recordings import journals, simulated
from pipeline.vocabulary import STANDARD_GRAVITY
from tests.commands.replay.file_recordings import apart_recording, file_recording
from tests.commands.replay.listener import Listener

if TYPE_CHECKING:
    from pipeline.recordings.recording import Recording
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


def phone_messages(seconds: float) -> list[bytes]:
    """Return what a phone sends whose two sensors have clocks of their own, ending now."""
    (stretch,) = simulated.recordings(1, seconds=seconds, seed=8)[0].stretches
    rng = np.random.default_rng(1)
    times = np.sort(np.arange(len(stretch.samples)) / 50 + rng.uniform(-4e-3, 4e-3))
    times += time.time() - seconds
    messages = []
    for first in range(0, len(times), 17):
        part = slice(first, first + 17)
        sensors = {
            "gyroscope": (times[part] + 1.7e-3, stretch.samples[part, 3:], "rad/s"),
            "accelerometer": (times[part], stretch.samples[part, :3] / STANDARD_GRAVITY, "g"),
        }
        messages.append(
            msgspec.json.encode(
                {
                    "sensors": {
                        name: {"time": at.tolist(), "values": values.tolist(), "unit": unit}
                        for name, (at, values, unit) in sensors.items()
                    }
                }
            )
        )
    return messages


def write(
    recording: "Recording", folder: Path, *, created: str = "", label: str | None = None
) -> None:
    """Write the samples of a recording into a file of its own."""
    header = msgspec.structs.replace(recording.header, created=created)
    journal = journals.Journal(folder, header)
    if label is not None:
        journal.label(-np.inf, label)
    for number, message in enumerate(recording.messages):
        for part in message:
            journal.append(number, part.readings)
    journal.close()


@pytest.mark.broker
def test_a_recorded_phone_is_recognised_as_it_was_live(
    broker: "Broker",
    start_stream: "Start",
    start_command: "Start",
    replay: "Run",
    listener: Listener,
    tmp_path: Path,
) -> None:
    """What har-record keeps of a phone and har-replay plays gives the same predictions, to 1e-6."""
    start_stream()
    recording = start_command("har-record", *broker.flags, "--device", "mine", "--label", "walking")
    recording.await_log("Recording mine")
    for message in phone_messages(seconds=20.0):
        listener.publish("har/mine/samples", message)
    listener.await_predictions((20 * 50 - 128 - 4) // 64 + 1)
    assert 0 == recording.end()

    live = list(listener.predictions)
    result = replay("--recording", "recordings", "--report", "report.json")
    assert 0 == result.returncode, result.stderr

    again = listener.predictions[len(live) :]
    assert len(live) == len(again)
    (shift,) = {round(b["start"] - a["start"], 6) for a, b in zip(live, again, strict=True)}
    assert float(shift).is_integer()
    for one, other in zip(live, again, strict=True):
        assert (one["device"], one["activity"]) == (other["device"], other["activity"])
        # Windows were classified in other batches, which may change a sum's last bits.
        assert pytest.approx(other["probabilities"], abs=1e-6) == one["probabilities"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows_received"] == report["windows_labelled"] == len(live)
    assert report["recall"]["WALKING"] == report["accuracy"]


@pytest.mark.broker
def test_two_files_of_one_phone_are_played_in_turn(
    start_stream: "Start", replay: "Run", tmp_path: Path
) -> None:
    """A folder's recordings follow each other, and names that are none of the six have a row."""
    start_stream()
    recording = file_recording([[("motion", 50)]] * 20, begins=1.4e9)
    for created in ("a", "b"):
        write(recording, tmp_path / "own", created=created, label="JUMPING")
    result = replay("--recording", "own", "--report", "report.json")
    assert 0 == result.returncode, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    n_windows = 2 * ((20 * 50 - 1 - 128) // 64 + 1)
    assert n_windows == report["windows_expected"] == report["windows_received"]
    assert "own: 1 phones, 2000 samples" in result.stdout
    assert "7 JUMPING" in result.stdout
    assert 0.0 == report["recall"]["JUMPING"]


@pytest.mark.broker
def test_a_recording_without_windows(start_stream: "Start", replay: "Run", tmp_path: Path) -> None:
    """Where none can be expected, it is said where the reason stands."""
    start_stream()
    write(file_recording([[("accelerometer", 50)]] * 5, begins=1.4e9), tmp_path / "own")
    result = replay("--recording", "own")
    assert 0 == result.returncode, result.stderr
    assert "0 received of 0 expected" in result.stdout
    assert "har/DEVICE/info says what is missing" in result.stdout


@pytest.mark.broker
def test_sensors_that_are_apart_are_played(
    start_stream: "Start", replay: "Run", tmp_path: Path
) -> None:
    """All windows of a phone whose sensors are 8 ms apart are expected and received."""
    start_stream()
    write(apart_recording(20, apart_s=0.008), tmp_path / "own")
    result = replay("--recording", "own", "--timeout", "3", "--report", "report.json")
    assert 0 == result.returncode, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    result = replay("--recording", "own", "--timeout", "3", "--report", "own")
    assert (1, "har-replay: report = 'own': Is a directory\n") == (
        result.returncode, result.stderr
    )  # fmt: skip
    n_windows = (20 * 50 - 1 - 1 - 128) // 64 + 1  # the gyroscope has nothing to the last row
    assert (n_windows, n_windows) == (report["windows_expected"], report["windows_received"])
