"""The motion in the newest samples of a window: still, moving, or changing the posture.

Here are the features from which a small network computes the motion's probabilities, and their log
likelihoods. The classifier answers for a whole window of 2.56 s; the newest 0.3 s show a change
sooner.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import CHANGE_NAMES
from pipeline.recognition.judgement.summary import (
    ANGULAR_VELOCITY,
    BODY_ACC,
    POWER_FLOOR,
    TOTAL_ACC,
    Summary,
)
from pipeline.recognition.network import Network

MOTIONS: Final = ("still", "moving", *CHANGE_NAMES)
"""The motions of a window's newest samples"""

STILL_ACTIVITIES: Final = frozenset({"SITTING", "STANDING", "LAYING"})
MOVING_ACTIVITIES: Final = frozenset(
    {"WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "RUNNING"}
)

_PROBABILITY_FLOOR: Final = 1e-6


def motion_features(summary: Summary) -> NDArray[np.float64]:
    """Return the features of windows from which their motion is computed, ``(n, 59)``."""
    body_acc, gyro, total_acc = (
        summary.mean[:, :, channels] for channels in (BODY_ACC, ANGULAR_VELOCITY, TOTAL_ACC)
    )
    tilts = total_acc[:, -1:] - total_acc[:, :-1]  # (n, 3, 3)
    powers = [
        summary.power[:, :, BODY_ACC],
        summary.power[:, :, ANGULAR_VELOCITY],
        summary.roughness[:, :, BODY_ACC],
        body_acc**2,
        gyro**2,
        tilts**2,
    ]
    n = len(body_acc)
    return np.concatenate(
        [
            np.log(np.concatenate(powers, axis=1).sum(axis=2) + POWER_FLOOR),  # (n, 23)
            body_acc.reshape(n, 12),
            gyro.reshape(n, 12),
            tilts.reshape(n, 9),
            total_acc[:, -1],
        ],
        axis=1,
    )


def motion_probabilities(network: Network, summary: Summary) -> NDArray[np.float64]:
    """Return the probabilities of `MOTIONS` in windows, ``(n, n_motions)``."""
    probabilities: NDArray[np.float64] = np.exp(network.log_probabilities(motion_features(summary)))
    return probabilities


def motion_log_likelihoods(
    probabilities: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return log likelihoods of `MOTIONS` and of being still or moving, ``(n, n_motions + 1)``.

    ``probabilities`` ``(n, n_motions)`` are of windows, ``shares`` ``(n_motions,)`` how often each
    motion occurred in the recordings that they were learnt from.
    """
    return np.log(_with_either(probabilities + _PROBABILITY_FLOOR) / _with_either(shares))


def motions_of(activities: Sequence[str]) -> NDArray[np.intp]:
    """Return for each activity its column in `motion_log_likelihoods`.

    It is the last, still or moving, for an activity of which nothing is known.
    """
    return np.array([_motion_of(activity) for activity in activities])


def _motion_of(activity: str) -> int:
    if activity in STILL_ACTIVITIES:
        return MOTIONS.index("still")
    return MOTIONS.index("moving") if activity in MOVING_ACTIVITIES else len(MOTIONS)


def _with_either(motions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append the probability of being still or moving to those of `MOTIONS`, on the last axis."""
    either = motions[..., :2].sum(axis=-1, keepdims=True)
    return np.concatenate([motions, either], axis=-1)
