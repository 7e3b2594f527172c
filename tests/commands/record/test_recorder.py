import json
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.readings import MessageError
from tests.commands.record.sent import EPOCH, Recording, labels, samples, sensor_logger


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


def test_where_a_phone_is_stated_to_be_worn(tmp_path: Path) -> None:
    """A recording keeps it, and states it when it is played; with another place another begins."""
    recording = Recording(tmp_path)
    for start, keys in [
        (0.0, {}),
        (0.5, {"placement": "waist"}),
        (1.0, {}),
        (1.5, {"placement": "waist"}),
        (0.5, {"placement": "left pocket"}),  # late: it was so before
        (2.0, {"placement": "hand"}),
        (2.5, {"placement": "left pocket"}),
    ]:
        recording.take("har/phone-7/samples", samples(start, **keys))
    results = recording.results()
    assert [None, "waist", "any"] == [one.header and one.header.placement for one in results]
    stated = [{part.readings.worn_at for (part,) in one.messages} for one in results]
    assert [{None}, {"waist"}, {"any"}] == stated
    assert [25, 100, 50] == [one.n_samples for one in results]


def test_a_stated_place_holds_in_the_next_recording(tmp_path: Path) -> None:
    """Until newer samples state another, by whatever clock they are counted."""
    recording = Recording(tmp_path)
    recording.take("har/phone-7/samples", samples(0.0, recording="a", placement="waist"))
    recording.take("har/phone-7/samples", samples(9.0, recording="b"))
    recording.take("har/phone-7/samples", samples(9.5, recording="b", placement="hand"))
    placements = [one.header and one.header.placement for one in recording.results()]
    assert ["waist", "waist", "any"] == placements
