"""How good predictions are on one data set of people who wore a phone in one place.

Sets have some activities and lack others, and more windows of one than of another. So every
activity that a set has counts alike here, however many windows there are of it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.person_file import RUNNING
from pipeline.vocabulary import ACTIVITIES
from trainer.evaluation import reliability, share

STAIRS: Final = ACTIVITIES[:3]
"""Walking, on the level and on stairs: they are told from each other by the way of a stride"""
MOVING: Final = (*STAIRS, RUNNING)


class SetScores(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one set."""

    windows: int
    balanced_accuracy: float
    """Mean over the activities of the share of their windows that is right"""
    recall: dict[str, float]
    """That share, by activity"""
    stairs: float | None
    """The same among walking, up and down stairs, where no other can be predicted; None if the set
    lacks one of them"""
    moving: float
    """Share right of whether somebody moves or is still, whatever the activity"""
    running_recall: float | None
    running_precision: float | None
    """Share of windows predicted RUNNING that are, None if the set has none"""
    calibration_error: float
    """Expected calibration error"""


def set_scores(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], activities: Sequence[str]
) -> SetScores:
    """Return the figures of probabilities ``(n_windows, n_activities)`` against the true labels.

    Raises:
        ValueError: there are no windows.
    """
    if len(labels) == 0:
        raise ValueError("a set without windows has no figures")
    names = np.array(activities)
    predicted = probabilities.argmax(axis=1)
    n = np.bincount(labels, minlength=len(names))
    has = n > 0
    shares = np.zeros((len(names), len(names)))  # row the true activity, column the predicted one
    np.add.at(shares, (labels, predicted), 1 / n[labels])
    moves = np.isin(names, MOVING)
    right_group = np.where(moves, shares[:, moves].sum(axis=1), shares[:, ~moves].sum(axis=1))
    return SetScores(
        windows=len(labels),
        balanced_accuracy=float(np.diag(shares)[has].mean()),
        recall={str(names[k]): float(shares[k, k]) for k in np.flatnonzero(has)},
        stairs=_among(np.flatnonzero(np.isin(names, STAIRS)), probabilities, labels),
        moving=float(right_group[has].mean()),
        running_recall=_of(RUNNING, np.diag(shares), names, has),
        running_precision=_of(RUNNING, share(np.diag(shares), shares.sum(axis=0)), names, has),
        calibration_error=reliability(
            probabilities, labels, weights=1 / n[labels]
        ).calibration_error,
    )


def _among(
    some: NDArray[np.intp], probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> float | None:
    """Return the mean share right of windows of some activities, of which one is predicted."""
    chosen = np.isin(labels, some)
    predicted = some[probabilities[np.ix_(chosen, some)].argmax(axis=1)]
    recall = [float((predicted[labels[chosen] == k] == k).mean()) for k in some if k in labels]
    return float(np.mean(recall)) if len(recall) == len(some) else None


def _of(
    activity: str, values: NDArray[np.float64], names: NDArray[np.str_], has: NDArray[np.bool_]
) -> float | None:
    """Return an activity's value, None if there are no windows of it."""
    found = np.flatnonzero((names == activity) & has)
    return float(values[found[0]]) if len(found) else None
