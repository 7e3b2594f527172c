"""Replays to a har-stream that runs."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Prediction
from pipeline.recordings import uci_har
from pipeline.recordings.uci_har import OVERLAP
from pipeline.vocabulary import ACTIVITIES, SHIPPED_MODELS
from tests.commands.replay.listener import Listener

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


def models() -> list[str]:
    """Return the shipped models that there are, else the tiny one."""
    return [name for name in SHIPPED_MODELS if find_model(name).is_file()] or ["tiny"]


def offline_labels(model: Classifier, split: uci_har.Split) -> NDArray[np.intp]:
    """Return the labels of the split's windows ``(n_windows,)``.

    If the model takes the wearer's frame, it is learnt of each subject's windows in their order.
    """
    if not model.card.wearer:
        return model.classify(split.windows).argmax(axis=1)
    labels = np.empty(len(split.labels), np.intp)
    for recording in uci_har.recordings(split):
        recognizer = Recognizer(model, hop=OVERLAP)
        recognizer.admit(recording.device)
        predictions: list[Prediction] = []
        for message in recording.messages:
            delivery = Delivery([part.readings for part in message])
            predictions += recognizer.push([delivery]).predictions
        predictions += recognizer.finish([recording.device]).predictions
        subject = int(recording.device.rpartition("-")[2])
        labels[split.subjects == subject] = [one.label for one in predictions]
    return labels


@pytest.mark.broker
@pytest.mark.parametrize(
    ("name", "form"), [*((name, ()) for name in models()), (models()[0], ("--compact",))]
)
def test_the_test_split_live_is_the_test_split_offline(
    name: str,
    form: tuple[str, ...],
    tiny_model: Path,
    start_stream: "Start",
    replay: "Run",
    listener: Listener,
    uci_har_data: uci_har.DataSet,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """The whole UCI HAR test split played live gives 2,947 predictions, each the offline label.

    So it does in the compact form: its float32 are the data set's.
    """
    model = tiny_model if name == "tiny" else find_model(name)
    split = uci_har_data.test
    offline = offline_labels(Classifier(model), split)
    running = start_stream(model=model)

    result = replay("--data", str(data_dir), "--report", "report.json", *form, timeout_s=120)
    assert 0 == running.end()

    assert 0 == result.returncode, result.stderr
    listener.await_predictions(2947)
    predictions = listener.predictions
    assert len(offline) == len(predictions) == 2947
    for subject in np.unique(split.subjects):
        device = f"subject-{subject:02d}"
        live = sorted((p["start"], p["activity"]) for p in predictions if p["device"] == device)
        expected = [ACTIVITIES[label] for label in offline[split.subjects == subject]]
        assert expected == [activity for _, activity in live]
    report = json.loads((tmp_path / "report.json").read_text())
    assert 2947 == report["windows_expected"]
    assert 2947 == report["windows_received"]
    assert 2947 == report["windows_labelled"]
    assert report["accuracy"] == (offline == split.labels).sum() / 2947
    confusion = np.array([list(report["confusion"][activity].values()) for activity in ACTIVITIES])
    expected_confusion = np.zeros((6, 6), int)
    np.add.at(expected_confusion, (split.labels, offline), 1)
    np.testing.assert_array_equal(expected_confusion, confusion)


@pytest.mark.broker
def test_the_report(
    broker: "Broker",
    start_stream: "Start",
    run_command: "Run",
    listener: Listener,
    tmp_path: Path,
) -> None:
    """A replay in time ends with a table, and the report has its figures under the agreed keys."""
    start_stream()

    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--speed", "4", "--wait", "--report", "report.json",
    )  # fmt: skip

    assert 0 == result.returncode, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert 5 == report["windows_expected"]  # (8 s * 50 - 1 - 128) // 64 + 1
    assert 5 == report["windows_received"]
    assert 400 == report["samples"]
    assert report["seconds"] >= 8 / 4 - 0.6
    assert {"p50", "p95", "p99"} == set(report["latency_ms"])
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] < 5000
    assert set(ACTIVITIES) == set(report["recall"])
    assert 0 <= report["accuracy"] <= 1
    assert 5 == len(listener.predictions)
    assert "5 received of 5 expected" in result.stdout
    assert "WALKING_UPSTAIRS" in result.stdout


@pytest.mark.broker
def test_a_replay_may_be_played_twice(
    start_stream: "Start", replay: "Run", listener: Listener
) -> None:
    """The same phones played again, faster than real time, begin anew with the same activities."""
    start_stream()
    for _ in range(2):
        result = replay("--recording", "simulated", "--subjects", "1,1", "--duration", "20")
        assert 0 == result.returncode, result.stderr

    predictions = listener.predictions
    half = len(predictions) // 2
    assert half > 0
    first, second = predictions[:half], predictions[half:]
    assert [p["activity"] for p in first] == [p["activity"] for p in second]
    for one, other in zip(first, second, strict=True):
        assert pytest.approx(other["probabilities"], abs=1e-6) == one["probabilities"]


@pytest.mark.broker
@pytest.mark.parametrize(
    ("hop", "returncode", "words"),
    [
        ("16", 1, "har-stream may have another --hop than 16, that of here"),
        ("100", 1, "came for windows that were not expected: har-stream may have another --hop"),
        ("128", 0, "2 more came for windows that were not expected: give the --hop of har-stream"),
    ],
)
def test_another_hop_than_har_streams(
    start_stream: "Start", replay: "Run", hop: str, returncode: int, words: str
) -> None:
    """Where other windows are expected than come, the setting that may differ is named."""
    start_stream()
    result = replay(
        *("--recording", "simulated", "--subjects", "1", "--duration", "8"),
        *("--hop", hop, "--timeout", "1"),
    )
    assert returncode == result.returncode, result.stderr
    assert words in " ".join((result.stdout + result.stderr).split())


@pytest.mark.broker
def test_the_hop_that_har_stream_publishes(start_stream: "Start", replay: "Run") -> None:
    """Without --hop the windows are expected that har-stream makes, whatever its hop."""
    running = start_stream("--hop", "100")
    result = replay(
        "--recording", "simulated", "--subjects", "1", "--duration", "8", "--timeout", "5"
    )
    assert 0 == running.end()
    assert 0 == result.returncode, result.stderr
    assert "3 received of 3 expected" in result.stdout
    assert "not expected" not in result.stdout
