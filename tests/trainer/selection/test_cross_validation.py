import numpy as np
import pytest

from pipeline.recordings import simulated
from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.selection.cross_validation import (
    N_GROUPS,
    HeldOutProbabilities,
    groups,
    held_out,
    together,
    without,
)


def sure_of(labels: list[int]) -> np.ndarray:
    """Return the probabilities of a model that is sure of these labels."""
    return np.eye(6, dtype=np.float32)[labels]


def test_every_training_subject_is_in_one_group() -> None:
    """The groups are of four or five subjects, and none of the test split is in any."""
    everybody = [subject for group in groups() for subject in group]
    assert sorted(everybody) == sorted(TRAINING_SUBJECTS)
    assert {4, 5} == {len(group) for group in groups()}


def test_nobody_is_trained_on_and_judged(mini_data: DataSet) -> None:
    """What a group is judged by, and what is trained on for it, are of different people."""
    (stretches,) = (one.stretches for one in simulated.recordings(1, seconds=12))
    recordings = [
        Recording("phone", stretches, person=str(subject)) for subject in TRAINING_SUBJECTS
    ]
    judged = 0
    for number, group in enumerate(groups()):
        trained_on = {int(one.person) for one in without(recordings, number)}
        windows = held_out(mini_data.train, number)
        assert set(TRAINING_SUBJECTS) == trained_on | set(group)
        assert not trained_on & set(windows.subjects.tolist())
        assert len(windows.windows) == len(windows.labels) == len(windows.subjects)
        judged += len(windows.labels)
    assert len(mini_data.train.labels) == judged


def test_accuracies_are_by_group() -> None:
    """There is an accuracy a group; scores are of all windows."""
    result = HeldOutProbabilities(
        [sure_of([0, 3, 4]), sure_of([3])], [np.array([0, 4, 4], np.int8), np.array([3], np.int8)]
    )
    assert [pytest.approx(2 / 3), 1.0] == result.accuracies
    assert 3 / 4 == result.scores.accuracy
    assert 2 / 3 == pytest.approx(result.sitting_standing)
    assert N_GROUPS == len(groups())


def test_several_models_together() -> None:
    """The mean of their probabilities decides: the surer one wins."""
    sure, unsure = sure_of([1]), np.full((1, 6), 0.1, np.float32)
    unsure[0, 2] = 0.5
    labels = [np.array([1], np.int8)]
    both = together([HeldOutProbabilities([sure], labels), HeldOutProbabilities([unsure], labels)])
    assert [1.0] == both.accuracies
    np.testing.assert_allclose(both.probabilities[0], (sure + unsure) / 2)
