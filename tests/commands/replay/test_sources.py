from pathlib import Path

import numpy as np
import pytest

from pipeline.commands.replay.settings import ReplaySettings
from pipeline.commands.replay.sources import read
from pipeline.recordings import journals
from pipeline.recordings.recording import DataError
from tests.commands.replay.file_recordings import file_recording
from tests.made_sets import write_set


def settings(**given: object) -> ReplaySettings:
    """Return settings that name a recording."""
    return ReplaySettings(
        _env_file=None, _cli_parse_args=False, **({"broker": "localhost"} | given)
    )


def test_the_subjects_asked_for() -> None:
    """Each is played once, in the order asked for."""
    recordings = read(settings(recording="simulated", subjects=[3, 1, 3]))
    assert ["phone-3", "phone-1"] == [recording.device for recording in recordings]
    with pytest.raises(DataError, match="simulated has no subject 7, 9; it has 1, 2, 3, 4, 5, 6"):
        read(settings(recording="simulated", subjects=[1, 7, 9]))


@pytest.mark.parametrize(("seconds", "n_samples"), [(7.0, 350), (0.71, 36), (100.0, 3000)])
def test_the_first_seconds_of_what_has_a_rate(seconds: float, n_samples: int) -> None:
    """They are as many samples as the rate gives."""
    recordings = read(settings(recording="simulated", duration=seconds))
    assert [n_samples] * 6 == [recording.n_samples for recording in recordings]


def test_less_than_a_sample_is_nothing() -> None:
    """Then there is no phone to play."""
    assert not read(settings(recording="simulated", duration=0.001))


@pytest.mark.parametrize(("seconds", "n_messages"), [(3.1, 3), (0.5, 1), (100.0, 5)])
def test_the_first_seconds_of_a_file(tmp_path: Path, seconds: float, n_messages: int) -> None:
    """A file is played by whole messages, one at least."""
    whole = file_recording([[("accelerometer", 100), ("gyroscope", 100)]] * 5, begins=1.4e9)
    journal = journals.Journal(tmp_path, whole.header)
    for number, message in enumerate(whole.messages):
        for part in message:
            journal.append(number, part.readings)
    journal.close()
    [recording] = read(settings(recording=str(tmp_path), duration=seconds))
    assert n_messages == len(recording.by_message())
    for expected, found in zip(whole.stretches, recording.stretches, strict=False):
        np.testing.assert_array_equal(expected.samples, found.samples)


def test_a_placement_set(tmp_path: Path) -> None:
    """A person's file, a set's folder, and a folder of sets are played, each recording of it."""
    for name in ("Made_pocket", "Made_chest"):
        write_set(tmp_path / name, ("s1", "s2"), ok=(1, 1, 0, 0))
    places = ("Made_pocket/s2.npz", "Made_pocket", "")
    played = [read(settings(recording=str(tmp_path / place))) for place in places]
    assert [2, 4, 8] == [len(recordings) for recordings in played]
    assert ["Made_pocket-s2"] * 2 == [recording.device for recording in played[0]]
    assert [300, 300] == [recording.n_samples for recording in played[0]]


def test_recordings_beside_a_placement_set(tmp_path: Path) -> None:
    """In a folder with files of har-record these are played."""
    write_set(tmp_path, ("s1",), name="Made")
    whole = file_recording([[("motion", 100)]], begins=1.4e9)
    journal = journals.Journal(tmp_path, whole.header)
    journal.append(0, whole.messages[0][0].readings)
    journal.close()
    assert ["phone"] == [one.device for one in read(settings(recording=str(tmp_path)))]


@pytest.mark.parametrize(("seconds", "n_samples"), [(3.0, 75), (3.02, 76), (99.0, 300)])
def test_the_first_seconds_of_a_placement_set(
    tmp_path: Path, seconds: float, n_samples: int
) -> None:
    """They are the samples before that time, of each recording."""
    path = write_set(tmp_path / "Made", ("s1",)) / "s1.npz"
    played = read(settings(recording=str(path), duration=seconds))
    assert [n_samples] * 4 == [recording.n_samples for recording in played]


def test_a_persons_file_has_no_subjects(tmp_path: Path) -> None:
    """Nor simulated activities; who wants another person names that file."""
    path = write_set(tmp_path / "Made", ("s1",)) / "s1.npz"
    for given in ({"subjects": [1]}, {"activity": "WALKING"}):
        for place in (path, path.parent):
            with pytest.raises(DataError, match="--subjects and --activity are for data sets and"):
                read(settings(recording=str(place), **given))


def test_what_cannot_be_played_of_a_placement_set(tmp_path: Path) -> None:
    """Nothing to play is an error, and so are the dates of what has none."""
    write_set(tmp_path / "Made_pocket", ("s1",), ok=(0, 0, 0, 0))
    for place in (tmp_path, tmp_path / "Made_pocket" / "s1.npz"):
        with pytest.raises(DataError, match=f"{place}: has nothing to play: rec_ok marks every"):
            read(settings(recording=str(place)))
        with pytest.raises(DataError, match="--original-times is for files of har-record"):
            read(settings(recording=str(place), original_times=True))


def test_an_empty_folder(tmp_path: Path) -> None:
    """It is said that it might hold recordings or placement sets."""
    with pytest.raises(
        DataError, match=r"holds no recordings \(\*.parquet\), and no placement set"
    ):
        read(settings(recording=str(tmp_path)))
