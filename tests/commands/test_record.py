import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.commands import record
from pipeline.commands.record import Recorder, decode_label
from pipeline.messages import Message
from pipeline.readings import MessageError
from pipeline.recordings import parquet
from pipeline.recordings.labelled import LabelledRecording
from pipeline.settings import RecordSettings
from pipeline.subscriptions import parse

if TYPE_CHECKING:
    from tests.conftest import Broker, Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

TIMEOUT_S = 20.0
EPOCH = 1.7e9


def samples(start: float, n_rows: int = 25, *, recording: str = "") -> bytes:
    """Return a native message of evenly spaced rows, from ``start`` seconds on."""
    return msgspec.json.encode(
        {
            "start": EPOCH + start,
            "rate": 50,
            "acc": [[0.1, 9.8, k / 100] for k in range(n_rows)],
            "acc_unit": "m/s2",
            "gyro": [[0.0, 0.1, 0.2]] * n_rows,
            "gyro_unit": "rad/s",
            "recording": recording,
        }
    )


def sensor_logger(start: float, *, text: str | None = None, accuracy: bool = False) -> bytes:
    """Return a message of Sensor Logger: ten readings of three sensors, and an annotation."""
    time_ns = round((EPOCH + start) * 1e9)
    payload: list[dict[str, object]] = [
        {"name": name, "time": time_ns + k * 10_000_000, "values": {"x": 0.1, "y": -9.8, "z": k}}
        | ({"accuracy": 3} if accuracy else {})
        for name in ("gyroscope", "accelerometer", "gravity")
        for k in range(10)
    ]
    if text is not None:
        payload.append(
            {"name": "annotation", "time": time_ns + 50_000_000, "values": {"text": text}}
        )
    return msgspec.json.encode({"sessionId": "s1", "deviceId": "phone-7", "payload": payload})


class Recording:
    """A recorder without a broker."""

    def __init__(self, folder: Path, *, label: str | None = None, **changes: object) -> None:
        """Record phone-7 into a folder."""
        settings = RecordSettings(
            _env_file=None,
            _cli_parse_args=False,
            **{"broker": "none", "device": "phone-7", "output": folder} | changes,
        )
        subscriptions = [
            parse(one)
            for one in (
                "har/+/samples=native",
                "sensor-logger=sensor-logger",
                "spot/+/#=sensorspot",
            )
        ]
        self.recorder = Recorder(settings, subscriptions, label)

    def take(self, topic: str, payload: bytes, *, now: float = EPOCH) -> None:
        """Let a message arrive."""
        self.recorder.take(Message(topic, payload, time.monotonic()), now=now)

    def results(self) -> list[LabelledRecording]:
        """End and read what was recorded."""
        self.recorder.finish()
        return [parquet.read(path) for path in self.recorder.files]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"walking", ("WALKING", None)),
        (b"", (None, None)),
        (b'{"label": "going upstairs"}', ("GOING_UPSTAIRS", None)),
        (b'{"label": "SITTING", "time": 1.5, "more": 1}', ("SITTING", 1.5)),
        (b'{"label": ""}', (None, None)),
    ],
)
def test_label_messages(payload: bytes, said: tuple[str | None, float | None]) -> None:
    """A label comes as plain text or as JSON, from now on or from a time on."""
    assert said == decode_label(payload)


@pytest.mark.parametrize("payload", [b"\xff", b'{"label": 1}', b"{", b"a.b", b'{"time": 1}'])
def test_label_messages_that_are_none(payload: bytes) -> None:
    """What is no name is refused."""
    with pytest.raises(MessageError) as refused:
        decode_label(payload)
    assert "label" == refused.value.reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"label": "a", "x": ' + b"[" * 3000, "label"),
        (b"a" * 4097, "size"),
        (b'{"label": "' + b" " * 5000 + b'"}', "size"),
    ],
    ids=["deep", "text", "json"],
)
def test_label_messages_that_would_cost_too_much(payload: bytes, reason: str) -> None:
    """What is nested without end, or longer than any label, is refused."""
    with pytest.raises(MessageError) as refused:
        decode_label(payload)
    assert reason == refused.value.reason


def test_labels_while_recording(tmp_path: Path) -> None:
    """The first label holds from the beginning, others from their time, or from now on."""
    recording = Recording(tmp_path, label="WALKING")
    recording.take("har/phone-7/samples", samples(0.0))
    recording.take("har/phone-7/label", b"jumping")
    recording.take("har/phone-7/samples", samples(0.5))
    recording.take("har/phone-7/label", b"")
    recording.take("har/phone-7/samples", samples(1.0))
    recording.take(
        "har/phone-7/label", json.dumps({"label": "SITTING", "time": EPOCH + 1.2}).encode()
    )
    (one,) = recording.results()
    labels = np.concatenate([message[0].labels for message in one.messages])
    names = [None if label < 0 else one.activities[label] for label in labels]
    assert ["WALKING"] * 25 + ["JUMPING"] * 25 + [None] * 10 + ["SITTING"] * 15 == names


def test_a_label_that_is_no_activity_ends_the_one_before(tmp_path: Path) -> None:
    """Whatever cannot be read as a label, nothing is known from there on."""
    recording = Recording(tmp_path, label="WALKING")
    expected: list[str | None] = []
    for number, payload in enumerate((b"walking, slowly", b"{", b'{"label": 7}', b"x" * 5_000)):
        recording.take("har/phone-7/label", b"walking")
        recording.take("har/phone-7/samples", samples(number))
        with pytest.raises(MessageError):
            recording.take("har/phone-7/label", payload)
        recording.take("har/phone-7/samples", samples(number + 0.5))
        expected += ["WALKING"] * 25 + [None] * 25
    recording.take("har/phone-7/label", b"walking")
    recording.take("har/phone-7/samples", samples(4.0))
    dated = json.dumps({"label": "läuft, schnell", "time": EPOCH + 4.3}).encode()
    with pytest.raises(MessageError, match="'läuft, schnell' is no activity"):
        recording.take("har/phone-7/label", dated)
    expected += ["WALKING"] * 15 + [None] * 10
    (one,) = recording.results()
    labels = np.concatenate([message[0].labels for message in one.messages])
    assert expected == [None if label < 0 else one.activities[label] for label in labels]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Läuft, schnell", pytest.raises(MessageError, match="'Läuft, schnell' is no activity")),
        ("", nullcontext()),
    ],
)
def test_an_annotation_that_is_no_activity_ends_the_one_before(
    tmp_path: Path, text: str, told: AbstractContextManager[object]
) -> None:
    """Nothing is known from its time on, and the samples beside it are kept as a message."""
    recording = Recording(tmp_path)
    recording.take("sensor-logger", sensor_logger(0.0, text="Cycling"))
    with told:
        recording.take("sensor-logger", sensor_logger(0.1, text=text))
    recording.take("sensor-logger", sensor_logger(0.2))
    (one,) = recording.results()
    gyroscope = [message[0].labels.tolist() for message in one.messages]
    assert [[-1] * 5 + [0] * 5, [0] * 5 + [-1] * 5, [-1] * 10] == gyroscope


def labels(recording: LabelledRecording) -> list[str | None]:
    """Return what each sample of the first sensor is labelled."""
    numbers = np.concatenate([message[0].labels for message in recording.messages])
    return [None if number < 0 else recording.activities[number] for number in numbers]


@pytest.mark.parametrize(
    ("time", "why"),
    [
        (EPOCH * 1e3, "1700000000000 is in milliseconds"),
        (EPOCH * 1e6, "1700000000000000 is in microseconds"),
        (EPOCH * 1e9, "1700000000000000000 is in nanoseconds"),
        (EPOCH + 365 * 86_400, "1731536000 is far ahead of now"),
        (EPOCH + 300, "1700000300 is far ahead of now"),
        (1e300, "1e[+]300 is far ahead of now"),
        (0, "0 is far before"),
        (-5, "-5 is far before"),
        (3600, "3600 is far before"),
    ],
)
@pytest.mark.parametrize("name", ["sitting", "a.b"])
def test_a_label_whose_time_cannot_be_meant(
    tmp_path: Path, name: str, time: float, why: str
) -> None:
    """It is refused, ends the label before from now on, and leaves what was labelled before."""
    recording = Recording(tmp_path)
    recording.take("har/phone-7/label", b"walking")
    recording.take("har/phone-7/samples", samples(0.0))
    with pytest.raises(MessageError, match=f"is in seconds since 1970, and {why}") as refused:
        recording.take("har/phone-7/label", json.dumps({"label": name, "time": time}).encode())
    assert "time" == refused.value.reason
    recording.take("har/phone-7/samples", samples(0.5))
    (one,) = recording.results()
    assert ["WALKING"] * 25 + [None] * 25 == labels(one)


@pytest.mark.parametrize("time", [EPOCH * 1e3, EPOCH + 300, 1e300, 0, -5])
def test_a_label_before_the_first_samples_whose_time_cannot_be_meant(
    tmp_path: Path, time: float
) -> None:
    """So it is with one that comes before the recording."""
    recording = Recording(tmp_path, label="WALKING")
    with pytest.raises(MessageError, match="seconds since 1970"):
        recording.take("har/phone-7/label", json.dumps({"label": "x", "time": time}).encode())
    recording.take("har/phone-7/samples", samples(0.0))
    (one,) = recording.results()
    assert [None] * 25 == labels(one)


@pytest.mark.parametrize("before_s", [300, 1e7])
def test_a_label_from_before_the_recording(tmp_path: Path, before_s: float) -> None:
    """What has been done for long may be said so; it holds from the first sample on."""
    recording = Recording(tmp_path)
    recording.take("har/phone-7/samples", samples(0.0))
    label = json.dumps({"label": "walking", "time": EPOCH - before_s}).encode()
    recording.take("har/phone-7/label", label)
    (one,) = recording.results()
    assert ["WALKING"] * 25 == labels(one)


@pytest.mark.parametrize("behind_s", [-7200.0, 0.0, 86_000.0])
def test_a_label_of_the_past_reaches_back_to_the_beginning(tmp_path: Path, behind_s: float) -> None:
    """Whatever the phone's clock shows, it may be of any time since the first sample."""
    now = EPOCH + behind_s
    recording = Recording(tmp_path, label="WALKING")
    for second in range(4):
        recording.take("har/phone-7/samples", samples(second, 50), now=now)
    for name, since in (("sitting", EPOCH - 1.0), ("standing", EPOCH + 3.0)):
        payload = json.dumps({"label": name, "time": since}).encode()
        recording.take("har/phone-7/label", payload, now=now)
    (one,) = recording.results()
    assert ["SITTING"] * 150 + ["STANDING"] * 50 == labels(one)


def send_since_boot(recording: Recording, numbers: range) -> None:
    """Let events arrive, 50 a second, whose times count from an hour before `EPOCH`."""
    for number in numbers:
        event = {
            "type": "android.sensor.accelerometer",
            "timestamp": 3_600_000_000_000 + number * 20_000_000,
            "values": [0.1, 9.8, 0.1],
        }
        recording.take("spot/phone-7/all", json.dumps(event).encode(), now=EPOCH + number / 50)


def test_labels_of_a_phone_whose_clock_began_with_it(tmp_path: Path) -> None:
    """Times of labels, also from before the recording, are this machine's."""
    recording = Recording(tmp_path, label="WALKING")
    dated = json.dumps({"label": "sitting", "time": EPOCH + 0.19}).encode()
    recording.take("har/phone-7/label", dated, now=EPOCH)
    send_since_boot(recording, range(20))
    for absurd in (EPOCH * 1e3, EPOCH + 300, 3600, 0):
        payload = json.dumps({"label": "jumping", "time": absurd}).encode()
        with pytest.raises(MessageError, match="seconds since 1970"):
            recording.take("har/phone-7/label", payload, now=EPOCH + 19 / 50)
    send_since_boot(recording, range(20, 30))
    (one,) = recording.results()
    assert ["WALKING"] * 10 + ["SITTING"] * 10 + [None] * 10 == labels(one)


@pytest.mark.parametrize("before_s", [365 * 86_400, -300])
def test_an_annotation_whose_time_cannot_be_meant(tmp_path: Path, before_s: float) -> None:
    """One whose time is none of its phone's samples' is refused, and ends the label before."""
    recording = Recording(tmp_path)
    recording.take("sensor-logger", sensor_logger(0.0, text="Cycling"))
    message = json.loads(sensor_logger(0.1, text="Jumping"))
    message["payload"][-1]["time"] -= round(before_s * 1e9)
    with pytest.raises(MessageError, match="seconds since 1970"):
        recording.take("sensor-logger", json.dumps(message).encode())
    recording.take("sensor-logger", sensor_logger(0.2))
    (one,) = recording.results()
    assert [None] * 5 + ["CYCLING"] * 15 + [None] * 10 == labels(one)


@pytest.mark.parametrize("off_s", [-1e7, 1e7])
def test_annotations_of_a_phone_whose_clock_is_wrong(tmp_path: Path, off_s: float) -> None:
    """They are right where its samples are."""
    recording = Recording(tmp_path)
    recording.take("sensor-logger", sensor_logger(0.0, text="Cycling"), now=EPOCH + off_s)
    (one,) = recording.results()
    assert [None] * 5 + ["CYCLING"] * 5 == labels(one)


def test_a_flood_of_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Changes that nobody could make are counted, not logged, and take no memory."""
    caplog.set_level("INFO")
    recording = Recording(tmp_path)
    for number in range(20_000):
        recording.take("har/phone-7/label", b"a" if number % 2 else b"b", now=EPOCH)
    recording.take("har/phone-7/label", b"c", now=EPOCH + 10.0)
    recording.take("har/phone-7/samples", samples(0.0))
    assert ["label B", "label A", "label B", "label A", "label B"] == caplog.messages[:5]
    assert ["label C (19995 changes before are not logged)"] == caplog.messages[5:]
    (one,) = recording.results()
    assert ("C",) == one.activities


def test_labels_before_and_between_recordings(tmp_path: Path) -> None:
    """What is said before samples come holds for them, and goes on when a recording ends."""
    recording = Recording(tmp_path)
    recording.take("har/phone-7/label", b"WALKING")
    recording.take("har/phone-7/samples", samples(0.0, recording="a"))
    recording.take("har/phone-7/samples", samples(60.0, recording="b"))
    assert [("WALKING",), ("WALKING",)] == [one.activities for one in recording.results()]


def test_annotations_are_labels(tmp_path: Path) -> None:
    """Sensor Logger's annotations say what is done from their time on."""
    recording = Recording(tmp_path)
    recording.take("sensor-logger", sensor_logger(0.0, text="Cycling"))
    recording.take("sensor-logger", sensor_logger(0.1))
    (one,) = recording.results()
    assert ("CYCLING",) == one.activities
    for part in one.messages[0]:
        assert [-1] * 5 + [0] * 5 == part.labels.tolist()
    assert {"gyroscope", "linear_acceleration", "gravity"} == {
        part.readings.sensor for part in one.messages[1]
    }
    assert ("sensor-logger", "s1") == (one.header.format, one.header.recording)


@pytest.mark.parametrize(
    ("convention", "accuracy", "sign", "decided"),
    [
        ("auto", False, 1, ("android", "assumption")),
        ("auto", True, 1, ("android", "message")),
        ("ios", False, -1, ("ios", "setting")),
    ],
)
def test_the_convention(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    convention: str,
    accuracy: bool,
    sign: int,
    decided: tuple[str, str],
) -> None:
    """Accelerations are kept with Android's sign, the header says why, and doubt is told."""
    recording = Recording(tmp_path, convention=convention)
    recording.take("sensor-logger", sensor_logger(0.0, accuracy=accuracy))
    (one,) = recording.results()
    assert decided == (one.header.convention, one.header.convention_from)
    assert ("record with --convention ios" in caplog.text) == (decided[1] == "assumption")
    for part in one.messages[0]:
        expected = -9.8 * (1 if part.readings.sensor == "gyroscope" else sign)
        assert [expected] * 10 == part.readings.values[:, 1].tolist()


@pytest.mark.parametrize("lacking", [False, True])
def test_a_missing_sensor_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lacking: bool
) -> None:
    """Who records without a gyroscope learns so at the end, not in training."""
    recording = Recording(tmp_path)
    message = json.loads(sensor_logger(0.0))
    if lacking:
        message["payload"] = [one for one in message["payload"] if one["name"] != "gyroscope"]
    recording.take("sensor-logger", json.dumps(message).encode())
    (one,) = recording.results()
    assert lacking == ("has no gyroscope: there are no windows without" in caplog.text)
    assert ("gyroscope" in one.sensors) != lacking


def test_a_new_recording_of_the_sender_is_a_new_file(tmp_path: Path) -> None:
    """When the sender's name for it changes a recording ends, and nothing of it comes again."""
    recording = Recording(tmp_path)
    for start, name in ((0.0, "a"), (0.5, "a"), (60.0, "b")):
        recording.take("har/phone-7/samples", samples(start, recording=name))
    with pytest.raises(MessageError, match="'a' has ended"):
        recording.take("har/phone-7/samples", samples(0.5, recording="a"))
    found = [(one.header.recording, one.n_samples) for one in recording.results()]
    assert [("a", 50), ("b", 25)] == found


def test_a_name_that_is_used_again(tmp_path: Path) -> None:
    """What is newer is a recording of its own; only what is not newer comes again."""
    recording = Recording(tmp_path)
    for start, name in ((0.0, "walk"), (60.0, "stand"), (120.0, "walk"), (120.5, "walk")):
        recording.take("har/phone-7/samples", samples(start, recording=name))
    recording.take("har/phone-7/samples", samples(180.0, recording="stand"))
    recording.take("har/phone-7/samples", samples(180.5, recording="stand"))
    with pytest.raises(MessageError, match="'walk' has ended"):
        recording.take("har/phone-7/samples", samples(120.5, recording="walk"))
    found = recording.results()
    assert [("walk", 25), ("stand", 25), ("walk", 50), ("stand", 50)] == [
        (one.header.recording, one.n_samples) for one in found
    ]
    assert 4 == len(set(recording.recorder.files))


def test_a_name_that_is_used_again_with_samples_from_before(tmp_path: Path) -> None:
    """Of a message that holds both, the newer samples are kept, once."""
    recording = Recording(tmp_path)
    for start, name in ((0.0, "walk"), (60.0, "stand"), (0.0, "walk")):
        n_rows = 50 if start == 0.0 and recording.recorder.n_samples else 25
        recording.take("har/phone-7/samples", samples(start, n_rows, recording=name))
    with pytest.raises(MessageError, match="come again"):
        recording.take("har/phone-7/samples", samples(0.0, recording="walk"))
    found = [(one.header.recording, one.n_samples) for one in recording.results()]
    assert [("walk", 25), ("stand", 25), ("walk", 25)] == found


def test_two_phones_under_one_name(tmp_path: Path) -> None:
    """Messages that take turns do not become a file each."""
    recording = Recording(tmp_path)
    for second in range(40):
        with suppress(MessageError):
            name = "ab"[second % 2]
            recording.take("har/phone-7/samples", samples(float(second), recording=name))
    assert len(recording.results()) < 8


def test_what_is_not_recorded(tmp_path: Path) -> None:
    """Other phones are counted, prepared samples and a second format at once are refused."""
    recording = Recording(tmp_path)
    recording.take("har/phone-8/samples", samples(0.0))
    assert {"phone-8": 1} == recording.recorder.others
    prepared = {"start": EPOCH, "rate": 50, "samples": [[0.0] * 9], "channels": [
        f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
    ]}  # fmt: skip
    with pytest.raises(MessageError, match="prepared samples are no recording"):
        recording.take("har/phone-7/samples", msgspec.json.encode(prepared))
    recording.take("sensor-logger", sensor_logger(0.0))
    native = samples(0.1, recording="s1")
    with pytest.raises(MessageError, match="is being recorded in format sensor-logger"):
        recording.take("har/phone-7/samples", native)
    (one,) = recording.results()
    assert 30 == one.n_samples


def test_invented_phones(tmp_path: Path) -> None:
    """However many names there are, a hundred are kept, and none that no phone can have."""
    recording = Recording(tmp_path)
    for number in range(200):
        recording.take(f"har/invented-{number}/samples", samples(0.0))
    others = recording.recorder.others
    assert (100, 1) == (len(others), others["invented-8"])
    recording.take("har/invented-8/samples", samples(0.0))
    assert 2 == others["invented-8"]
    for name in ("a\nb", "a" * 65, "$a"):
        with pytest.raises(MessageError, match="a device name has"):
            recording.take(f"har/{name}/samples", samples(0.0))


def test_a_calibration_goes_with_the_recording(tmp_path: Path) -> None:
    """The header keeps the rotation that har-stream would use; values stay in the phone's axes."""
    recording = Recording(tmp_path)
    rotation = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    recording.take("har/phone-7/calibration", msgspec.json.encode({"v": 1, "rotation": rotation}))
    recording.take("har/phone-7/samples", samples(0.0))
    (one,) = recording.results()
    np.testing.assert_allclose(rotation, one.header.rotation)
    assert 9.8 == one.messages[0][0].readings.values[0, 1]


def test_progress_tells_rows_rates_and_label(tmp_path: Path) -> None:
    """A line says how long, how much, how fast, and what is done."""
    recording = Recording(tmp_path)
    assert "waiting for phone-7" == recording.recorder.progress()
    recording.take("har/phone-7/label", b"jumping")
    recording.take("har/phone-7/samples", samples(0.0, 101))
    assert "2 s, 101 rows, motion 50.0 Hz, label JUMPING" == recording.recorder.progress()
    assert 1 == len(recording.results())


# With a broker


@pytest.fixture
def publisher(broker: "Broker") -> Iterator[Client]:
    """A phone's connection."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def publish(client: Client, topic: str, payload: bytes) -> None:
    """Return when the broker has a message."""
    client.publish(topic, payload, 1).wait_for_publish(TIMEOUT_S)


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
    n_samples = sum(parquet.read(path).n_samples for path in parquet.recover(folder))
    shutil.rmtree(folder)
    return n_samples


@pytest.mark.broker
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_stopped(
    broker: "Broker",
    publisher: Client,
    start_command: "Start",
    tmp_path: Path,
    signal_number: int,
) -> None:
    """Stopped in either way the command writes its file, says so, and ends with 0."""
    running = start_record(start_command, broker, "--device", "rec-1", "--label", "walking")
    for number in range(4):
        publish(publisher, "har/rec-1/samples", samples(number / 2))
    publish(publisher, "har/rec-1/label", b"jumping")
    publish(publisher, "har/rec-1/samples", samples(2.0))
    assert 0 == running.end(signal_number), running.log
    (path,) = (tmp_path / "own").iterdir()
    assert f"Wrote {Path('own') / path.name}" in running.log
    one = parquet.read(path)
    assert (125, ("JUMPING", "WALKING")) == (one.n_samples, one.activities)
    assert "Traceback" not in running.log


@pytest.mark.broker
def test_a_killed_recording_is_recovered(
    broker: "Broker", publisher: Client, start_command: "Start", run_command: "Run", tmp_path: Path
) -> None:
    """What came more than a second before kill -9 is a file after the next start."""
    running = start_record(start_command, broker, "--device", "rec-2", "--label", "WALKING")
    for number in range(6):
        publish(publisher, "har/rec-2/samples", samples(number / 2))
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
    broker: "Broker", publisher: Client, start_command: "Start", tmp_path: Path
) -> None:
    """Of hundreds a second some are logged, and one that names no activity is no label."""
    running = start_record(start_command, broker, "--device", "rec-5")
    for number in range(300):
        publisher.publish("har/rec-5/label", f"label {number % 2}".encode(), 1)
    publish(publisher, "har/rec-5/samples", samples(0.0))
    publish(publisher, "har/rec-5/label", b"label 1, and more")
    publish(publisher, "har/rec-5/samples", samples(0.5))
    running.await_log("a message on 'har/rec-5/label' cannot be kept (label;")
    assert 0 == running.end()
    assert running.log.count("har-record: label") <= 5
    (path,) = (tmp_path / "own").iterdir()
    (first, then) = parquet.read(path).messages
    assert ({0}, {-1}) == (set(first[0].labels.tolist()), set(then[0].labels.tolist()))


@pytest.mark.broker
def test_a_label_in_milliseconds(
    broker: "Broker", publisher: Client, start_command: "Start", tmp_path: Path
) -> None:
    """JavaScript's Date.now() as a label's time is refused in words, and ends the one before."""
    running = start_record(start_command, broker, "--device", "rec-6", "--label", "walking")
    begun = time.time() - 10.0
    publish(publisher, "har/rec-6/samples", samples(begun - EPOCH))
    dated = json.dumps({"label": "sitting", "time": round(time.time() * 1e3)}).encode()
    publish(publisher, "har/rec-6/label", dated)
    running.await_log("a message on 'har/rec-6/label' cannot be kept (time; 1 so far): the time ")
    publish(publisher, "har/rec-6/samples", samples(begun - EPOCH + 0.5))
    assert 0 == running.end()
    assert "is in milliseconds" in running.log
    (path,) = (tmp_path / "own").iterdir()
    assert ["WALKING"] * 25 + [None] * 25 == labels(parquet.read(path))


@pytest.mark.broker
def test_a_recording_of_a_set_time(
    broker: "Broker", publisher: Client, start_command: "Start", tmp_path: Path
) -> None:
    """It ends by itself so long after the first samples."""
    running = start_record(start_command, broker, "--device", "rec-3", "--duration", "0.5")
    publish(publisher, "har/rec-3/samples", samples(0.0))
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
    monkeypatch.setattr(record, "FIRST_SAMPLES_S", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    flags = ["--device", "rec-9", "--duration", "0.2"]
    monkeypatch.setattr(sys, "argv", ["har-record", *broker.flags, *flags])
    with pytest.raises(SystemExit) as end:
        record.main()
    assert (
        "har-record: nothing came from rec-9 that can be kept: is it sending, under this name, "
        "to this broker, in a format of --subscribe?"
    ) == end.value.code


@pytest.mark.broker
@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        ("rec-7/samples", "rec-7 that can be kept: is it sending, under this name, in the right "
         "format? Messages were refused: 1 (json)"),
        ("rec-8/samples", "There are messages of rec-8"),
    ],
)  # fmt: skip
def test_why_nothing_could_be_kept(
    broker: "Broker",
    publisher: Client,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    leaf: str,
    words: str,
) -> None:
    """When the time is over it is said whether messages were refused, and who does send."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "FIRST_SAMPLES_S", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    payload = samples(0.0) if leaf.startswith("rec-8") else b"nonsense"
    publisher.publish(f"har/{leaf}", payload, 1, retain=True).wait_for_publish(TIMEOUT_S)
    try:
        flags = ["--device", "rec-7", "--duration", "0.3"]
        monkeypatch.setattr(sys, "argv", ["har-record", *broker.flags, *flags])
        with pytest.raises(SystemExit) as end:
            record.main()
    finally:
        publisher.publish(f"har/{leaf}", b"", 1, retain=True).wait_for_publish(TIMEOUT_S)
    assert words in str(end.value.code)


@pytest.mark.broker
def test_silence_and_bad_messages_are_told(
    broker: "Broker", publisher: Client, start_command: "Start"
) -> None:
    """After five seconds of nothing there is a warning that names who does send."""
    running = start_record(start_command, broker, "--device", "rec-4")
    publish(publisher, "har/rec-4/samples", b"nonsense")
    publish(publisher, "har/somebody/samples", samples(0.0))
    running.await_log("a message on 'har/rec-4/samples' cannot be kept (json;")
    running.await_log("nothing has come from rec-4 for 5 s; there are messages of somebody")
    assert 0 == running.end()
    assert "Nothing came from rec-4" in running.log


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
