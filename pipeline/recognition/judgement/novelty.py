"""How unlike any human activity a window is.

Decided here: the features and the score, which is the log odds that a window comes from no body
that carries the phone as the training subjects did, but from noise, shaking, a dead sensor, wrong
units or another frame. What follows from a score is decided in `evidence`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.summary import SPANS, Summary
from pipeline.recognition.network import Network
from pipeline.vocabulary import WINDOW_LENGTH

_SHARES: Final = np.array([(span.stop - span.start) / WINDOW_LENGTH for span in SPANS])
"""Share of each span in the window"""

# Floors of logarithms, about a tenth of what a resting phone's sensors show (HAPT).
_ACC_FLOOR: Final = 1e-7  # g²
_GYRO_FLOOR: Final = 1e-6  # rad²/s²
_FLOORS: Final = np.repeat([_ACC_FLOOR, _GYRO_FLOOR], 3)
_TILT_FLOOR: Final = 1e-5  # g²
_NORM_FLOOR: Final = 1e-2  # g


def novelty_features(summary: Summary) -> NDArray[np.float64]:
    """Return the features that the score of windows is made of, ``(n, 31)``."""
    mean = _over_window(summary.mean)  # (n, 9)
    gravity = mean[:, 6:]
    variance = np.maximum(_over_window(summary.power) - mean**2, 0)[:, :6]
    variance = np.log(variance + _FLOORS)
    roughness = np.log(_over_window(summary.roughness)[:, :6] + _FLOORS / 10)
    acc_power = np.log(summary.power[:, :, :3].sum(axis=2) + _ACC_FLOOR * 10)  # (n, 4)
    gyro_power = np.log(summary.power[:, :, 3:6].sum(axis=2) + _GYRO_FLOOR * 10)
    tilts = summary.mean[:, :, 6:] - gravity[:, None]  # (n, 4, 3)
    return np.concatenate(
        [
            gravity,
            gravity**2,
            gravity[:, :1] * gravity[:, 1:],
            np.log(np.linalg.norm(gravity, axis=1) + _NORM_FLOOR)[:, None],
            variance,
            roughness,
            roughness - variance,  # the square of a mean frequency
            np.ptp(acc_power, axis=1)[:, None],
            np.ptp(gyro_power, axis=1)[:, None],
            np.log(_squared(tilts[:, -1] - tilts[:, 0]) + _TILT_FLOOR)[:, None],
            np.log(_squared(tilts).sum(axis=1) + _TILT_FLOOR)[:, None],
        ],
        axis=1,
    )


def novelty(network: Network, summary: Summary) -> NDArray[np.float64]:
    """Return the score of windows, ``(n,)``: log odds, above 0 for what is probably no activity."""
    log_probabilities = network.log_probabilities(novelty_features(summary))
    scores: NDArray[np.float64] = log_probabilities[:, 1] - log_probabilities[:, 0]
    return scores


def _over_window(spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means over whole windows, ``(n, 9)``, of those over their spans."""
    whole: NDArray[np.float64] = (spans * _SHARES[:, None]).sum(axis=1)
    return whole


def _squared(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared lengths of vectors along the last axis."""
    lengths: NDArray[np.float64] = np.square(vectors).sum(axis=-1)
    return lengths
