from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import placement_sets
from pipeline.recordings.uci_har import OVERLAP, DataSet, Split
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import write_set
from trainer.data import tuning_windows
from trainer.data.placement_windows import windows_by_person
from trainer.data.published_wearers import frames_of
from trainer.data.tuning_windows import TuningWindows, mixed, of_sets, of_training_split


@pytest.mark.parametrize("n_new", [10, 29, 200])
def test_few_windows_are_repeated(mini_data: DataSet, n_new: int) -> None:
    """New windows are repeated until they are a fifth of all."""
    train = mini_data.train
    new = Split(
        train.windows[:1].repeat(n_new, 0), np.full(n_new, 6, np.int8), np.zeros(n_new, np.int8)
    )
    every = mixed(
        TuningWindows(new, np.ones((n_new, 10), np.float32)),
        [TuningWindows(train, np.zeros((len(train.labels), 10), np.float32))],
    )
    labels = every.split.labels
    n_user = np.count_nonzero(labels == 6)
    assert 0.2 * len(labels) <= n_user
    assert n_user == n_new or 0.2 * (len(labels) - n_new) > n_user - n_new
    assert 144 == len(labels) - n_user
    assert (labels == 6).tolist() == every.wearer_frames.all(axis=1).tolist()


def test_the_training_windows_are_given_the_models_labels(mini_data: DataSet) -> None:
    """With the frames of their wearers."""
    names = ("RUNNING", *ACTIVITIES[::-1])
    found = of_training_split(mini_data.train, names)
    expected = [ACTIVITIES[label] for label in mini_data.train.labels]
    assert expected == [names[label] for label in found.split.labels]
    np.testing.assert_array_equal(frames_of(mini_data.train), found.wearer_frames)


def test_windows_of_placement_sets_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each activity of each set that the model has, so many; the seed decides which."""
    for name in ("Made", "Other"):
        write_set(tmp_path / "sets" / name, ("s1", "s2"), seconds=12.0)
    sets = placement_sets.find(tmp_path / "sets")
    activities = (*ACTIVITIES[:3], "RUNNING", "JUMPING")
    monkeypatch.setattr(tuning_windows, "OF_ACTIVITY", 5)
    first, again, other = (
        of_sets(sets, activities, seed=seed, cache=tmp_path / "kept") for seed in (1, 1, 2)
    )
    every = [*windows_by_person(sets, hop=OVERLAP, cache=tmp_path / "kept")]
    for number, drawn in enumerate(first):
        assert {0: 5, 3: 5} == {
            label: np.count_nonzero(drawn.split.labels == label)
            for label in drawn.split.labels.tolist()
        }
        samples = np.concatenate([one.samples for one in every[2 * number : 2 * number + 2]])
        frames = np.concatenate([one.wearer_frames for one in every[2 * number : 2 * number + 2]])
        for window, frame in zip(drawn.split.windows, drawn.wearer_frames, strict=True):
            places = np.flatnonzero((samples == window).all(axis=(1, 2)))
            assert any(np.array_equal(frames[place], frame) for place in places)
        np.testing.assert_array_equal(drawn.split.windows, again[number].split.windows)
        assert not np.array_equal(drawn.split.windows, other[number].split.windows)


def test_without_anything_against_forgetting() -> None:
    """The new windows come once."""
    new = TuningWindows(
        Split(np.zeros((3, 128, 9), np.float32), np.zeros(3, np.int8), np.zeros(3, np.int8)),
        np.zeros((3, 10), np.float32),
    )
    assert 3 == len(mixed(new, []).split.labels)
