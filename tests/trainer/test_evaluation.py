from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.evaluation import (
    mean_and_sd,
    plot_confusion,
    plot_learning_curves,
    score,
    table,
    with_sd,
)

pytestmark = pytest.mark.train

THREE = ("CYCLING", "ROWING", "SWIMMING")


def test_scores_of_an_example() -> None:
    """Ten windows worked out by hand."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    predictions = np.array([0, 0, 0, 1, 1, 1, 0, 2, 2, 2])
    scores = score(labels, predictions, n_activities=3)
    assert [[3, 1, 0], [1, 2, 0], [0, 0, 3]] == scores.confusion.tolist()
    assert 0.8 == scores.accuracy
    assert [4, 3, 3] == scores.support.tolist()
    np.testing.assert_allclose(scores.precision, [3 / 4, 2 / 3, 1])
    np.testing.assert_allclose(scores.recall, [3 / 4, 2 / 3, 1])
    np.testing.assert_allclose(scores.f1, [3 / 4, 2 / 3, 1])


def test_activity_that_is_never_predicted_or_never_there() -> None:
    """A share of nothing is 0, not an error."""
    scores = score(np.array([0, 0, 1]), np.array([0, 0, 0]), n_activities=3)
    np.testing.assert_allclose(scores.precision, [2 / 3, 0, 0])
    np.testing.assert_allclose(scores.recall, [1, 0, 0])
    np.testing.assert_allclose(scores.f1, [0.8, 0, 0])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_scores_agree_with_counting(pairs: list[tuple[int, int]]) -> None:
    """The confusion matrix holds every window once, and accuracy is the share of right ones."""
    labels, predictions = np.array(pairs).T
    scores = score(labels, predictions, n_activities=4)
    assert len(pairs) == scores.confusion.sum()
    assert np.mean(labels == predictions) == pytest.approx(scores.accuracy)
    assert pairs.count((1, 2)) == scores.confusion[1, 2]
    with np.errstate(invalid="ignore"):
        f1 = 2 * scores.precision * scores.recall / (scores.precision + scores.recall)
    np.testing.assert_allclose(scores.f1, np.nan_to_num(f1))


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [([0, 1], [0]), ([], []), ([0, 3], [0, 1]), ([0, 1], [0, -1]), ([[0]], [[0]])],
)
def test_labels_that_do_not_fit(labels: list[int], predictions: list[int]) -> None:
    """Unequally many labels, none, and labels out of range are refused."""
    with pytest.raises(ValueError, match="labels"):
        score(np.array(labels, int), np.array(predictions, int), n_activities=3)


def test_mean_and_deviation() -> None:
    """The deviation is the sample's, and there is none of a single value."""
    assert (0.9, pytest.approx(0.02)) == mean_and_sd([0.88, 0.90, 0.92])
    assert (0.9, None) == mean_and_sd([0.9])
    assert "0.9000 ± 0.0200" == with_sd([0.88, 0.90, 0.92])
    assert "0.9000" == with_sd([0.9])


def test_table_has_a_line_for_each_activity() -> None:
    """The table names the activities, whatever they are."""
    scores = score(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]), n_activities=3)
    lines = table(scores, THREE).splitlines()
    assert ["precision", "recall", "F1", "windows"] == lines[0].split()
    assert ["SWIMMING", "1.000", "0.500", "0.667", "2"] == lines[3].split()


@pytest.mark.parametrize("n_activities", [2, 6, 12])
def test_picture_of_a_confusion_matrix(n_activities: int, tmp_path: Path) -> None:
    """It is a PNG that grows with the number of activities."""
    labels = np.arange(n_activities)
    path = tmp_path / "confusion.png"
    names = [f"ACTIVITY_{label}" for label in labels]
    scores = score(labels, labels, n_activities=n_activities)
    plot_confusion(scores, names, path, title="example")
    with Image.open(path) as image:
        assert "PNG" == image.format
        assert image.width >= 300 + 100 * n_activities


def test_picture_of_learning_curves(tmp_path: Path) -> None:
    """Runs of different lengths, with histories missing, are drawn."""
    runs = [
        {"loss": [1.0, 0.5], "accuracy": [0.5, 0.8], "val_loss": [1.1], "val_accuracy": [0.4]},
        {"loss": [0.9], "accuracy": [0.6]},
    ]
    path = tmp_path / "curves.png"
    labels = {"": "training", "val_": "held out"}
    plot_learning_curves(runs, path, title="example", chosen_epochs=1, labels=labels)
    with Image.open(path) as image:
        assert "PNG" == image.format
