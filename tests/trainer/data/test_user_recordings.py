from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from pipeline.readings import Readings, Sensor
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor, settled_after_s
from pipeline.recordings import journals, parquet, simulated
from pipeline.recordings.recording import DataError
from pipeline.recordings.uci_har import OVERLAP
from pipeline.vocabulary import ACTIVITIES
from tests.trainer.recorded import EPOCH, record
from trainer.data import user_recordings


def n_windows(seconds: float) -> int:
    """Return how many windows of a recording begin when the filters have settled."""
    complete = (round(seconds * 50) - 1 - 128) // 64 + 1  # the median filter looks ahead
    return complete - -(-SETTLING_ROWS // 64)


def test_windows_are_those_that_a_live_phone_has(tmp_path: Path) -> None:
    """They are what the filters make of the samples, cut every 64 from where they had settled."""
    path = record(tmp_path, "JUMPING", seconds=20.0, seed=3)
    found = user_recordings.load([path], Placements())
    (stretch,) = simulated.recordings(1, seconds=20.0, seed=3, activity="JUMPING")[0].stretches
    samples = Preprocessor(1).push(np.array([0]), stretch.samples[np.newaxis])[0]
    firsts = range(192, len(samples) - 127, 64)
    expected = np.stack([samples[first : first + 128] for first in firsts])
    assert n_windows(20.0) == len(expected)
    np.testing.assert_allclose(expected, found.split.windows, atol=1e-6)


def test_new_activities_come_behind_the_known(tmp_path: Path) -> None:
    """The six keep their labels, others follow in alphabetical order."""
    for activity in ("WALKING", "JUMPING", "SITTING"):
        record(tmp_path, activity)
    found = user_recordings.load([tmp_path], Placements())
    n = n_windows(20.0)
    assert (*ACTIVITIES, "JUMPING") == found.activities
    assert {"WALKING": n, "SITTING": n, "JUMPING": n} == found.counts()
    assert {user_recordings.NOBODY} == set(found.split.subjects.tolist())
    summary = f"{3 * n} windows of 1 device (WALKING {n}, SITTING {n}, JUMPING {n})"
    assert summary == found.summary()
    known = (*ACTIVITIES, "CYCLING")
    assert (*known, "JUMPING") == user_recordings.load(
        [tmp_path], Placements(), known=known
    ).activities


def test_windows_of_two_labels_do_not_count(tmp_path: Path) -> None:
    """Nor do those without a label."""
    header = parquet.read(record(tmp_path / "one", "SITTING")).header
    journal = journals.Journal(tmp_path / "other", header)
    samples = simulated.recordings(1, seconds=30.0, activity="JUMPING")[0].stretches[0].samples
    for first in range(0, 1500, 25):
        times = EPOCH + np.arange(first, first + 25) / 50
        journal.append(first // 25, Readings("mine", times, samples[first : first + 25]))
    journal.label(EPOCH + 640 / 50, "JUMPING")  # a window begins there
    journal.label(EPOCH + 1280 / 50, None)
    journal.close()
    found = user_recordings.load([tmp_path / "other"], Placements())
    assert {"JUMPING": 9} == found.counts()


@pytest.mark.parametrize("calibrated", [True, False])
def test_how_the_phone_was_worn(tmp_path: Path, calibrated: bool) -> None:
    """By the recording's calibration, else by the settings, windows are in the training frame."""
    rotation = FRAMES["portrait"].T
    expected = user_recordings.load([record(tmp_path / "plain", "WALKING")], Placements())
    path = record(tmp_path / "rotated", "WALKING", rotation=rotation, calibrated=calibrated)
    placements = Placements(frames=[] if calibrated else ["mine=portrait"])
    found = user_recordings.load([path], placements)
    np.testing.assert_allclose(expected.split.windows, found.split.windows, atol=1e-6)
    if not calibrated:
        other = user_recordings.load([path], Placements())
        assert np.abs(expected.split.windows - other.split.windows).max() > 0.5


def test_the_hash_is_that_of_the_files(tmp_path: Path) -> None:
    """Other recordings have another hash, the same the same."""
    paths = [record(tmp_path, "JUMPING", seed=seed) for seed in (1, 2)]
    hashes = [
        user_recordings.load(some, Placements()).data_hash
        for some in (paths, [tmp_path], paths[:1])
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    assert 16 == len(hashes[0])


@pytest.mark.parametrize("seconds", [2.0, 3.0, 5.0, 6.0])
def test_too_short_a_recording(tmp_path: Path, seconds: float) -> None:
    """Without one window there is nothing to learn, and the error says what would help."""
    path = record(tmp_path, "JUMPING", seconds=seconds)
    with pytest.raises(DataError) as refused:
        user_recordings.load([path], Placements())
    words = (
        f"{path}: windows count only from 6.4 s of all its sensors at once on, without a gap: it "
        f"holds motion from 0.0 to {seconds - 0.02:.1f} s"
    )
    assert words == str(refused.value)


def test_the_shortest_recording_with_a_window(tmp_path: Path) -> None:
    """It is as long as the error says."""
    path = record(tmp_path, "JUMPING", seconds=settled_after_s(OVERLAP) + 0.02)
    assert {"JUMPING": 1} == user_recordings.load([path], Placements()).counts()


def test_too_short_a_label(tmp_path: Path) -> None:
    """Samples there are enough; the labels are what is lacking."""
    header = parquet.read(record(tmp_path / "one", "SITTING")).header
    journal = journals.Journal(tmp_path / "other", header)
    journal.label(EPOCH, "SITTING")
    journal.label(EPOCH + 3, None)
    times = EPOCH + np.arange(1000) / 50
    journal.append(0, Readings("mine", times, np.tile([0.0, 9.8, 0, 0, 0, 0], (1000, 1))))
    path = journal.close()
    assert path is not None
    with pytest.raises(DataError, match=r"no window of 128 samples .* has one label throughout"):
        user_recordings.load([path], Placements())


@pytest.mark.parametrize("short", ["accelerometer", "gyroscope"])
def test_a_sensor_that_was_on_for_a_moment(tmp_path: Path, short: str) -> None:
    """The windows are too few for the filters, which is no lack of labels."""
    header = parquet.read(record(tmp_path / "one", "SITTING")).header
    journal = journals.Journal(tmp_path / "other", header)
    journal.label(-np.inf, "SITTING")
    sensors: list[Sensor] = ["accelerometer", "gyroscope"]
    for sensor in sensors:
        times = EPOCH + np.arange(150 if sensor == short else 1500) / 50
        journal.append(0, Readings("mine", times, np.ones((len(times), 3)), sensor))
    path = journal.close()
    assert path is not None
    with pytest.raises(DataError, match=rf"only from 6\.4 s .*{short} from 0\.0 to 3\.0 s"):
        user_recordings.load([path], Placements())


def without(path: Path, *sensors: str) -> Path:
    """Leave sensors out of a recording whose sensors have different times."""
    recording = parquet.read(path)
    path.unlink()
    journal = journals.Journal(path.parent, recording.header)
    journal.label(-np.inf, "JUMPING")
    for number, message in enumerate(recording.messages):
        for part in message:
            one = part.readings
            for sensor, values in (
                ("accelerometer", one.values[:, :3]), ("gyroscope", one.values[:, 3:])
            ):  # fmt: skip
                if sensor not in sensors:
                    journal.append(number, Readings("mine", one.times, values, sensor))
    closed = journal.close()
    assert closed is not None
    return closed


@pytest.mark.parametrize("sensor", ["gyroscope", "accelerometer"])
def test_a_recording_without_a_sensor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sensor: str
) -> None:
    """The sensor is named, not the labels; beside other recordings it is a warning."""
    path = without(record(tmp_path / "lacking", "JUMPING"), sensor)
    words = f"{path}: has no {sensor}: record or import it with all sensors on"
    with pytest.raises(DataError) as refused:
        user_recordings.load([path], Placements())
    assert words == str(refused.value)
    whole = without(record(tmp_path / "whole", "JUMPING"))
    found = user_recordings.load([path, whole], Placements())
    assert {"JUMPING": n_windows(20.0)} == found.counts()
    assert [words] == caplog.messages


def test_sensors_that_were_never_on_at_once(tmp_path: Path) -> None:
    """They are what the recording lacks, not its labels."""
    header = parquet.read(record(tmp_path / "one", "SITTING")).header
    journal = journals.Journal(tmp_path / "other", header)
    journal.label(-np.inf, "SITTING")
    for number, sensor in enumerate(("accelerometer", "gyroscope")):
        times = EPOCH + 30 * number + np.arange(500) / 50
        journal.append(number, Readings("mine", times, np.ones((500, 3)), sensor))
    path = journal.close()
    assert path is not None
    with pytest.raises(DataError) as refused:
        user_recordings.load([path], Placements())
    extents = "accelerometer from 0.0 to 10.0 s, gyroscope from 30.0 to 40.0 s"
    assert str(refused.value).endswith(f", without a gap: it holds {extents}")


@pytest.mark.train
def test_training_on_a_recording_without_a_sensor(
    run_command: Callable[..., CompletedProcess[str]],
    mini_folder: Path,
    tmp_path: Path,
) -> None:
    """The command names the file and the sensor, before anything is trained."""
    path = without(record(tmp_path / "lacking", "JUMPING"), "gyroscope")
    done = run_command(
        "har-train", "--data", str(mini_folder), "--extra", "lacking",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    words = f"har-train: lacking/{path.name}: has no gyroscope: record or import it with all "
    assert (1, f"{words}sensors on\n") == (done.returncode, done.stderr)


def test_a_recording_that_is_too_slow(tmp_path: Path) -> None:
    """The error says how fast it is, and how fast it must be."""
    header = parquet.read(record(tmp_path / "one", "SITTING")).header
    journal = journals.Journal(tmp_path / "slow", header)
    journal.label(EPOCH, "SITTING")
    times = EPOCH + np.arange(200) / 5
    journal.append(0, Readings("mine", times, np.tile([0.0, 9.8, 0, 0, 0, 0], (200, 1))))
    journal.close()
    with pytest.raises(DataError, match="has 5 samples a second; 10 are needed"):
        user_recordings.load([tmp_path / "slow"], Placements())
