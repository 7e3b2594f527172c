"""From a phone that does something new to a model that knows it, through every command."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recordings import parquet, simulated
from pipeline.vocabulary import ACTIVITIES, CHANNELS

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

pytestmark = [pytest.mark.broker, pytest.mark.train]

SUBJECTS: Final = {"train": (1, 3, 5, 6, 7, 8), "test": (2, 4)}
WINDOWS: Final = 6
"""Of each activity and subject"""
NEW: Final = "JUMPING"
FIRST: Final = SETTLING_ROWS + 32  # a multiple of 64, when the filters have settled


def write_data_set(folder: Path) -> None:
    """Write what UCI HAR would be if its subjects were simulated, in its layout."""
    for split, subjects in SUBJECTS.items():
        windows, labels, of = [], [], []
        for subject in subjects:
            for label, activity in enumerate(ACTIVITIES):
                (stretch,) = simulated.recordings(
                    1,
                    seconds=(FIRST + 64 * (WINDOWS + 1) + 1) / 50,
                    seed=subject,
                    activity=activity,
                )[0].stretches
                samples = Preprocessor(1).push(np.array([0]), stretch.samples[np.newaxis])[0]
                starts = range(FIRST, FIRST + 64 * WINDOWS, 64)
                windows += [samples[start : start + 128] for start in starts]
                labels += [label + 1] * WINDOWS
                of += [subject] * WINDOWS
        (folder / split / "Inertial Signals").mkdir(parents=True)
        for channel, name in enumerate(CHANNELS):
            signals = np.array(windows)[:, :, channel]
            np.savetxt(folder / split / "Inertial Signals" / f"{name}_{split}.txt", signals)
        np.savetxt(folder / split / f"y_{split}.txt", labels, fmt="%d")
        np.savetxt(folder / split / f"subject_{split}.txt", of, fmt="%d")


def test_a_seventh_activity_is_learnt(
    broker: "Broker", start_command: "Start", run_command: "Run", tmp_path: Path
) -> None:
    """Sent live, recorded, trained on, exported, it is recognised of a phone never seen before."""
    simulated_phone = [*broker.flags, "--recording", "simulated", "--subjects", "1"]

    recording = start_command("har-record", *broker.flags, "--device", "phone-1", "--label", NEW)
    recording.await_log("Recording phone-1")
    played = run_command(
        "har-replay", *simulated_phone, "--activity", NEW, "--seed", "1", "--speed", "max"
    )
    assert 0 == played.returncode, played.stderr
    assert 0 == recording.end(), recording.log
    (path,) = parquet.find([tmp_path / "recordings"])
    assert (3000, (NEW,)) == (parquet.read(path).n_samples, parquet.read(path).activities)

    write_data_set(tmp_path / "data")
    trained = run_command(
        "har-train", "--data", "data", "--extra", "recordings", "--model", "lstm", "--out", "out",
        "--units", "16", "--dense-units", "16", "--epochs", "12", "--learning-rate", "0.01",
        "--batch-size", "32", "--validation-subjects", "2", "--no-refit",
        timeout_s=100, XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    assert 0 == trained.returncode, trained.stderr
    assert f"user recordings: 42 windows of 1 device ({NEW} 42)" in trained.stdout

    stream = start_command("har-stream", *broker.flags, "--model", "out/lstm.onnx")
    broker.await_har_stream()
    confusion = {}
    for activity in (NEW, "WALKING", "LAYING"):
        result = run_command(
            "har-replay", *simulated_phone, "--activity", activity, "--seed", "99",
            "--speed", "max", "--wait", "--report", "report.json",
        )  # fmt: skip
        assert 0 == result.returncode, result.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["windows_labelled"] == report["windows_expected"]
        confusion[activity] = report["confusion"][activity]
    assert 0 == stream.end(), stream.log
    shares = {
        activity: counts.get(NEW, 0) / sum(counts.values())
        for activity, counts in confusion.items()
    }
    assert shares[NEW] > 0.9, confusion
    assert shares["WALKING"] < 0.1, confusion
    assert shares["LAYING"] < 0.1, confusion
