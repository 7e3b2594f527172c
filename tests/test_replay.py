import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.classifier import SHIPPED_MODELS, Classifier, find_model
from pipeline.formats import native
from pipeline.recognizer import Recognizer
from pipeline.recordings import uci_har
from pipeline.recordings.recording import Recording, Stretch
from pipeline.replay import batches, payload
from pipeline.settings import ReplaySettings
from pipeline.signals import ACTIVITIES

if TYPE_CHECKING:
    from tests.conftest import Broker, Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

TIMEOUT_S = 20.0
EPOCH = 1.6e9


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


def recording(lengths: list[int], *, width: int) -> Recording:
    """Return stretches of these lengths whose samples hold their own number, 10 s apart."""
    stretches, start, number = [], 0.0, 0
    for length in lengths:
        numbers = np.arange(number, number + length) / 10_000
        labels = np.full(length, number % 6, np.int8)
        stretches.append(Stretch(start, np.tile(numbers[:, None], (1, width)), labels))
        start += length / 50 + 10.0
        number += length
    return Recording("phone", tuple(stretches))


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    rows=st.integers(1, 150),
    hop=st.integers(16, 128),
    width=st.sampled_from([6, 9]),
)
@settings(max_examples=50)
def test_the_books_agree_with_the_recognizer(
    classifier: Classifier, lengths: list[int], rows: int, hop: int, width: int
) -> None:
    """Each message completes just the windows for which the recognizer then has predictions."""
    recognizer = Recognizer(classifier, hop=hop)
    recognizer.admit("phone")
    for batch in batches(recording(lengths, width=width), rows=rows, hop=hop):
        message = native.decode(
            "har/phone/samples", payload(batch, epoch=EPOCH, recording="once more")
        )
        predictions = recognizer.push([message]).predictions
        expected = [round(start * 50) for start, _ in batch.completes]
        assert expected == [round((p.start - EPOCH) * 50) for p in predictions]


@pytest.mark.parametrize("rows", [1, 25, 64, 1000])
def test_messages_hold_every_sample_once(rows: int) -> None:
    """The messages' rows are the recording's, in order, and a message never spans a break."""
    whole = recording([300, 1, 130], width=9)

    made = list(batches(whole, rows=rows, hop=64))

    sent = np.concatenate([batch.rows for batch in made])
    np.testing.assert_array_equal(np.concatenate([s.samples for s in whole.stretches]), sent)
    for batch in made:
        assert 1 <= len(batch.rows) <= rows
        assert batch.due == pytest.approx(batch.start + (len(batch.rows) - 1) / 50)
        assert np.ptp(batch.rows[:, 0]) == pytest.approx((len(batch.rows) - 1) / 10_000)
    assert [s.start for s in whole.stretches] == [
        batch.start
        for batch in made
        if batch.rows[0, 0] in [s.samples[0, 0] for s in whole.stretches]
    ]


def test_windows_of_two_activities_are_not_judged() -> None:
    """A window whose samples have different labels has the label -1."""
    labels = np.repeat(np.array([3, 4], np.int8), 128)
    stretch = Stretch(0.0, np.zeros((256, 9)), labels)

    made = batches(Recording("phone", (stretch,)), rows=25, hop=64)

    assert [(0.0, 3), (1.28, -1), (2.56, 4)] == [w for batch in made for w in batch.completes]


# With a broker


@pytest.fixture
def start_stream(broker: "Broker", start_command: "Start") -> "Iterator[Start]":
    """A function that starts a har-stream with a model at the shared broker."""
    started = []

    def start(model: Path) -> "Running":
        running = start_command("har-stream", *broker.flags, "--model", str(model))
        started.append(running)
        broker.await_har_stream()
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end()


@pytest.fixture
def predictions(broker: "Broker") -> Iterator[list[dict[str, Any]]]:
    """All predictions that are published during a test."""
    arrived: list[dict[str, Any]] = []
    subscribed = threading.Event()

    def note(client: Client, userdata: object, message: MQTTMessage) -> None:
        arrived.append(json.loads(message.payload))

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("har/+/prediction", 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = note
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert subscribed.wait(TIMEOUT_S)
    yield arrived
    client.disconnect()
    client.loop_stop()


def models() -> list[str]:
    """Return the shipped models that there are, else the tiny one."""
    return [name for name in SHIPPED_MODELS if find_model(name).is_file()] or ["tiny"]


@pytest.mark.broker
@pytest.mark.parametrize("name", models())
def test_the_test_split_live_is_the_test_split_offline(
    name: str,
    tiny_model: Path,
    broker: "Broker",
    start_stream: "Start",
    run_command: "Run",
    predictions: list[dict[str, Any]],
    uci_har_data: uci_har.DataSet,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """The whole UCI HAR test split played live gives 2,947 predictions, each the offline label."""
    model = tiny_model if name == "tiny" else find_model(name)
    split = uci_har_data.test
    offline = Classifier(model).classify(split.windows).argmax(axis=1)
    running = start_stream(model)

    result = run_command(
        "har-replay", *broker.flags, "--data", str(data_dir), "--speed", "max", "--wait",
        "--report", "report.json", timeout_s=120,
    )  # fmt: skip
    assert running.end() == 0

    assert result.returncode == 0, result.stderr
    assert len(offline) == len(predictions) == 2947
    for subject in np.unique(split.subjects):
        device = f"subject-{subject:02d}"
        live = sorted((p["start"], p["activity"]) for p in predictions if p["device"] == device)
        expected = [ACTIVITIES[label] for label in offline[split.subjects == subject]]
        assert expected == [activity for _, activity in live]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows_expected"] == 2947
    assert report["windows_received"] == 2947
    assert report["windows_labelled"] == 2947
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
    predictions: list[dict[str, Any]],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """A replay in time ends with a table, and the report has its figures under the agreed keys."""
    start_stream(tiny_model)

    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--speed", "4", "--wait", "--report", "report.json",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows_expected"] == 5  # (8 s * 50 - 1 - 128) // 64 + 1
    assert report["windows_received"] == 5
    assert report["samples"] == 400
    assert report["seconds"] >= 8 / 4 - 0.6
    assert {"p50", "p95", "p99"} == set(report["latency_ms"])
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"] < 5000
    assert set(ACTIVITIES) == set(report["recall"])
    assert 0 <= report["accuracy"] <= 1
    assert len(predictions) == 5
    assert "5 received of 5 expected" in result.stdout
    assert "WALKING_UPSTAIRS" in result.stdout


@pytest.mark.broker
def test_a_replay_may_be_played_twice(
    broker: "Broker",
    start_stream: "Start",
    run_command: "Run",
    predictions: list[dict[str, Any]],
    tiny_model: Path,
) -> None:
    """The same phones played again, faster than real time, begin anew with the same activities."""
    start_stream(tiny_model)
    for _ in range(2):
        result = run_command(
            "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1,1",
            "--duration", "20", "--speed", "max", "--wait",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr

    half = len(predictions) // 2
    assert half > 0
    first, second = predictions[:half], predictions[half:]
    assert [p["activity"] for p in first] == [p["activity"] for p in second]
    for one, other in zip(first, second, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


@pytest.mark.broker
def test_without_waiting(broker: "Broker", run_command: "Run") -> None:
    """Without --wait a replay plays to whoever listens, and ends with 0."""
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--duration", "3",
        "--speed", "max",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.broker
def test_nobody_answers(broker: "Broker", run_command: "Run") -> None:
    """With --wait and no har-stream a replay ends with 1 and one clear line."""
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--wait", "--timeout", "0.5"
    )
    assert result.returncode == 1
    expected = f"har-replay: no har-stream on 127.0.0.1:{broker.port}; start it before replaying\n"
    assert result.stderr == expected


@pytest.mark.broker
def test_har_stream_dies_meanwhile(
    broker: "Broker", start_stream: "Start", start_command: "Start", tiny_model: Path
) -> None:
    """When predictions stop coming, a replay that waits says so and ends with 1."""
    running = start_stream(tiny_model)
    replay = start_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--duration", "8",
        "--speed", "4", "--wait", "--timeout", "1",
    )  # fmt: skip
    replay.await_log("simulated: ")
    running.end(signal.SIGKILL)

    assert replay.process.wait(TIMEOUT_S) == 1
    assert "har-replay: no prediction came for 1 s" in replay.log
    assert "received of" in replay.log  # the table of what came before
    assert "Traceback" not in replay.log


def test_no_broker(free_port: int, run_command: "Run") -> None:
    """Without a broker a replay ends with 1 and one clear line."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--port", str(free_port),
        "--recording", "simulated",
    )  # fmt: skip
    assert result.returncode == 1
    line = result.stderr.strip().splitlines()[-1]
    assert line == f"har-replay: no connection to 127.0.0.1:{free_port}: nobody answers there"
    assert "Traceback" not in result.stderr


def test_an_unknown_subject(run_command: "Run") -> None:
    """A subject that is not in the recordings ends a replay with 1, naming those that are."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--recording", "simulated", "--subjects", "1,99"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("har-replay: simulated has no subject 99; it has 1, 2, 3")
    assert result.stderr.count("\n") == 1


def test_subjects_of_the_other_split(run_command: "Run", data_dir: Path) -> None:
    """A training subject is not in the test split: an error, not an empty replay."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--data", str(data_dir), "--subjects", "1"
    )
    assert result.returncode == 1
    assert "har-replay: uci-har has no subject 1; it has 2, 4, 9, 10," in result.stderr


def test_no_data(run_command: "Run", tmp_path: Path) -> None:
    """A folder without the data set ends a replay with 1 and one clear line."""
    result = run_command("har-replay", "--broker", "127.0.0.1", "--data", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith(f"har-replay: {tmp_path}: holds no UCI HAR data set")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--speed", "0"], "speed"),
        (["--speed", "fast"], "speed"),
        (["--rows", "0"], "rows"),
        (["--recording", "mine"], "recording"),
        (["--duration", "-1"], "duration"),
    ],
)
def test_settings_that_do_not_fit(
    refused_settings: Callable[..., str], flags: list[str], said: str
) -> None:
    """A setting out of bounds ends a replay with a line that names it."""
    lines = refused_settings(ReplaySettings, "har-replay", "--broker", "127.0.0.1", *flags)
    for line in lines.splitlines():
        assert line.startswith(f"har-replay: {said} = ")
