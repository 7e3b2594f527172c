"""How unlike any human activity a window is.

Decided here: what is measured of a window (`Summary`), and its score: the log odds that it comes
from no body that carries the phone as the training subjects did, but from noise, shaking, a dead
sensor, wrong units or another frame. What follows from a score is decided in `decisions`.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import WINDOW_LENGTH

SPANS: Final = (slice(0, 64), slice(64, 96), slice(96, 112), slice(112, 128))
"""Samples of a window that are summed up together, finer the newer they are."""

_AVERAGES: Final = np.zeros((len(SPANS), WINDOW_LENGTH), np.float32)
"""Takes the samples of a window to the mean of each span."""
for _span, _row in zip(SPANS, _AVERAGES, strict=True):
    _row[_span] = 1 / (_span.stop - _span.start)

_SHARES: Final = np.array([(span.stop - span.start) / WINDOW_LENGTH for span in SPANS])

# Floors of logarithms, about a tenth of what a resting phone's sensors show (HAPT).
_ACC_FLOOR: Final = 1e-7  # g²
_GYRO_FLOOR: Final = 1e-6  # rad²/s²
_FLOORS: Final = np.repeat([_ACC_FLOOR, _GYRO_FLOOR], 3)
_TILT_FLOOR: Final = 1e-5  # g²
_NORM_FLOOR: Final = 1e-2  # g


@dataclass(frozen=True, eq=False)
class Summary:
    """What is measured of windows, for each span and channel; all arrays are ``(n, 4, 9)``."""

    mean: NDArray[np.float64]
    """In g and rad/s"""
    power: NDArray[np.float64]
    """Mean square, in g² and rad²/s²"""
    roughness: NDArray[np.float64]
    """Mean square of the steps from sample to sample, in g² and rad²/s²"""


def summarize(windows: NDArray[np.float32]) -> Summary:
    """Return what is measured of windows ``(n, 128, 9)`` in g and rad/s."""
    steps = windows[:, 1:] - windows[:, :-1]  # (n, 127, 9)
    np.square(steps, out=steps)
    # A product with each window by itself: its bits do not depend on how many windows there are.
    mean, power, roughness = (
        (_AVERAGES[:, -signal.shape[1] :] @ signal).astype(np.float64)  # (n, 4, 9)
        for signal in (windows, np.square(windows), steps)
    )
    return Summary(mean, power, roughness)


class Network(msgspec.Struct, frozen=True, eq=False):
    """A small network with one hidden layer, learnt by `trainer.decisions.learning`."""

    center: NDArray[np.float64]
    """``(n_features,)``: the features' means"""
    scale: NDArray[np.float64]
    """``(n_features,)``: their standard deviations"""
    hidden: NDArray[np.float64]
    """``(n_features + 1, n_units)``, the last row is the bias"""
    output: NDArray[np.float64]
    """``(n_units + 1, n_classes)``, the last row is the bias"""

    def log_probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the classes' log probabilities, ``(n, n_classes)``, of ``(n, n_features)``."""
        layer = ((features - self.center) / self.scale)[:, None]  # (n, 1, n_features)
        layer = np.tanh(layer @ self.hidden[:-1] + self.hidden[-1])  # (n, 1, n_units)
        logits: NDArray[np.float64] = (layer @ self.output[:-1] + self.output[-1])[:, 0]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits


def novelty_features(summary: Summary) -> NDArray[np.float64]:
    """Return what the score of windows is made of, ``(n, 31)``."""
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
