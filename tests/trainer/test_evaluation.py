import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation import (
    accuracy_interval,
    best_temperature,
    log_loss,
    mean_and_sd,
    reliability,
    score,
    table,
    tempered,
    with_sd,
)

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


def test_the_interval_is_of_subjects() -> None:
    """Subjects that differ make it wide, however many windows they have; equal ones a point.

    With two subjects, of whom one is always right and one never, the mean of two drawn is 0, 0.5 or
    1, and either end comes in a quarter of the draws.
    """
    subjects = np.repeat([3, 7], 1000)
    low, high = accuracy_interval(subjects == 3, subjects, seed=1)
    assert (0.0, 1.0) == (low, high)
    alternating = np.arange(2000) % 2 == 0
    assert (0.5, 0.5) == accuracy_interval(alternating, subjects, seed=1)


def test_the_interval_covers_the_accuracy_of_other_subjects() -> None:
    """Of 200 groups of 20 subjects, the intervals of about 95 in 100 hold the true accuracy."""
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        accuracies = np.clip(rng.normal(0.8, 0.1, size=20), 0, 1)
        subjects = np.repeat(np.arange(20), 50)
        right = rng.random(len(subjects)) < accuracies[subjects]
        low, high = accuracy_interval(right, subjects, seed=1)
        hits += low <= 0.8 <= high
    assert 0.86 <= hits / 200 <= 0.99


def test_the_calibration_error_of_an_example() -> None:
    """Ten windows of which one is wrong, all of them 0.8 sure, are 0.1 from what they promise."""
    probabilities = np.tile([0.8, 0.2], (10, 1))
    labels = np.array([0] * 9 + [1])
    found = reliability(probabilities, labels)
    assert 0.1 == pytest.approx(found.calibration_error)
    assert 10 == found.windows.sum() == found.windows[12]
    assert 1 == reliability(np.eye(2), np.array([0, 1])).accuracy[-1]


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3.0))
@settings(max_examples=20)
def test_the_temperature_is_found(seed: int, truth: float) -> None:
    """From labels drawn by tempered probabilities the temperature is found."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(20_000, 4)) * 1.5
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = tempered(sure, truth)
    labels = (right.cumsum(axis=1) > rng.random((len(right), 1))).argmax(axis=1)
    assert truth == pytest.approx(best_temperature(sure, labels), rel=0.1)
    assert reliability(right, labels).calibration_error < 0.03


def test_no_temperature_changes_nothing() -> None:
    """At 1 probabilities stay; at any, the most probable activity stays the most probable."""
    probabilities = np.random.default_rng(2).dirichlet(np.ones(6), size=50)
    np.testing.assert_allclose(tempered(probabilities, 1.0), probabilities, atol=1e-12)
    for temperature in (0.5, 4.0):
        np.testing.assert_array_equal(
            tempered(probabilities, temperature).argmax(axis=1), probabilities.argmax(axis=1)
        )


def test_log_loss_of_an_example() -> None:
    """Half sure is a bit; certain and wrong is much, but no infinity."""
    assert np.log(2) == pytest.approx(log_loss(np.array([[0.5, 0.5]]), np.array([1])))
    assert 20 < log_loss(np.array([[1.0, 0.0]]), np.array([1])) < 40
