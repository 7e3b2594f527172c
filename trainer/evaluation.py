"""How good predictions are: accuracy and its interval, figures per class, calibration.

Works on labels and predictions alone, for any list of activities; where they come from, and which
split may be looked at when, is decided elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import bootstrap

from pipeline.vocabulary import ACTIVITIES

CONFIDENCE_LEVEL: Final = 0.95
"""Of intervals"""

RESAMPLES: Final = 9999
"""Of the bootstrap"""

N_BINS: Final = 15
"""Of the calibration error: as in Guo et al., "On Calibration of Modern Neural Networks", 2017"""

STILL_UPRIGHT: Final = tuple(ACTIVITIES.index(name) for name in ("SITTING", "STANDING"))
"""Labels of the activities that are most often taken for each other"""

_TEMPERATURES: Final = (0.1, 10.0)
"""Between which the best is looked for"""
_LEAST_PROBABILITY: Final = 1e-12


@dataclass(frozen=True)
class Scores:
    """The scores in a confusion matrix."""

    confusion: NDArray[np.int64]
    """``(n_activities, n_activities)`` windows: row the true activity, column the predicted one"""

    @property
    def accuracy(self) -> float:
        """Share of all windows that are predicted right, 0 to 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def accuracy_among(self, labels: Sequence[int]) -> float:
        """Share of the windows of some true activities that are predicted right, 0 to 1."""
        chosen = list(labels)
        return float(np.diag(self.confusion)[chosen].sum() / self.support[chosen].sum())

    @property
    def support(self) -> NDArray[np.int64]:
        """Windows of each activity ``(n_activities,)``."""
        windows: NDArray[np.int64] = self.confusion.sum(axis=1)
        return windows

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of each activity's predictions that are right, 0 where there are none."""
        return share(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of each activity's windows that are predicted right, 0 where there are none."""
        return share(np.diag(self.confusion), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each activity, 0 where both are 0."""
        return share(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.support)


def score(
    labels: NDArray[np.integer], predictions: NDArray[np.integer], *, n_activities: int
) -> Scores:
    """Return the scores of predicted labels ``(n_windows,)`` against the true ones.

    Raises:
        ValueError: there are none, or not equally many, or a label is out of range.
    """
    if labels.shape != predictions.shape or labels.ndim != 1 or not len(labels):
        raise ValueError(
            "labels and predictions must be equally many and at least one, "
            f"but have the shapes {labels.shape} and {predictions.shape}"
        )
    both = np.concatenate([labels, predictions])
    if both.min() < 0 or both.max() >= n_activities:
        raise ValueError(f"labels must be 0 to {n_activities - 1}")
    confusion = np.zeros((n_activities, n_activities), np.int64)
    np.add.at(confusion, (labels, predictions), 1)
    return Scores(confusion)


def accuracy_interval(
    right: NDArray[np.bool_], subjects: NDArray[np.integer], *, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy, by bootstrap over subjects.

    A subject's windows resemble each other, so whole subjects are drawn, not windows. The
    interval is how much the accuracy would vary with other people, not with other seeds.

    Args:
        right: ``(n_windows,)``, whether each window is predicted right.
        subjects: ``(n_windows,)``, whose each window is; at least two different ones.
        seed: draws the subjects.
    """
    _, subject_of = np.unique(subjects, return_inverse=True)  # 0, 1, ...
    windows = np.bincount(subject_of)

    def accuracy(right: NDArray[Any], windows: NDArray[Any], axis: int) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = right.sum(axis=axis) / windows.sum(axis=axis)
        return shares

    interval = bootstrap(
        (np.bincount(subject_of, weights=right), windows),
        accuracy,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=CONFIDENCE_LEVEL,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Reliability:
    """How often predictions are right, by how sure they are; equal steps of the probability."""

    confidence: NDArray[np.float64]
    """``(n_bins,)``: mean probability of the predicted activity, 0 in a bin without windows"""
    accuracy: NDArray[np.float64]
    """``(n_bins,)``: share of right ones, 0 in a bin without windows"""
    windows: NDArray[np.int64] | NDArray[np.float64]
    """``(n_bins,)``: how many there are in each, or their weights together"""

    @property
    def calibration_error(self) -> float:
        """The expected calibration error (ECE, Guo et al. 2017), 0 to 1."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(gaps @ self.windows / self.windows.sum())


def reliability(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    weights: NDArray[np.floating] | None = None,
) -> Reliability:
    """Return how far probabilities ``(n_windows, n_activities)`` can be relied on.

    Windows count alike, or as ``weights`` ``(n_windows,)`` say.
    """
    predictions, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    bins = np.minimum((sure * N_BINS).astype(np.intp), N_BINS - 1)
    counts = np.ones(len(labels), np.int64) if weights is None else weights
    windows = np.bincount(bins, weights=weights, minlength=N_BINS)
    right = np.bincount(bins, weights=counts * (predictions == labels), minlength=N_BINS)
    sums = np.bincount(bins, weights=counts * sure, minlength=N_BINS)
    return Reliability(share(sums, windows), share(right, windows), windows)


def log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean negative logarithm of the true activity's probability."""
    of_true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_true, _LEAST_PROBABILITY)).mean())


def tempered(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return probabilities ``(n_windows, n_activities)`` at a temperature.

    They are the softmax of the logits divided by it: 1 changes nothing, more is less sure.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), _LEAST_PROBABILITY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def best_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature of least `log_loss` (Guo et al. 2017)."""

    def loss(logarithm: float) -> float:
        return log_loss(tempered(probabilities, float(np.exp(logarithm))), labels)

    bounds = (float(np.log(_TEMPERATURES[0])), float(np.log(_TEMPERATURES[1])))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Return mean and sample standard deviation, which is None for a single value."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return float(np.mean(values)), sd


def with_sd(values: Sequence[float]) -> str:
    """Return mean and standard deviation in words, ``0.9012 ± 0.0100``."""
    mean, sd = mean_and_sd(values)
    return f"{mean:.4f}" if sd is None else f"{mean:.4f} ± {sd:.4f}"


def table(scores: Scores, activities: Sequence[str]) -> str:
    """Return precision, recall, F1 and number of windows of each activity as lines of text."""
    width = max(map(len, activities))
    lines = [f"{'':{width}}  precision  recall      F1  windows"]
    lines += [
        f"{activity:{width}}  {precision:9.3f}  {recall:6.3f}  {f1:6.3f}  {support:7d}"
        for activity, precision, recall, f1, support in zip(
            activities, scores.precision, scores.recall, scores.f1, scores.support, strict=True
        )
    ]
    return "\n".join(lines)


def figures_by_class(scores: Scores, activities: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 and the number of windows of each activity."""
    return {
        activity: {"precision": precision, "recall": recall, "f1": f1, "windows": windows}
        for activity, precision, recall, f1, windows in zip(
            activities,
            scores.precision.tolist(),
            scores.recall.tolist(),
            scores.f1.tolist(),
            scores.support.tolist(),
            strict=True,
        )
    }


def share(
    part: NDArray[np.integer | np.floating], whole: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return each part by its whole, 0 where there is none."""
    shares: NDArray[np.float64] = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
