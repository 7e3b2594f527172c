import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pipeline.commands.replay.settings import ReplaySettings
from pipeline.models.classifier import Classifier, find_model
from pipeline.recordings import journals, simulated, uci_har
from pipeline.vocabulary import ACTIVITIES, SHIPPED_MODELS, STANDARD_GRAVITY
from tests.client import TIMEOUT_S, MqttClient, Received
from tests.commands.replay.file_recordings import apart_recording, file_recording

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


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


class Listener(MqttClient):
    """A client that reads all predictions."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.predictions: list[dict[str, Any]] = []
        super().__init__(broker, "har/+/prediction")

    def keep(self, message: Received) -> None:
        """Keep a prediction."""
        self.predictions.append(json.loads(message.payload))

    def await_predictions(self, n: int) -> None:
        """Return when so many have come."""
        self.await_that(lambda: len(self.predictions) >= n)


@pytest.fixture
def listener(broker: "Broker") -> Iterator[Listener]:
    """A client that reads all predictions that are published during a test."""
    with Listener(broker) as listener:
        yield listener


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
    listener: Listener,
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
    listener.await_predictions(2947)
    predictions = listener.predictions
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
    listener: Listener,
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
    assert len(listener.predictions) == 5
    assert "5 received of 5 expected" in result.stdout
    assert "WALKING_UPSTAIRS" in result.stdout


@pytest.mark.broker
def test_a_replay_may_be_played_twice(
    broker: "Broker",
    start_stream: "Start",
    run_command: "Run",
    listener: Listener,
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

    predictions = listener.predictions
    half = len(predictions) // 2
    assert half > 0
    first, second = predictions[:half], predictions[half:]
    assert [p["activity"] for p in first] == [p["activity"] for p in second]
    for one, other in zip(first, second, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)


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


@pytest.mark.broker
def test_a_recorded_phone_is_recognised_as_it_was_live(
    broker: "Broker",
    start_stream: "Start",
    start_command: "Start",
    run_command: "Run",
    listener: Listener,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    """What har-record keeps of a phone and har-replay plays gives the same predictions, to 1e-6."""
    start_stream(tiny_model)
    recording = start_command("har-record", *broker.flags, "--device", "mine", "--label", "walking")
    recording.await_log("Recording mine")
    for message in phone_messages(seconds=20.0):
        listener.publish("har/mine/samples", message)
    listener.await_predictions((20 * 50 - 128 - 4) // 64 + 1)
    assert recording.end() == 0

    live = list(listener.predictions)
    result = run_command(
        "har-replay", *broker.flags, "--recording", "recordings", "--speed", "max", "--wait",
        "--report", "report.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr

    again = listener.predictions[len(live) :]
    assert len(live) == len(again)
    (shift,) = {round(b["start"] - a["start"], 6) for a, b in zip(live, again, strict=True)}
    assert float(shift).is_integer()
    for one, other in zip(live, again, strict=True):
        assert (one["device"], one["activity"]) == (other["device"], other["activity"])
        # Windows were classified in other batches, which may change a sum's last bits.
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["windows_received"] == report["windows_labelled"] == len(live)
    assert report["recall"]["WALKING"] == report["accuracy"]


@pytest.mark.broker
def test_two_files_of_one_phone_are_played_in_turn(
    broker: "Broker", start_stream: "Start", run_command: "Run", tiny_model: Path, tmp_path: Path
) -> None:
    """A folder's recordings follow each other, and names that are none of the six have a row."""
    start_stream(tiny_model)
    one = file_recording([[("motion", 50)]] * 20, begins=1.4e9)
    for name in ("a", "b"):
        journal = journals.Journal(
            tmp_path / "own", msgspec.structs.replace(one.header, created=name)
        )
        journal.label(-np.inf, "JUMPING")
        for number, message in enumerate(one.messages):
            journal.append(number, message[0].readings)
        journal.close()
    result = run_command(
        "har-replay", *broker.flags, "--recording", "own", "--speed", "max", "--wait",
        "--report", "report.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    n_windows = 2 * ((20 * 50 - 1 - 128) // 64 + 1)
    assert n_windows == report["windows_expected"] == report["windows_received"]
    assert "own: 1 phones, 2000 samples" in result.stdout
    assert "7 JUMPING" in result.stdout
    assert 0.0 == report["recall"]["JUMPING"]


@pytest.mark.broker
def test_a_recording_without_windows(
    broker: "Broker", start_stream: "Start", run_command: "Run", tiny_model: Path, tmp_path: Path
) -> None:
    """Where none can be expected, it is said where the reason stands."""
    start_stream(tiny_model)
    one = file_recording([[("accelerometer", 50)]] * 5, begins=1.4e9)
    journal = journals.Journal(tmp_path / "own", one.header)
    for number, message in enumerate(one.messages):
        journal.append(number, message[0].readings)
    journal.close()
    result = run_command(
        "har-replay", *broker.flags, "--recording", "own", "--speed", "max", "--wait"
    )
    assert result.returncode == 0, result.stderr
    assert "0 received of 0 expected" in result.stdout
    assert "har/DEVICE/info says what is missing" in result.stdout


@pytest.mark.broker
def test_sensors_that_are_apart_are_played(
    broker: "Broker", start_stream: "Start", run_command: "Run", tiny_model: Path, tmp_path: Path
) -> None:
    """All windows of a phone whose sensors are 8 ms apart are expected and received."""
    start_stream(tiny_model)
    one = apart_recording(20, apart_s=0.008)
    journal = journals.Journal(tmp_path / "own", one.header)
    for number, message in enumerate(one.messages):
        for part in message:
            journal.append(number, part.readings)
    journal.close()
    result = run_command(
        "har-replay", *broker.flags, "--recording", "own", "--speed", "max", "--wait",
        "--timeout", "3", "--report", "report.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    result = run_command(
        "har-replay", *broker.flags, "--recording", "own", "--speed", "max", "--wait",
        "--timeout", "3", "--report", "own",
    )  # fmt: skip
    assert (1, "har-replay: report = 'own': Is a directory\n") == (
        result.returncode, result.stderr
    )  # fmt: skip
    n_windows = (20 * 50 - 1 - 1 - 128) // 64 + 1  # the gyroscope has nothing to the last row
    assert (n_windows, n_windows) == (report["windows_expected"], report["windows_received"])


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
    assert "are missing: har-stream is not online any more" in replay.log
    assert "received of" in replay.log  # the table of what came before
    assert "Traceback" not in replay.log


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
    broker: "Broker",
    start_stream: "Start",
    run_command: "Run",
    tiny_model: Path,
    hop: str,
    returncode: int,
    words: str,
) -> None:
    """Where other windows are expected than come, the setting that may differ is named."""
    start_stream(tiny_model)
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--hop", hop, "--speed", "max", "--wait", "--timeout", "1",
    )  # fmt: skip
    assert returncode == result.returncode, result.stderr
    assert words in " ".join((result.stdout + result.stderr).split())


@pytest.mark.broker
def test_the_hop_that_har_stream_publishes(
    broker: "Broker", start_command: "Start", run_command: "Run", tiny_model: Path
) -> None:
    """Without --hop the windows are expected that har-stream makes, whatever its hop."""
    running = start_command("har-stream", *broker.flags, "--model", str(tiny_model), "--hop", "100")
    broker.await_har_stream()
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--speed", "max", "--wait", "--timeout", "5",
    )  # fmt: skip
    assert 0 == running.end()
    assert 0 == result.returncode, result.stderr
    assert "3 received of 3 expected" in result.stdout
    assert "not expected" not in result.stdout


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_broker_that_refuses_the_messages(
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    run_command: "Run",
    tiny_model: Path,
    tmp_path: Path,
    protocol: str,
) -> None:
    """That the broker confirms nothing is told, not blamed on har-stream."""
    with (tmp_path / "mosquitto.conf").open("a") as config:
        config.write("max_packet_size 600\n")
    own_mosquitto.start()
    start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    own_mosquitto.await_har_stream()
    result = run_command(
        "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--speed", "max", "--wait", "--timeout", "1", "--protocol", protocol,
    )  # fmt: skip
    assert 1 == result.returncode
    if protocol == "5":  # it has told its limit at the login
        assert "takes no packets of more than 600 bytes" in result.stderr
    else:
        assert "are missing: the broker did not confirm" in result.stderr
        assert "does it limit their size (fewer --rows make them smaller)?" in result.stderr


@pytest.mark.broker
@pytest.mark.parametrize("speed", ["max", "10"])
def test_a_broker_that_refuses_the_messages_of_a_replay_that_does_not_wait(
    own_mosquitto: "Mosquitto", run_command: "Run", tmp_path: Path, speed: str
) -> None:
    """It ends, and with 1: nobody can have had them."""
    with (tmp_path / "mosquitto.conf").open("a") as config:
        config.write("max_packet_size 600\n")
    own_mosquitto.start()
    result = run_command(
        "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "6", "--rows", "25", "--speed", speed, "--timeout", "1",
    )  # fmt: skip
    assert 1 == result.returncode
    assert "har-replay: the broker did not confirm" in result.stderr


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
    ("flags", "words"),
    [
        (["--recording", "own.parquet"], "har-replay: own.parquet: no such recording or folder"),
        (["--recording", "."], "har-replay: .: holds no recordings (*.parquet)"),
        (["--recording", "own.parquet", "--subjects", "1"], "--subjects and --activity are for"),
        (["--activity", "JUMPING"], "har-replay: --activity is for --recording simulated"),
        (["--recording", "simulated", "--activity", "FLYING"], "no activity 'FLYING': there are"),
    ],
)
def test_what_is_not_there(run_command: "Run", flags: list[str], words: str) -> None:
    """Files that are missing, and activities that there are none of, end it with one line."""
    result = run_command("har-replay", "--broker", "127.0.0.1", *flags)
    assert result.returncode == 1
    assert words in result.stderr
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
