"""The views of a window for phones worn anywhere on the body and any way round.

No rotation of the phone changes them: gravity is one landmark, and the wearer's frame, where it is
known, gives the others. Only total acceleration and angular velocity are used, low-passed, so that
signals of all sensors, from 20 Hz on, have the same bandwidth. There are two views:

* channels, a value a sample: what is along gravity and across it, in units of a moving body's; the
  same of signals that are not low-passed in units of a resting body's, with all else cut off, in
  which good sensors show how it sways; and angular velocity and acceleration along the wearer's
  frame.
* features, some values a window: how vertical acceleration goes with horizontal
  acceleration and with rotation some time before and after, in their own main direction. So walking
  up differs from walking down even where the wearer's frame is not known.
"""

from typing import Final, TypeAlias

import keras
import numpy as np
from keras import ops
from scipy.signal import firwin

from pipeline.models.classifier import INPUT_NAME, WEARER_NAME
from pipeline.recognition.wearer.frame import COLUMNS, FORWARD, STRENGTH, UPRIGHT, UPRIGHT_KNOWN
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

Tensor: TypeAlias = keras.KerasTensor

CUTOFF_HZ: Final = 8.5
"""Below the highest frequency in samples at 20 Hz"""
NEEDED_RATE_HZ: Final = 19.0
"""Samples a second that hold these frequencies. Sensors of nominally 20 Hz are measured at a little
less, and count as slow only below 28/30 of this, 17.7 Hz: more than twice the cut-off."""
_TAPS: Final = 17
_KAISER_BETA: Final = 4.0
N_SAMPLES: Final = WINDOW_LENGTH - _TAPS + 1
"""Samples of a window that are left by the low-pass"""

_UNITS: Final = np.repeat([0.5, 0.2], 3).astype(np.float32)
"""About how a walking body moves, in rad/s and g: the units in which all is computed"""
_RESTING: Final = 0.025
_RESTING_PRODUCT: Final = 0.001
"""About how a resting body moves, in those units, and their products"""

_LAGS: Final = tuple(range(-24, 25, 2))
"""Samples by which vertical acceleration is later than what it is compared with"""
_LONGEST_LAG: Final = _LAGS[-1]
_ACC_SIGNS: Final = {-8: -1.0, -4: -1.0}
_GYRO_SIGNS: Final = {8: 0.5, 12: 0.5, -4: -0.5}
"""Weights of the correlations that tell the main direction from its opposite: as `stride` has them,
without those that weigh little"""
_SQUARINGS: Final = 4
"""So often a matrix is squared until only its main direction is left (power iteration)"""


def inputs() -> tuple[Tensor, Tensor]:
    """Return the inputs: the window ``(batch, 128, 9)`` and the wearer's frame ``(batch, 10)``."""
    return (
        keras.Input((WINDOW_LENGTH, len(CHANNELS)), name=INPUT_NAME),
        keras.Input((len(COLUMNS),), name=WEARER_NAME),
    )


def views(window: Tensor, wearer: Tensor) -> tuple[Tensor, Tensor]:
    """Return both views of a window: channels ``(batch, 112, 29)``, features ``(batch, 71)``."""
    signals = window[:, :, 3:]
    taps = firwin(_TAPS, CUTOFF_HZ, window=("kaiser", _KAISER_BETA), fs=SAMPLING_RATE_HZ)
    kernel = (taps[:, np.newaxis] / _UNITS).astype(np.float32)[:, :, np.newaxis]
    slow = ops.depthwise_conv(signals, kernel, padding="valid")  # (batch, 112, 6)
    whole = signals[:, _TAPS // 2 : -(_TAPS // 2)] * (1 / _UNITS)
    mean = ops.mean(slow, axis=1, keepdims=True)  # (batch, 1, 6)
    gravity = mean * _OF_ACC
    up = gravity[:, :, 3:] / ops.sqrt(_squared_acc(gravity) + _TINY)
    levelling, frame = _levelling(up), _axes(wearer)
    dynamic = slow - gravity

    in_frame = ops.matmul(dynamic, _both(frame))  # (batch, 112, 6)
    constant = ops.concatenate(
        [ops.matmul(up, frame), *(of[:, np.newaxis] for of in _of_wearer(wearer))], axis=2
    )
    moving, products = _levelled(slow, dynamic, levelling)
    resting, resting_products = _levelled(whole, whole - gravity, levelling)
    channels = [
        moving,
        products,
        ops.tanh(resting * (1 / _RESTING)),
        ops.tanh(resting_products * (1 / _RESTING_PRODUCT)),
        in_frame,
        ops.matmul(slow, _second(frame)) * _UNITS[-1],  # total acceleration, in g
        constant + in_frame[:, :, :1] * 0.0,
    ]
    features = [_stride(slow - mean, up), *_of_wearer(wearer)]
    return ops.concatenate(channels, axis=2), ops.concatenate(features, axis=1)


def _axes(wearer: Tensor) -> Tensor:
    """Return the axes forward, left and up as columns ``(batch, 3, 3)``, zeros while unknown."""
    upright, forward = (wearer[:, np.newaxis, of] for of in (UPRIGHT, FORWARD))  # (batch, 1, 3)
    return _columns(forward, ops.matmul(forward, -_cross_with(upright)), upright)


def _levelling(up: Tensor) -> Tensor:
    """Return the matrix ``(batch, 6, 8)`` from signals to what `_levelled` needs of them.

    That is angular velocity and acceleration along gravity; angular velocity across it; and angular
    velocity crossed with gravity's direction.
    """
    upright = _columns(up)
    gyro = ops.concatenate([ops.matmul(upright, -up) + _IDENTITY, _cross_with(up)], axis=2)
    return ops.concatenate([_both(upright), ops.concatenate([gyro, gyro * 0.0], axis=1)], axis=2)


def _levelled(signals: Tensor, dynamic: Tensor, levelling: Tensor) -> tuple[Tensor, Tensor]:
    """Return signals for which gravity is the only landmark, ``(batch, n, 5)``, ``(batch, n, 2)``.

    They are angular velocity and acceleration along gravity, both across it, and how far total
    acceleration is from 1 g; and both products of what is across. ``dynamic`` are the signals
    without gravity.
    """
    projected = ops.matmul(dynamic, levelling)
    along = projected[:, :, :2]
    squares = ops.matmul(dynamic * dynamic, _SUMS)  # (batch, n, 2)
    across = ops.sqrt(ops.relu(squares - along * along) + _TINY)
    total = ops.sqrt(_squared_acc(signals) + _TINY)
    products = ops.matmul(ops.matmul(dynamic, _ACC_TWICE) * projected[:, :, 2:], _SUMS)
    return ops.concatenate([along, across, total - float(1 / _UNITS[-1])], axis=2), products


def _of_wearer(wearer: Tensor) -> list[Tensor]:
    """Return whether upright is known, and how strong walking is, ``(batch, 3)`` together."""
    return [wearer[:, UPRIGHT_KNOWN : UPRIGHT_KNOWN + 1], wearer[:, STRENGTH]]


def _stride(signals: Tensor, up: Tensor) -> Tensor:
    """Return features of a stride ``(batch, 68)``, whatever they are of windows without one.

    They are correlations of vertical acceleration with acceleration and with rotation in their main
    direction, for each lag; and of rotation about the directions ahead, across and up, and of
    acceleration along them, the logarithms of the standard deviations, and the skewness of the
    signals and of their changes. ``signals`` ``(batch, n, 6)`` have the mean zero.
    """
    n = signals.shape[1]
    upright, crossed = _columns(up), _cross_with(up)
    along = ops.matmul(signals, _both(upright))  # (batch, n, 2)
    variances = ops.mean(along * along, axis=1, keepdims=True)  # (batch, 1, 2)
    of_all = ops.matmul(ops.mean(signals * signals, axis=1, keepdims=True), _SUMS)
    across_sd = ops.sqrt(ops.relu(of_all - variances) + _LEAST)

    # Vertical acceleration later by each lag, as a mean over the samples that there are of it
    shifts = np.zeros((2 * _LONGEST_LAG + 1, 1, len(_LAGS)), np.float32)
    for column, lag in enumerate(_LAGS):
        shifts[_LONGEST_LAG + lag, 0, column] = 1 / (n - abs(lag))
    vertical = along[:, :, 1:] / ops.sqrt(variances[:, :, 1:] + _LEAST)
    later = ops.transpose(ops.conv(vertical, shifts, padding="same"), (0, 2, 1))  # (batch, 25, n)
    with_both = ops.matmul(later, signals)  # (batch, 25, 6)
    with_acc = with_both[:, :, 3:]
    with_acc = with_acc - ops.matmul(ops.matmul(with_acc, upright), up)  # across gravity
    with_gyro = ops.matmul(with_both[:, :, :3], crossed)
    correlations = ops.concatenate(
        [with_gyro / across_sd[:, :, :1], with_acc / across_sd[:, :, 1:]], axis=1
    )  # (batch, 50, 3)

    # Their main direction, signed
    main = ops.matmul(ops.transpose(correlations, (0, 2, 1)), correlations)  # (batch, 3, 3)
    main = main / (main[:, :1, :1] + main[:, 1:2, 1:2] + main[:, 2:, 2:] + 1e-6)
    for _ in range(_SQUARINGS):
        main = ops.matmul(main, main)
    ahead = ops.matmul(ops.matmul(_SIGNS, correlations), main)  # (batch, 1, 3)
    ahead = ahead / ops.sqrt(ops.sum(ahead * ahead, axis=2, keepdims=True) + _TINY)
    across = ops.matmul(ahead, -crossed)

    moving = ops.matmul(signals, _both(_columns(ahead, across, up)))  # (batch, n, 6)
    sd = _sd(moving)
    of_lags = ops.matmul(correlations, _columns(ahead))[:, :, 0]  # (batch, 50)
    return ops.concatenate(
        [
            of_lags[:, : len(_LAGS)] * (across_sd[:, 0, :1] / sd[:, 1:2]),
            of_lags[:, len(_LAGS) :] * (across_sd[:, 0, 1:] / sd[:, 3:4]),
            (_log(sd) + 1.0) * 0.5,
            _skewness(moving, sd) * 0.5,
            _skewness(changes := moving[:, 1:] - moving[:, :-1], _sd(changes)) * 0.5,
        ],
        axis=1,
    )


_LEAST: Final = 1e-4
"""Added to variances, in the units of signals: much less than a resting body's"""
_TINY: Final = 1e-16
"""Added to squares whose root is a length, so that it is never zero"""

_IDENTITY: Final = np.eye(3, dtype=np.float32)
_SIGNS: Final = np.array(
    [[[signs.get(lag, 0.0) for signs in (_GYRO_SIGNS, _ACC_SIGNS) for lag in _LAGS]]], np.float32
)
_OF_ACC: Final = np.repeat([0, 1], 3).astype(np.float32)
_SUMS: Final = np.stack([1 - _OF_ACC, _OF_ACC], axis=1)[np.newaxis]
_ACC_TWICE: Final = np.tile(np.eye(6, dtype=np.float32)[:, 3:], 2)[np.newaxis]
"""From six columns, angular velocity and acceleration, to those of acceleration; to its sum; to the
sums of both; and to acceleration twice"""

_CROSS: Final = np.zeros((1, 3, 9), np.float32)
"""From a vector to the matrix, row by row, that crosses another with it"""
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):  # e_i x e_j = e_k
    _CROSS[0, _j, 3 * _i + _k], _CROSS[0, _i, 3 * _j + _k] = 1, -1


def _cross_with(vector: Tensor) -> Tensor:
    """Return ``(batch, 3, 3)`` of ``(batch, 1, 3)``: ``v @ it`` is ``v`` x the vector."""
    return ops.reshape(ops.matmul(vector, _CROSS), (-1, 3, 3))


def _columns(*vectors: Tensor) -> Tensor:
    """Return the matrix ``(batch, 3, k)`` with these k ``(batch, 1, 3)`` as its columns."""
    rows = ops.concatenate(vectors, axis=1) if len(vectors) > 1 else vectors[0]
    return ops.transpose(rows, (0, 2, 1))


def _both(matrix: Tensor) -> Tensor:
    """Return ``(batch, 6, 2 k)`` for angular velocity and acceleration, of ``(batch, 3, k)``."""
    zeros = 0.0 * matrix
    rows = ops.concatenate([matrix, zeros, zeros, matrix], axis=1)  # (batch, 12, k)
    return ops.concatenate([rows[:, :6], rows[:, 6:]], axis=2)


def _squared_acc(signals: Tensor) -> Tensor:
    """Return the squared length of acceleration ``(batch, n, 1)`` of ``(batch, n, 6)``."""
    # Both sensors' at once: a product with a single column is rounded otherwise by onnxruntime for
    # the last windows of a batch.
    return ops.matmul(signals * signals, _SUMS)[:, :, 1:]


def _second(matrix: Tensor) -> Tensor:
    """Return ``(batch, 6, k)`` for acceleration alone, of ``(batch, 3, k)``."""
    return ops.concatenate([0.0 * matrix, matrix], axis=1)


def _sd(signals: Tensor) -> Tensor:
    """Return the standard deviations ``(batch, k)`` of ``(batch, n, k)`` with the mean zero."""
    return ops.sqrt(ops.mean(signals * signals, axis=1) + _LEAST)


def _log(values: Tensor) -> Tensor:
    """Return the logarithms ``(batch, k)`` of ``(batch, k)``, with k at most 16."""
    # onnxruntime takes logarithms by 8 or 16, and rounds otherwise what is left behind them: so
    # each window has 16.
    k = values.shape[1]
    return ops.log(ops.pad(values, ((0, 0), (0, 16 - k)), constant_values=1.0))[:, :k]


def _skewness(signals: Tensor, sd: Tensor) -> Tensor:
    """Return ``(batch, k)`` of ``(batch, n, k)`` with the mean zero."""
    return ops.mean(signals * signals * signals, axis=1) / (sd * sd * sd)
