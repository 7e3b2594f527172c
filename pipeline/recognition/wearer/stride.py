"""What one look at a gait shows: gravity's direction, forward, the kind of gait.

Strategy: the axes are turned so that one is along gravity; the two across it are any. Then
everything is second moments, of which all but forward are the same whichever two those are. They
are summed in the phone's axes, with single precision, and turned afterwards: a look has 128
samples, but few moments.

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
from pipeline.recognition.wearer.gait import Gaits, deviations_of, smoothed
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
_ACC: Final = slice(6, 9)  # total acceleration, of the channels
_WIDE: Final = slice(1, 9)  # all but one: eight columns are multiplied in half the time of six
_MEAN: Final = np.full((1, WINDOW_LENGTH), 1 / WINDOW_LENGTH, np.float32)
_TINY: Final = 1e-6

_RHYTHM: Final = slice(0, 5)
_SIZES: Final = slice(5, 12)
_ALONG_MAIN: Final = slice(12, 38)
_MAIN_SIZES: Final = slice(38, 40)
_N_FEATURES: Final = 40
"""Columns of the features"""


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


def strides_of(looks: NDArray[np.float32], gaits: Gaits) -> Strides:
    """Return what looks ``(n, 128, 9)`` show, in g and rad/s.

    ``gaits`` are theirs, each of one look.
    """
    acc = looks[:, :, _ACC]
    gravity = (_MEAN @ acc)[:, 0].astype(np.float64)
    gravity_g = np.maximum(_length(gravity), _TINY)
    upright = gravity / gravity_g
    axes = _axes(upright)
    vertical = (acc @ upright[:, :, np.newaxis].astype(np.float32))[:, :, 0]
    vertical = smoothed(vertical - gravity_g.astype(np.float32))
    vertical_g = deviations_of(vertical).astype(np.float64)

    moments = _moments(looks, axes)
    by_lag = _cross_correlations(vertical, looks, axes) / _scale(vertical_g, moments)
    both = np.empty((len(looks), 2 * len(LAGS), 2))
    both[:, : len(LAGS)] = by_lag[:, :, 1]
    # Of rotation about an axis, the direction in which what is above it moves.
    both[:, len(LAGS) :, 0] = by_lag[:, :, 0, 1]
    both[:, len(LAGS) :, 1] = -by_lag[:, :, 0, 0]
    forward = (_FORWARD_WEIGHTS @ both) @ axes[:, :, 1:].transpose(0, 2, 1)  # (n, 1, 3)

    gyro_rms = np.sqrt(moments[:, 0, 0, 0] + moments[:, 0, 1, 1] + moments[:, 0, 2, 2])
    strength = np.stack([np.maximum(gyro_rms, 0.05), np.maximum(vertical_g, 0.02)], axis=1)
    features = np.empty((len(looks), _N_FEATURES))
    features[:, _RHYTHM] = _rhythm(gaits)
    features[:, _SIZES] = _sizes(moments, gyro_rms, vertical_g)
    features[:, _ALONG_MAIN], features[:, _MAIN_SIZES] = _along_main(both)
    return Strides(upright, forward[:, 0], np.log(strength), features)


def walking_probabilities(network: Network, strides: Strides) -> NDArray[np.float64]:
    """Return the probabilities ``(n,)`` that gaits are walking, on the level or up."""
    probabilities: NDArray[np.float64] = np.exp(network.log_probabilities(strides.features)[:, 1])
    return probabilities


def _axes(upright: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations ``(n, 3, 3)`` whose columns are upright and two directions across it.

    Without branches: Duff et al., Building an Orthonormal Basis, Revisited, 2017.
    """
    x, y, z = upright.T
    sign = np.copysign(1.0, z)
    a = -1 / (sign + z)
    b = x * y * a
    axes = np.empty((len(upright), 3, 3))
    axes[:, :, 0] = upright
    axes[:, 0, 1], axes[:, 1, 1], axes[:, 2, 1] = 1 + sign * x * x * a, sign * b, -sign * x
    axes[:, 0, 2], axes[:, 1, 2], axes[:, 2, 2] = b, sign + y * y * a, -y
    return axes


def _moments(looks: NDArray[np.float32], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the second moments of looks ``(n, 128, 9)``, of each sensor by itself.

    ``(n, 2, 3, 3)``: of angular velocity, then of acceleration, in ``axes`` ``(n, 3, 3)``.
    """
    wide = looks[:, :, _WIDE]
    sums = wide.transpose(0, 2, 1) @ wide  # (n, 8, 8)
    moments = np.empty((len(looks), 2, 3, 3))
    moments[:, 0], moments[:, 1] = sums[:, 2:5, 2:5], sums[:, 5:, 5:]
    moments /= WINDOW_LENGTH
    axes = axes[:, np.newaxis]
    result: NDArray[np.float64] = axes.transpose(0, 1, 3, 2) @ moments @ axes
    return result


def _cross_correlations(
    vertical: NDArray[np.float32], looks: NDArray[np.float32], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how vertical acceleration goes with rotation and acceleration across, by lag.

    ``(n, 13, 2, 2)``, in rad/s g and g²: mean products of ``vertical`` ``(n, 128)``, that much
    later, and each sensor's two directions across, of ``looks`` ``(n, 128, 9)``.
    """
    later = np.ascontiguousarray(
        sliding_window_view(vertical, _N_CENTER, axis=1)[:, :: int(LAGS[1] - LAGS[0])]
    )
    products = (later @ looks[:, _CENTER, _WIDE])[:, :, 2:]  # (n, 13, 6)
    of_sensors = products.reshape(-1, 2 * len(LAGS), 3).astype(np.float64)
    across = of_sensors @ (axes[:, :, 1:] / _N_CENTER)  # (n, 26, 2)
    return across.reshape(-1, len(LAGS), 2, 2)


def _scale(vertical_g: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what makes correlations of mean products, ``(n, 1, 2, 1)``, for each sensor.

    ``vertical_g`` ``(n,)`` is the standard deviation of vertical acceleration, ``moments``
    ``(n, 2, 3, 3)`` are those of what it is multiplied by.
    """
    across = np.sqrt(moments[:, :, 1, 1] + moments[:, :, 2, 2] + _TINY)
    across *= np.maximum(vertical_g, 1e-3)[:, np.newaxis]
    return across[:, np.newaxis, :, np.newaxis]


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
    moments: NDArray[np.float64], gyro_rms: NDArray[np.float64], vertical_g: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the features of how strong and how directed the motion is, ``(n, 7)``."""
    least, most = _eigenvalues(moments[:, :, 1:, 1:])  # (n, 2)
    acc = least[:, 1] + most[:, 1]
    return np.stack(
        [
            np.log(gyro_rms + 0.01),
            np.log(np.maximum(vertical_g, 1e-3)),
            np.log(np.maximum(acc, _TINY)) / 2,
            np.log(most[:, 0] + _TINY) / 2,
            np.log(least[:, 0] + _TINY) / 2,
            least[:, 1] / np.maximum(acc, _TINY),
            np.log(moments[:, 0, 0, 0] + _TINY) / 2,
        ],
        axis=1,
    )


def _along_main(
    correlations: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cross-correlations ``(n, 26, 2)`` along their main direction, and their sizes.

    ``(n, 26)`` and ``(n, 2)``; the main direction is signed such that acceleration is negative at
    the lag where walking shows forward.
    """
    squares = correlations.transpose(0, 2, 1) @ correlations  # (n, 2, 2)
    least, most = _eigenvalues(squares)
    angle = np.arctan2(2 * squares[:, 0, 1], squares[:, 0, 0] - squares[:, 1, 1]) / 2
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, :, np.newaxis]
    along = (correlations @ direction)[:, :, 0]
    along *= np.where(along[:, [_SIGN_LAG]] > 0, -1.0, 1.0)
    return along, np.sqrt(np.stack([most, least], axis=1))


def _eigenvalues(
    matrices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lesser and the greater eigenvalues ``(...)`` of moments ``(..., 2, 2)``."""
    first, second = matrices[..., 0, 0], matrices[..., 1, 1]
    middle = (first + second) / 2
    half = np.hypot((first - second) / 2, matrices[..., 0, 1])
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
