import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.record import command
from pipeline.recordings import journals, parquet
from tests.client import TIMEOUT_S, MqttClient
from tests.commands.record.sent import EPOCH, labels, samples

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def publisher(broker: "Broker") -> Iterator[MqttClient]:
    """A phone's connection."""
    with MqttClient(broker) as client:
        yield client


def start_record(start_command: "Start", broker: "Broker", *flags: str) -> "Running":
    """Return a har-record that listens."""
    running = start_command("har-record", *broker.flags, "--output", "own", *flags)
    running.await_log("Recording ")
    return running


def await_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files in a folder when there are any."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (files := list(folder.glob(pattern))):
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
    return files


def recoverable(journal: Path, folder: Path) -> int:
    """Return how many samples a crash at this instant would leave of a journal."""
    folder.mkdir(exist_ok=True)
    shutil.copy(journal, folder)
    n_samples = sum(parquet.read(path).n_samples for path in journals.recover(folder))
    shutil.rmtree(folder)
    return n_samples


@pytest.mark.broker
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_stopped(
    broker: "Broker",
    publisher: MqttClient,
    start_command: "Start",
    tmp_path: Path,
    signal_number: int,
) -> None:
    """Stopped in either way the command writes its file, says so, and ends with 0."""
    running = start_record(start_command, broker, "--device", "rec-1", "--label", "walking")
    for number in range(4):
        publisher.publish("har/rec-1/samples", samples(number / 2))
    publisher.publish("har/rec-1/label", b"jumping")
    publisher.publish("har/rec-1/samples", samples(2.0))
    assert 0 == running.end(signal_number), running.log
    (path,) = (tmp_path / "own").iterdir()
    assert f"Wrote {Path('own') / path.name}" in running.log
    one = parquet.read(path)
    assert (125, ("JUMPING", "WALKING")) == (one.n_samples, one.activities)
    assert "Traceback" not in running.log


@pytest.mark.broker
def test_a_killed_recording_is_recovered(
    broker: "Broker",
    publisher: MqttClient,
    start_command: "Start",
    run_command: "Run",
    tmp_path: Path,
) -> None:
    """What came more than a second before kill -9 is a file after the next start."""
    running = start_record(start_command, broker, "--device", "rec-2", "--label", "WALKING")
    for number in range(6):
        publisher.publish("har/rec-2/samples", samples(number / 2))
    came = time.monotonic()
    (journal,) = await_files(tmp_path / "own", "*.arrows")
    while (n_samples := recoverable(journal, tmp_path / "copy")) < 150:
        assert time.monotonic() < came + TIMEOUT_S, n_samples
    assert time.monotonic() < came + 1.5  # a second, and some for a busy machine
    running.end(signal.SIGKILL)

    again = start_record(start_command, broker, "--device", "rec-2")
    assert "Recovered own" in again.log
    again.end()
    (path,) = (tmp_path / "own").iterdir()
    assert (150, ("WALKING",)) == (parquet.read(path).n_samples, parquet.read(path).activities)


@pytest.mark.broker
def test_labels_that_nobody_could_make(
    broker: "Broker", publisher: MqttClient, start_command: "Start", tmp_path: Path
) -> None:
    """Of hundreds a second some are logged, and one that names no activity is no label."""
    running = start_record(start_command, broker, "--device", "rec-5")
    for number in range(300):
        publisher.send("har/rec-5/label", f"label {number % 2}")
    publisher.publish("har/rec-5/samples", samples(0.0))
    publisher.publish("har/rec-5/label", b"label 1, and more")
    publisher.publish("har/rec-5/samples", samples(0.5))
    running.await_log("a message on 'har/rec-5/label' cannot be kept (label;")
    assert 0 == running.end()
    assert running.log.count("har-record: label") <= 5
    (path,) = (tmp_path / "own").iterdir()
    (first, then) = parquet.read(path).messages
    assert ({0}, {-1}) == (set(first[0].labels.tolist()), set(then[0].labels.tolist()))


@pytest.mark.broker
def test_a_label_in_milliseconds(
    broker: "Broker", publisher: MqttClient, start_command: "Start", tmp_path: Path
) -> None:
    """JavaScript's Date.now() as a label's time is refused in words, and ends the one before."""
    running = start_record(start_command, broker, "--device", "rec-6", "--label", "walking")
    begun = time.time() - 10.0
    publisher.publish("har/rec-6/samples", samples(begun - EPOCH))
    dated = json.dumps({"label": "sitting", "time": round(time.time() * 1e3)}).encode()
    publisher.publish("har/rec-6/label", dated)
    running.await_log("a message on 'har/rec-6/label' cannot be kept (time; 1 so far): the time ")
    publisher.publish("har/rec-6/samples", samples(begun - EPOCH + 0.5))
    assert 0 == running.end()
    assert "is in milliseconds" in running.log
    (path,) = (tmp_path / "own").iterdir()
    assert ["WALKING"] * 25 + [None] * 25 == labels(parquet.read(path))


@pytest.mark.broker
def test_a_recording_of_a_set_time(
    broker: "Broker", publisher: MqttClient, start_command: "Start", tmp_path: Path
) -> None:
    """It ends by itself so long after the first samples."""
    running = start_record(start_command, broker, "--device", "rec-3", "--duration", "0.5")
    publisher.publish("har/rec-3/samples", samples(0.0))
    assert 0 == running.process.wait(TIMEOUT_S)
    assert 25 == parquet.read(next((tmp_path / "own").iterdir())).n_samples


@pytest.mark.broker
def test_a_recording_of_a_set_time_to_which_nothing_comes(
    broker: "Broker",
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It ends, too, with exit code 1: the first samples are not waited for without end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "FIRST_SAMPLES_S", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    flags = ["--device", "rec-9", "--duration", "0.2"]
    monkeypatch.setattr(sys, "argv", ["har-record", *broker.flags, *flags])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert (
        "har-record: nothing came from rec-9 that can be kept: is it sending, under this name, "
        "to this broker, in a format of --subscribe?"
    ) == end.value.code


@pytest.mark.broker
@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        ("rec-7/samples", "rec-7 that can be kept: is it sending, under this name, in the right "
         "format? Messages were rejected: 1 (json)"),
        ("rec-8/samples", "There are messages of rec-8"),
    ],
)  # fmt: skip
def test_why_nothing_could_be_kept(
    broker: "Broker",
    publisher: MqttClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    leaf: str,
    words: str,
) -> None:
    """When the time is over it is said whether messages were refused, and who does send."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "FIRST_SAMPLES_S", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    payload = samples(0.0) if leaf.startswith("rec-8") else b"nonsense"
    publisher.publish(f"har/{leaf}", payload, retain=True)
    try:
        flags = ["--device", "rec-7", "--duration", "0.3"]
        monkeypatch.setattr(sys, "argv", ["har-record", *broker.flags, *flags])
        with pytest.raises(SystemExit) as end:
            command.main()
    finally:
        publisher.publish(f"har/{leaf}", b"", retain=True)
    assert words in str(end.value.code)


@pytest.mark.broker
def test_silence_and_bad_messages_are_told(
    broker: "Broker", publisher: MqttClient, start_command: "Start"
) -> None:
    """After five seconds of nothing there is a warning that names who does send."""
    running = start_record(start_command, broker, "--device", "rec-4")
    publisher.publish("har/rec-4/samples", b"nonsense")
    publisher.publish("har/somebody/samples", samples(0.0))
    running.await_log("a message on 'har/rec-4/samples' cannot be kept (json;")
    running.await_log("nothing has come from rec-4 for 5 s; there are messages of somebody")
    assert 0 == running.end()
    assert "Nothing came from rec-4" in running.log


@pytest.mark.broker
@pytest.mark.parametrize(("flags", "n_samples"), [([], 10), (["--no-default-subscriptions"], 0)])
def test_the_usual_topics(
    broker: "Broker",
    publisher: MqttClient,
    start_command: "Start",
    tmp_path: Path,
    flags: list[str],
    n_samples: int,
) -> None:
    """What a phone's browser sends is kept without a setting, unless that is switched off."""
    running = start_record(start_command, broker, "--device", "rec-8", *flags)
    axes = dict.fromkeys(("agx", "agy", "agz", "rx", "ry", "rz"), 1.0)
    message = {
        "unit": "m/s2", "gyro_unit": "deg/s", "platform": "android",
        "samples": [{"t": EPOCH + k / 50, **axes} for k in range(10)],
    }  # fmt: skip
    publisher.publish("browser/rec-8", json.dumps(message))
    publisher.publish("har/rec-8/samples", b"the last that comes")
    running.await_log("a message on 'har/rec-8/samples' cannot be kept")
    assert 0 == running.end()
    found = [parquet.read(path) for path in (tmp_path / "own").glob("*.parquet")]
    assert n_samples == sum(one.n_samples for one in found)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--device", "a/b"], "har-record: a device name has 1 to 64 characters"),
        (["--device", "p", "--label", "ä, ö"], "har-record: 'ä, ö' is no activity"),
        (["--device", "p", "--subscribe", "x=nothing"], "har-record: no format 'nothing'"),
        (
            ["--device", "p", "--output", "file"],
            "har-record: output = 'file': 'file' is a file, and a folder is needed",
        ),
        (
            ["--device", "p", "--output", "file/of/mine"],
            "har-record: output = 'file/of/mine': 'file' is a file, and a folder is needed",
        ),
        ([], "har-record: --device or HAR_DEVICE is needed"),
        (["--device", "p"], "nobody answers there"),
    ],
)
def test_mistakes_end_in_one_line(
    run_command: "Run", tmp_path: Path, free_port: int, flags: list[str], words: str
) -> None:
    """What cannot be is told at once, with exit code 1."""
    (tmp_path / "file").write_text("")
    done = run_command("har-record", "--broker", "127.0.0.1", "--port", str(free_port), *flags)
    assert 1 == done.returncode
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_to(run_command: "Run", tmp_path: Path) -> None:
    """It is told before anything is recorded."""
    (tmp_path / "closed").mkdir(mode=0o500)
    done = run_command("har-record", "--broker", "127.0.0.1", "--device", "p", "--output", "closed")
    assert 1 == done.returncode
    assert "har-record: output = 'closed': Permission denied" in done.stderr
    shutil.rmtree(tmp_path / "closed")
