"""The HAPT data set: raw recordings, their labels, and files that do not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError, Recording
from pipeline.vocabulary import ACTIVITIES, STANDARD_GRAVITY

Files = dict[str, bytes]
AsFolder = Callable[..., Path]

ACC = "RawData/acc_exp02_user01.txt"
GYRO = "RawData/gyro_exp02_user01.txt"
LABELS = "RawData/labels.txt"


@pytest.fixture(scope="module")
def small(hapt_files: Files, as_folder: AsFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small data set."""
    return as_folder(hapt_files, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what is parsed."""
    return tmp_path_factory.mktemp("cache")


def _shape(recordings: list[Recording]) -> dict[str, list[tuple[float, int]]]:
    return {
        recording.device: [(stretch.start, len(stretch.labels)) for stretch in recording.stretches]
        for recording in recordings
    }


def test_a_subject_is_a_recording_and_an_experiment_a_stretch(small: Path, cache: Path) -> None:
    """Experiments follow each other in their order, 10 s apart."""
    expected = {"subject-01": [(0.0, 300), (16.0, 200)], "subject-02": [(0.0, 250)]}
    recordings = hapt.recordings(small, cache=cache)
    assert expected == _shape(recordings)
    assert [("HAPT", "1", "waist"), ("HAPT", "2", "waist")] == [
        (recording.data_set, recording.person, recording.worn_at) for recording in recordings
    ]


def test_samples_are_in_si_units(small: Path, cache: Path) -> None:
    """The accelerometer's g become m/s², the gyroscope's rad/s stay."""
    stretch = hapt.recordings(small, cache=cache)[0].stretches[1]
    acc, gyro = np.loadtxt(small / ACC), np.loadtxt(small / GYRO)
    expected = np.hstack([acc * STANDARD_GRAVITY, gyro])
    np.testing.assert_array_equal(expected, stretch.samples, strict=True)


def test_labels_count_from_one_and_include_the_last_sample(small: Path, cache: Path) -> None:
    """Samples 11 to 100 of the file are 10 to 99 here; transitions and the rest are -1."""
    first, second = hapt.recordings(small, cache=cache)[0].stretches
    standing, sitting = ACTIVITIES.index("STANDING"), ACTIVITIES.index("SITTING")
    expected = np.array([-1] * 10 + [standing] * 90 + [-1] * 50 + [sitting] * 150, np.int8)
    np.testing.assert_array_equal(expected, first.labels, strict=True)
    assert {-1} == set(second.labels.tolist())


def test_label_segments_are_as_published(small: Path, cache: Path) -> None:
    """Transitions too are there, with their own labels."""
    segments = hapt.label_segments(small, cache=cache)
    assert [1, 1, 7, 101, 150] == segments[1].tolist()
    assert "STAND_TO_SIT" == (*ACTIVITIES, *hapt.TRANSITIONS)[segments[1, 2] - 1]
    np.testing.assert_array_equal(np.loadtxt(small / LABELS, np.int64), segments, strict=True)


def test_subjects_can_be_chosen(small: Path, cache: Path) -> None:
    """Only the recordings of the subjects asked for come back, and they must be there."""
    assert {"subject-02": [(0.0, 250)]} == _shape(hapt.recordings(small, {2}, cache=cache))
    assert [] == hapt.recordings(small, [], cache=cache)
    with pytest.raises(DataError, match=r"subjects \[1, 2\] only, not of \[3\]"):
        hapt.recordings(small, [2, 3], cache=cache)


def test_zip_and_cache_give_the_same_as_the_folder(
    small: Path, hapt_files: Files, as_zip: Callable[..., bytes], tmp_path: Path
) -> None:
    """Read from a zip, or again, the recordings are the same."""
    path = tmp_path / "hapt.zip"
    path.write_bytes(as_zip(hapt_files, "HAPT Data Set/"))
    expected = hapt.recordings(small, cache=tmp_path / "1")
    for _ in range(2):
        found = hapt.recordings(path, cache=tmp_path / "2")
        assert _shape(expected) == _shape(found)
        for one, other in zip(expected, found, strict=True):
            for left, right in zip(one.stretches, other.stretches, strict=True):
                np.testing.assert_array_equal(left.samples, right.samples, strict=True)
                np.testing.assert_array_equal(left.labels, right.labels, strict=True)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (GYRO, b"1 2 3\n", f"has 1 rows, but {ACC} has 200"),
        (ACC, b"1 2\n" * 200, "has 2 numbers in a row, not 3"),
        (ACC, b"1 2 3\n1 2 inf\n", "row 2 holds a number that is not finite"),
        (ACC, b"1 2 3\n1 2 g\n", "could not convert string 'g'"),
        (ACC, b"", "is empty"),
        (LABELS, b"1 1 5 1\n", "has 4 numbers in a row, not 5"),
        (LABELS, b"1 1 5 1 10\n4 2 5 1 10\n", "row 2: there is no experiment 4 of subject 2"),
        (LABELS, b"1 2 5 1 10\n", "row 1: there is no experiment 1 of subject 2"),
        (LABELS, b"1 1 0 1 10\n", "row 1: the label is 0, not 1 to 12"),
        (LABELS, b"1 1 13 1 10\n", "row 1: the label is 13, not 1 to 12"),
        (LABELS, b"1 1 1.5 1 10\n", "row 1: the label is 1.5, not 1 to 12"),
        (LABELS, b"1 1 1 0 10\n", "row 1: 0 to 10 are no samples of an experiment of 300"),
        (LABELS, b"1 1 1 1 301\n", "row 1: 1 to 301 are no samples of an experiment of 300"),
        (LABELS, b"1 1 1 11 10\n", "row 1: 11 to 10 are no samples of an experiment of 300"),
        (LABELS, b"1 1 1 1.5 10\n", "row 1: 1.5 to 10 are no samples of an experiment of 300"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    tmp_path: Path,
    hapt_files: Files,
    as_folder: AsFolder,
    name: str,
    content: bytes,
    reason: str,
) -> None:
    """The error says which file it is, and what is wrong with it; nothing is kept of it."""
    folder = as_folder(hapt_files | {name: content}, tmp_path / "data")
    with pytest.raises(DataError, match=rf"{folder}: {name}: .*{reason}"):
        hapt.recordings(folder, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_missing_file_is_named(tmp_path: Path, hapt_files: Files, as_folder: AsFolder) -> None:
    """An accelerometer's file without its gyroscope's is refused, and labels without signals."""
    without_gyro = {name: content for name, content in hapt_files.items() if name != GYRO}
    folder = as_folder(without_gyro, tmp_path / "data")
    with pytest.raises(DataError, match=f"{folder}: lacks the file {GYRO}"):
        hapt.recordings(folder, cache=tmp_path / "cache")
    folder = as_folder({LABELS: hapt_files[LABELS]}, tmp_path / "labels")
    with pytest.raises(DataError, match=f"{folder}: lacks the files RawData/acc_exp"):
        hapt.recordings(folder, cache=tmp_path / "cache")


def test_the_real_recordings_are_those_of_the_phones(real_hapt: Path, cache: Path) -> None:
    """Two experiments a subject, gravity on x while standing, transitions of some seconds."""
    recordings = hapt.recordings(real_hapt, cache=cache)
    assert {2} == {len(recording.stretches) for recording in recordings}
    assert (20598, 6) == recordings[0].stretches[0].samples.shape
    standing = ACTIVITIES.index("STANDING")
    for recording in recordings:
        for stretch in recording.stretches:
            gravity = stretch.samples[stretch.labels == standing, :3].mean(axis=0)
            assert 0 == np.argmax(np.abs(gravity))
            assert gravity[0] == pytest.approx(STANDARD_GRAVITY, rel=0.1)
    segments = hapt.label_segments(real_hapt, cache=cache)
    transitions = segments[segments[:, 2] > len(ACTIVITIES)]
    assert [1, 1, 5, 250, 1232] == segments[0].tolist()
    assert 3.0 < np.median(transitions[:, 4] - transitions[:, 3]) / 50 < 4.5
