"""What one look at a gait shows: gravity's direction, forward, the kind of gait.

Strategy: the axes are turned so that one is along gravity; the two across it are any. Then
everything is second moments, of which all but forward are the same whichever two those are.

* *Forward*: a body that steps on goes up and down, and with it forth and back; a thigh swings, a
  trunk nods. When one comes after the other shows which way is forward, at the waist, in a pocket
  and at the chest by the same rule: the cross-correlations of vertical acceleration with horizontal
  acceleration and rotation, weighted by lag.
* Going downstairs and running that rule points backwards. A small network computes from the same
  moments whether the gait is walking, on the level or up.

The weights were chosen on walking at the waist, in trouser pockets and at the chest, where the
front of the body is known from how people sit or lie: with ten looks the error is 10 degrees in the
median, and forward is backward in 0 to 4 % of people.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.recognition.network import Network
from pipeline.recognition.wearer.gait import Gaits, smoothed
from pipeline.vocabulary import WINDOW_LENGTH

LAGS: Final = np.arange(-24, 25, 4)
"""Samples by which vertical acceleration is taken later, 13 values"""
_ACC_WEIGHTS: Final = {-20: 0.7, -16: 0.5, -8: -1.0, -4: -1.0}
_GYRO_WEIGHTS: Final = {-4: -0.5, 8: 0.5, 12: 0.5}
"""Weights of the cross-correlations in forward, by lag"""
_SIGN_LAG: Final = int(np.flatnonzero(LAGS == -4)[0])
"""Where acceleration shows most clearly which way the main direction goes"""

_MARGIN: Final = int(LAGS[-1])
_CENTER: Final = slice(_MARGIN, WINDOW_LENGTH - _MARGIN)
_N_CENTER: Final = WINDOW_LENGTH - 2 * _MARGIN
_ACC_UP: Final = 3  # of the six columns of signals in the axes of a look
_MEAN: Final = np.full((1, WINDOW_LENGTH), 1 / WINDOW_LENGTH)
_TINY: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Strides:
    """What looks at gaits show."""

    upright: NDArray[np.float64]
    """``(n, 3)``: unit vector of gravity's reaction"""
    forward: NDArray[np.float64]
    """``(n, 3)``: across it, the longer the clearer; backward unless the gait is walking"""
    log_strength: NDArray[np.float64]
    """``(n, 2)``: logarithms of the root mean square of angular velocity, rad/s, and of the
    standard deviation of vertical acceleration, g"""
    features: NDArray[np.float64]
    """``(n, n_features)``: from which the kind of gait is computed"""


def strides_of(looks: NDArray[np.float64], gaits: Gaits) -> Strides:
    """Return what looks show, ``(n, 128, 6)`` of angular velocity and acceleration in rad/s and g.

    ``gaits`` are theirs, each of one look.
    """
    gravity = (_MEAN @ looks[:, :, 3:])[:, 0]
    gravity_g = np.maximum(_length(gravity), _TINY)
    upright = gravity / gravity_g
    axes = _axes(upright)
    # Angular velocity, then acceleration: each up, across, across.
    signals = (looks.reshape(-1, 2 * WINDOW_LENGTH, 3) @ axes).reshape(looks.shape)
    signals[:, :, _ACC_UP] -= gravity_g

    moments = signals.transpose(0, 2, 1) @ signals / WINDOW_LENGTH  # (n, 6, 6)
    gyro_moments, acc_moments = moments[:, :3, :3], moments[:, 3:, 3:]
    vertical = smoothed(signals[:, :, _ACC_UP])
    vertical_g = vertical.std(axis=1)
    by_gyro, by_acc = _cross_correlations(vertical, signals)
    by_gyro /= _scale(vertical_g, gyro_moments)
    by_acc /= _scale(vertical_g, acc_moments)
    # Of rotation about an axis, the direction in which what is above it moves.
    by_gyro = np.stack([by_gyro[:, :, 1], -by_gyro[:, :, 0]], axis=2)

    both = np.concatenate([by_acc, by_gyro], axis=1)  # (n, 26, 2)
    forward = _FORWARD_WEIGHTS @ both  # (n, 1, 2)
    gyro_rms = np.sqrt(np.trace(gyro_moments, axis1=1, axis2=2))
    return Strides(
        upright,
        (forward @ axes[:, :, 1:].transpose(0, 2, 1))[:, 0],
        np.log(np.stack([np.maximum(gyro_rms, 0.05), np.maximum(vertical_g, 0.02)], axis=1)),
        np.concatenate(
            [
                _rhythm(gaits),
                _sizes(gyro_moments, acc_moments, gyro_rms, vertical_g),
                _along_main(both),
            ],
            axis=1,
        ),
    )


def walking_probabilities(network: Network, strides: Strides) -> NDArray[np.float64]:
    """Return the probabilities ``(n,)`` that gaits are walking, on the level or up."""
    probabilities: NDArray[np.float64] = np.exp(network.log_probabilities(strides.features)[:, 1])
    return probabilities


def _axes(upright: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations ``(n, 3, 3)`` whose columns are upright and two directions across it.

    Where there is no gravity they are zeros, and whatever follows from them.
    """
    least = np.abs(upright).argmin(axis=1)
    first = np.cross(upright, np.eye(3)[least])
    first /= np.maximum(_length(first), _TINY)
    return np.stack([upright, first, np.cross(upright, first)], axis=2)


def _cross_correlations(
    vertical: NDArray[np.float64], signals: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how vertical acceleration goes with rotation and acceleration across, by lag.

    Each ``(n, 13, 2)``, in rad/s g and g²: mean products of ``vertical`` ``(n, 128)``, that much
    later, and the directions across of ``signals`` ``(n, 128, 6)``.
    """
    later = np.ascontiguousarray(
        sliding_window_view(vertical, _N_CENTER, axis=1)[:, :: int(LAGS[1] - LAGS[0])]
    )
    products = later @ signals[:, _CENTER] / _N_CENTER  # (n, 13, 6)
    return products[:, :, 1:3].copy(), products[:, :, 4:].copy()


def _scale(vertical_g: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what makes correlations of mean products, ``(n, 1, 1)``.

    ``vertical_g`` ``(n,)`` is the standard deviation of vertical acceleration, ``moments``
    ``(n, 3, 3)`` are those of what it is multiplied by.
    """
    across = np.sqrt(moments[:, 1, 1] + moments[:, 2, 2] + _TINY)
    scale: NDArray[np.float64] = np.maximum(vertical_g, 1e-3) * across
    return scale[:, np.newaxis, np.newaxis]


def _rhythm(gaits: Gaits) -> NDArray[np.float64]:
    """Return the features of the rhythm, ``(n, 5)``."""
    return np.stack(
        [
            gaits.strength_g,
            gaits.of_step,
            gaits.of_stride,
            gaits.of_two_steps,
            gaits.step / 20,
        ],
        axis=1,
    )


def _sizes(
    gyro_moments: NDArray[np.float64],
    acc_moments: NDArray[np.float64],
    gyro_rms: NDArray[np.float64],
    vertical_g: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the features of how strong and how directed the motion is, ``(n, 7)``."""
    least_gyro, most_gyro = _eigenvalues(gyro_moments[:, 1:, 1:])
    least_acc, most_acc = _eigenvalues(acc_moments[:, 1:, 1:])
    acc = least_acc + most_acc
    return np.stack(
        [
            np.log(gyro_rms + 0.01),
            np.log(np.maximum(vertical_g, 1e-3)),
            np.log(np.maximum(acc, _TINY)) / 2,
            np.log(most_gyro + _TINY) / 2,
            np.log(least_gyro + _TINY) / 2,
            least_acc / np.maximum(acc, _TINY),
            np.log(gyro_moments[:, 0, 0] + _TINY) / 2,
        ],
        axis=1,
    )


def _along_main(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cross-correlations ``(n, 26, 2)`` along their main direction, and their sizes.

    ``(n, 28)``; the main direction is signed such that acceleration is negative at the lag where
    walking shows forward.
    """
    squares = correlations.transpose(0, 2, 1) @ correlations  # (n, 2, 2)
    least, most = _eigenvalues(squares)
    angle = np.arctan2(2 * squares[:, 0, 1], squares[:, 0, 0] - squares[:, 1, 1]) / 2
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, :, np.newaxis]
    along = (correlations @ direction)[:, :, 0]
    along *= np.where(along[:, [_SIGN_LAG]] > 0, -1.0, 1.0)
    return np.concatenate([along, np.sqrt(np.stack([most, least], axis=1))], axis=1)


def _eigenvalues(
    matrices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lesser and the greater eigenvalues ``(n,)`` of moments ``(n, 2, 2)``."""
    middle = (matrices[:, 0, 0] + matrices[:, 1, 1]) / 2
    half = np.hypot((matrices[:, 0, 0] - matrices[:, 1, 1]) / 2, matrices[:, 0, 1])
    return np.maximum(middle - half, 0.0), middle + half


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return length


def _forward_weights() -> NDArray[np.float64]:
    weights = np.zeros((1, 2 * len(LAGS)))
    for place, by_lag in ((0, _ACC_WEIGHTS), (len(LAGS), _GYRO_WEIGHTS)):
        for lag, weight in by_lag.items():
            weights[0, place + int(np.flatnonzero(LAGS == lag)[0])] = weight
    return weights


_FORWARD_WEIGHTS: Final = _forward_weights()
