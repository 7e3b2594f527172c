import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from trainer.set_scores import set_scores

WALKING, UP, DOWN, SITTING, _STANDING, LAYING, RUNNING = range(len(PLACEMENT_ACTIVITIES))


def sure_of(predicted: list[int], confidence: float = 1.0) -> NDArray[np.float64]:
    """Return probabilities of predictions; what is left goes to all others alike."""
    n = len(PLACEMENT_ACTIVITIES)
    others = (1 - confidence) / (n - 1)
    return np.where(np.arange(n) == np.array(predicted)[:, np.newaxis], confidence, others)


def test_every_activity_counts_alike() -> None:
    """Ten windows of walking, half of them right, count as much as one of sitting."""
    labels = np.array([WALKING] * 10 + [SITTING])
    scores = set_scores(
        sure_of([WALKING] * 5 + [LAYING] * 5 + [SITTING]), labels, PLACEMENT_ACTIVITIES
    )
    assert 11 == scores.windows
    assert {"WALKING": 0.5, "SITTING": 1.0} == scores.recall
    assert 0.75 == scores.balanced_accuracy
    assert 0.75 == scores.moving
    assert (None, None, None) == (scores.stairs, scores.running_recall, scores.running_precision)


def test_stairs_among_themselves() -> None:
    """Of walking and stairs one is predicted then, whatever else was more probable."""
    probabilities = sure_of([LAYING, UP, UP])
    probabilities[0] = [0.2, 0.1, 0.1, 0, 0, 0.6, 0]
    scores = set_scores(probabilities, np.array([WALKING, UP, DOWN]), PLACEMENT_ACTIVITIES)
    assert 2 / 3 == scores.stairs
    assert 1 / 3 == scores.balanced_accuracy
    assert 2 / 3 == scores.moving


def test_running() -> None:
    """Recall is of its windows; precision of the predictions, each activity counting alike."""
    labels = np.array([RUNNING, RUNNING, SITTING, SITTING, SITTING, SITTING])
    scores = set_scores(
        sure_of([RUNNING, UP, RUNNING, SITTING, SITTING, SITTING]), labels, PLACEMENT_ACTIVITIES
    )
    assert 0.5 == scores.running_recall
    assert 0.5 / 0.75 == pytest.approx(scores.running_precision)


def test_calibration_error() -> None:
    """By how much the confidence is above or below the share right, activities counting alike."""
    labels = np.array([WALKING] * 4 + [SITTING])
    probabilities = sure_of([WALKING, WALKING, WALKING, WALKING, LAYING], confidence=0.8)
    scores = set_scores(probabilities, labels, PLACEMENT_ACTIVITIES)
    assert pytest.approx(abs(0.8 - 0.5)) == scores.calibration_error


def test_no_windows() -> None:
    """There are no figures of nothing."""
    with pytest.raises(ValueError, match="no figures"):
        set_scores(np.empty((0, 7)), np.empty(0, np.int8), PLACEMENT_ACTIVITIES)
