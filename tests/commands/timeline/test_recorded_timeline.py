"""Timelines of recordings, against the recognizer that gets the same samples bit by bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.commands.replay.outgoing_messages import schedule
from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.timeline.recorded_file import RecordedFile
from pipeline.commands.timeline.recorded_timeline import RecordedTimeline, RecordedTimelines
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import person_file
from pipeline.recordings.recording import Recording, Stretch
from pipeline.recordings.uci_har import DataSet, recordings
from tests.commands.timeline.exported import sensor_logger_zip
from tests.made_sets import person_arrays, write_person

Timelines = Callable[..., RecordedTimelines]
Read = Callable[..., list[RecordedFile]]


def results(timeline: RecordedTimeline) -> list[object]:
    """Return all predictions and episodes, to the last bit."""
    return [
        *((w.start, w.end, w.probabilities.tobytes(), w.model) for w in timeline.predictions),
        *((e.activity, e.start, e.end, e.probability) for e in timeline.episodes),
    ]


def in_small_messages(recorded: RecordedFile, rows: int) -> list[Delivery]:
    """Return a recording's samples as a phone sends them, so many rows a message."""
    deliveries = []
    for delivery in recorded.deliveries():
        longest = max(len(part.times) for part in delivery.readings)
        for first in range(0, longest, rows):
            cut = slice(first, first + rows)
            parts = [
                Readings(
                    part.device, part.times[cut], part.values[cut], part.sensor, part.recording,
                    part.clock, part.convention, part.worn_at,
                )
                for part in delivery.readings
                if len(part.times[cut])
            ]  # fmt: skip
            deliveries.append(Delivery(parts))
    return deliveries


def live(
    classifiers: list[Classifier], *recorded: RecordedFile, rows: int, at_waist: bool
) -> list[object]:
    """Return what a recognizer makes of a phone's recordings, one after another, by messages."""
    recognizer = Recognizer(classifiers[0], model_elsewhere=classifiers[1], hop=64, max_devices=1)
    device = recorded[0].recording.device
    recognizer.admit(device)
    recognizer.place(device, 1.0, FRAMES["landscape"], at_waist=at_waist)
    deliveries = (delivery for one in recorded for delivery in in_small_messages(one, rows))
    parts = [recognizer.push([delivery]) for delivery in deliveries]
    parts.append(recognizer.finish([device]))
    return [
        *((w.start, w.end, w.probabilities.tobytes(), w.model)
          for part in parts for w in part.predictions),
        *((e.activity, e.start, e.end, e.probability) for part in parts for _, e in part.episodes),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [20, 333])
@pytest.mark.parametrize("pause", [(0.0, 0.0), (20.0, 26.0)])
def test_results_are_those_of_small_messages(
    timelines: Timelines,
    read_files: Read,
    classifiers: list[Classifier],
    tmp_path: Path,
    rows: int,
    pause: tuple[float, float],
) -> None:
    """An export's predictions and episodes are those of a phone that sends it, to the last bit."""
    (recorded,) = read_files(sensor_logger_zip(tmp_path / "walk.zip", pause=pause))
    timeline = timelines().make(recorded, keeps_predictions=True)
    assert live(classifiers, recorded, rows=rows, at_waist=False) == results(timeline)
    assert timeline.n_predictions == len(timeline.predictions) > 30


def test_results_of_the_data_set(
    timelines: Timelines,
    read_files: Read,
    classifiers: list[Classifier],
    data_dir: Path,
    uci_har_data: DataSet,
) -> None:
    """A subject of UCI HAR is recognised as har-stream recognises him in messages of 25 rows."""
    found = read_files(data_dir / "UCI HAR Dataset.zip")
    assert [one.device for one in recordings(uci_har_data.test)] == [
        one.recording.device for one in found
    ]
    timeline = timelines().make(found[0], keeps_predictions=True)
    assert live(classifiers, found[0], rows=25, at_waist=True) == results(timeline)


def of_sequence(recorded: list[RecordedFile], made: RecordedTimelines) -> list[RecordedTimeline]:
    """Return the timelines of recordings, made one after another."""
    return [made.make(one, keeps_predictions=True) for one in recorded]


@pytest.mark.parametrize("rows", [20, 333])
def test_recordings_of_a_file_are_one_phones(
    timelines: Timelines,
    read_files: Read,
    classifiers: list[Classifier],
    tmp_path: Path,
    rows: int,
) -> None:
    """The recordings of a person's file are recognised as a phone's that sends one after another.

    What is known of the wearer is kept, so a later one differs from what it is alone.
    """
    recorded = read_files(write_person(tmp_path / "s1.npz"))
    found = of_sequence(recorded, timelines())
    expected = live(classifiers, *recorded, rows=rows, at_waist=False)
    assert sorted(expected, key=repr) == sorted(
        (one for timeline in found for one in results(timeline)), key=repr
    )
    assert live(classifiers, recorded[0], rows=rows, at_waist=False) == results(found[0])
    assert live(classifiers, recorded[1], rows=rows, at_waist=False) != results(found[1])


def test_recordings_of_two_files_are_two_phones(
    timelines: Timelines, read_files: Read, tmp_path: Path
) -> None:
    """Each file begins with nothing known, even if its device has the same name."""
    one, two = (write_person(tmp_path / folder / "s1.npz") for folder in ("a", "b"))
    first, second = read_files(one), read_files(two)
    made = timelines()
    found = [results(one) for one in of_sequence([*first, *second], made)]
    assert found[: len(first)] == found[len(first) :]


def test_results_are_those_of_a_replay(
    timelines: Timelines, read_files: Read, classifiers: list[Classifier], tmp_path: Path
) -> None:
    """A person's recordings have the predictions that har-stream gives of har-replay's messages.

    They are played as of today, so times are rounded otherwise, by a ten millionth of a second.
    """
    path = write_person(tmp_path / "s1.npz")
    found = of_sequence(read_files(path), timelines())
    settings = ReplaySettings(broker="localhost", recording=str(path), speed="max")
    messages, _ = schedule(settings, person_file.read(path), hop=64)
    recognizer = Recognizer(classifiers[0], model_elsewhere=classifiers[1], hop=64, max_devices=1)
    device = "Made_pocket-s1"
    recognizer.admit(device)
    recognizer.place(device, 1.0, FRAMES["landscape"])
    parts = [recognizer.push([Delivery(message.readings)]) for message in messages]
    played = [w for part in [*parts, recognizer.finish([device])] for w in part.predictions]
    shown = [w for timeline in found for w in timeline.predictions]
    assert [w.settling for w in played] == [w.settling for w in shown]
    both = zip(played, shown, strict=True)
    assert max(abs(a.probabilities - b.probabilities).max() for a, b in both) < 1e-5


def test_a_timeline_has_only_its_own(
    timelines: Timelines, read_files: Read, tmp_path: Path
) -> None:
    """Problems and gaps are of the recording itself, and so are its episodes.

    A problem that all have is said of each; the break between two is no gap; and that recordings
    are short is no fault of theirs.
    """
    slow = read_files(write_person(tmp_path / "slow.npz", person_arrays(rate_hz=12.0)))
    assert [["low-rate"]] * 4 == [one.problems for one in of_sequence(slow, timelines())]
    good = read_files(write_person(tmp_path / "good.npz"))
    found = of_sequence(good, timelines())
    assert [([], 0)] * 4 == [(one.problems, one.n_gaps) for one in found]
    for recorded, timeline in zip(good, found, strict=True):
        assert all(recorded.first <= e.start < e.end <= recorded.last for e in timeline.episodes)
    did = ("walking",) * 6
    short = read_files(write_person(tmp_path / "short.npz", person_arrays(did=did, seconds=1.5)))
    assert [[]] * 6 == [one.problems for one in of_sequence(short, timelines())]


def test_predictions_are_kept_only_on_demand(
    timelines: Timelines, read_files: Read, tmp_path: Path
) -> None:
    """Without being asked no predictions are kept, though whoever wants to count them gets them."""
    (recorded,) = read_files(sensor_logger_zip(tmp_path / "walk.zip", seconds=24))
    noted: list[object] = []
    timeline = timelines().make(recorded, keeps_predictions=False, note=noted.extend)
    assert ([], len(noted)) == (timeline.predictions, timeline.n_predictions)


@pytest.mark.parametrize("platform", ["ios", ""])
def test_an_iphones_sign(
    timelines: Timelines, read_files: Read, tmp_path: Path, platform: str
) -> None:
    """An iPhone's accelerations give what Android's do, be the sign exported or set."""
    android = sensor_logger_zip(tmp_path / "android.zip", seconds=24)
    other = sensor_logger_zip(tmp_path / "other.zip", seconds=24, platform="ios")
    convention = "auto" if platform else "ios"
    (one,), (two,) = read_files(android), read_files(other, convention=convention)
    make = timelines().make
    expected = results(make(one, keeps_predictions=True))
    assert expected == results(make(two, keeps_predictions=True))


def test_a_wrong_sign_is_what_was_set(read_files: Read, tmp_path: Path) -> None:
    """The user's word goes before the export's, as in har-stream."""
    path = sensor_logger_zip(tmp_path / "ios.zip", seconds=12, platform="ios")
    (right,), (wrong,) = read_files(path), read_files(path, convention="android")
    one, other = (found.recording.samples_of("accelerometer")[1] for found in (right, wrong))
    assert np.array_equal(one, -other)
    assert ("ios", "export") == (right.convention, right.convention_from)
    assert ("android", "setting") == (wrong.convention, wrong.convention_from)


def test_rows_in_disorder(timelines: Timelines, read_files: Read, tmp_path: Path) -> None:
    """The order of an export's rows does not matter."""
    make = timelines().make
    (one,) = read_files(sensor_logger_zip(tmp_path / "a.zip", seconds=24))
    (two,) = read_files(sensor_logger_zip(tmp_path / "b.zip", seconds=24, shuffled=True))
    expected = results(make(one, keeps_predictions=True))
    assert expected == results(make(two, keeps_predictions=True))


def test_where_a_phone_is_worn_decides_the_model(
    timelines: Timelines, read_files: Read, classifiers: list[Classifier], tmp_path: Path
) -> None:
    """The model is the one that har-stream gives to such a phone."""
    (recorded,) = read_files(sensor_logger_zip(tmp_path / "a.zip", seconds=12))
    models = [
        timelines(**settings).make(recorded, keeps_predictions=False).model
        for settings in (
            {}, {"placement": ["waist"]}, {"placement": ["pixel-7=waist"]}, {"frame": ["portrait"]},
            {"placement": ["other=waist"]},
        )
    ]  # fmt: skip
    at_waist, elsewhere = (classifier.identity for classifier in classifiers)
    assert [elsewhere, at_waist, at_waist, at_waist, elsewhere] == models


@pytest.mark.parametrize("frame", ["portrait", "landscape-upside-down"])
def test_the_calibration_in_the_recording(
    timelines: Timelines, read_files: Read, data_dir: Path, frame: str
) -> None:
    """Of a person who stands and walks it is found how the phone at the waist is worn."""
    hapt = read_files(data_dir / "HAPT Data Set (training subjects).zip")[0]
    both = slice(0, 20_000)
    times, rows = (part[both] for part in hapt.recording.samples_of("motion"))
    turned = np.hstack([rows[:, :3] @ FRAMES[frame], rows[:, 3:] @ FRAMES[frame]])
    whole = Stretch(times, turned, np.full(len(times), -1))
    recorded = RecordedFile("turned", Recording("phone", (whole,)).cut(1000), "android", "data set")
    timeline = timelines(placement=["waist"]).make(recorded, keeps_predictions=False)
    assert timeline.calibration is not None, timeline.why_uncalibrated
    assert ("calibrated", "waist") == (timeline.placement.frame, timeline.placement.worn_at)
    assert [] == timeline.problems
    plain = timelines(placement=["waist"], frame=[frame])
    assert plain.make(recorded, keeps_predictions=False).calibration is None


def test_no_calibration_without_standing(
    timelines: Timelines, read_files: Read, tmp_path: Path
) -> None:
    """Where nobody stands before walking the reason is kept, and the frame is that of the setting.

    Nothing is looked for unless the user says that the phone is at the waist.
    """
    path = sensor_logger_zip(tmp_path / "a.zip", seconds=24, activity="WALKING")
    (recorded,) = read_files(path)
    at_waist = timelines(placement=["waist"]).make(recorded, keeps_predictions=False)
    assert at_waist.calibration is None
    assert "stands still for three seconds" in at_waist.why_uncalibrated
    assert "landscape" == at_waist.placement.frame
    assert "" == timelines().make(recorded, keeps_predictions=False).why_uncalibrated
