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
N_CHANNELS: Final = 29
N_FEATURES: Final = 71

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
    slow = _turned(ops.depthwise_conv(signals, kernel, padding="valid"))  # (batch, 6, 112)
    whole = _turned(signals[:, _TAPS // 2 : -(_TAPS // 2)]) * (1 / _UNITS)[:, np.newaxis]
    mean = ops.mean(slow, axis=2, keepdims=True)  # (batch, 6, 1)
    gravity = mean * _OF_ACC[:, np.newaxis]
    up = gravity[:, 3:] / ops.sqrt(_squared_acc(gravity) + _TINY)  # (batch, 3, 1)
    frame = _axes(wearer)

    both = ops.concatenate([slow, whole], axis=2)  # (batch, 6, 224)
    dynamic = both - gravity
    levelled = _levelled(both, dynamic, up)  # (batch, 7, 224)
    in_frame = _of_both(frame, dynamic[:, :, :N_SAMPLES])  # (batch, 6, 112)
    constant = ops.concatenate(
        [ops.matmul(frame, up), *(of[:, :, np.newaxis] for of in _of_wearer(wearer))], axis=1
    )
    channels = [
        levelled[:, :, :N_SAMPLES],
        ops.tanh(levelled[:, :, N_SAMPLES:] * _PER_RESTING),
        in_frame,
        ops.matmul(frame, slow[:, 3:]) * _UNITS[-1],  # total acceleration, in g
        constant + in_frame[:, :1] * 0.0,
    ]
    features = [_stride(slow - mean, up), *_of_wearer(wearer)]
    return _turned(ops.concatenate(channels, axis=1)), ops.concatenate(features, axis=1)


def _axes(wearer: Tensor) -> Tensor:
    """Return the axes forward, left and up as rows ``(batch, 3, 3)``, zeros while unknown."""
    upright, forward = (wearer[:, of, np.newaxis] for of in (UPRIGHT, FORWARD))  # (batch, 3, 1)
    left = -ops.matmul(_crossing(upright), forward)
    return _rows(forward, left, upright)


def _levelled(signals: Tensor, dynamic: Tensor, up: Tensor) -> Tensor:
    """Return signals for which gravity is the only landmark, ``(batch, 7, n)``.

    They are angular velocity and acceleration along gravity, both across it, and how far total
    acceleration is from 1 g; and both products of what is across. ``dynamic`` are the signals
    without gravity.
    """
    along = _along(up, dynamic)  # (batch, 2, n)
    across = ops.sqrt(ops.relu(_sums(dynamic * dynamic) - along * along) + _TINY)
    total = ops.sqrt(_squared_acc(signals) + _TINY)
    level = ops.matmul(up, -_turned(up)) + _IDENTITY  # to what is across gravity, (batch, 3, 3)
    turning = ops.matmul(ops.concatenate([level, _crossing(up)], axis=1), dynamic[:, :3])
    pulling = ops.concatenate([dynamic[:, 3:], dynamic[:, 3:]], axis=1)
    products = _sums(pulling * turning)
    return ops.concatenate([along, across, total - float(1 / _UNITS[-1]), products], axis=1)


def _of_wearer(wearer: Tensor) -> list[Tensor]:
    """Return whether upright is known, and how strong walking is, ``(batch, 3)`` together."""
    return [wearer[:, UPRIGHT_KNOWN : UPRIGHT_KNOWN + 1], wearer[:, STRENGTH]]


def _stride(signals: Tensor, up: Tensor) -> Tensor:
    """Return features of a stride ``(batch, 68)``, whatever they are of windows without one.

    They are correlations of vertical acceleration with acceleration and with rotation in their main
    direction, for each lag; and of rotation about the directions ahead, across and up, and of
    acceleration along them, the logarithms of the standard deviations, and the skewness of the
    signals and of their changes. ``signals`` ``(batch, 6, n)`` have the mean zero.
    """
    n = signals.shape[2]
    along = _along(up, signals)
    variances = ops.mean(along * along, axis=2, keepdims=True)  # (batch, 2, 1)
    squares = ops.reshape(signals * signals, (-1, 2, 3 * n))
    of_all = 3.0 * ops.mean(squares, axis=2, keepdims=True)
    across_sd = ops.sqrt(ops.relu(of_all - variances) + _LEAST)

    # Vertical acceleration later by each lag, as a mean over the samples that there are of it
    shifts = np.zeros((2 * _LONGEST_LAG + 1, 1, len(_LAGS)), np.float32)
    for column, lag in enumerate(_LAGS):
        shifts[_LONGEST_LAG + lag, 0, column] = 1 / (n - abs(lag))
    vertical = along[:, 1:] / ops.sqrt(variances[:, 1:] + _LEAST)
    later = ops.conv(_turned(vertical), shifts, padding="same")  # (batch, n, 25)
    with_both = ops.matmul(signals, later)  # (batch, 6, 25)
    with_acc = with_both[:, 3:]
    with_acc = with_acc - up * ops.matmul(_turned(up), with_acc)  # across gravity
    with_gyro = ops.matmul(_crossing(up), with_both[:, :3])
    correlations = ops.concatenate(
        [with_gyro / across_sd[:, :1], with_acc / across_sd[:, 1:]], axis=2
    )  # (batch, 3, 50)

    # Their main direction, signed
    main = ops.matmul(correlations, _turned(correlations))  # (batch, 3, 3)
    main = main / (main[:, :1, :1] + main[:, 1:2, 1:2] + main[:, 2:, 2:] + 1e-6)
    for _ in range(_SQUARINGS):
        main = ops.matmul(main, main)
    signed = _turned(ops.matmul(_SIGNS, _turned(correlations)))
    ahead = ops.matmul(main, signed)  # (batch, 3, 1)
    ahead = ahead / ops.sqrt(ops.sum(ahead * ahead, axis=1, keepdims=True) + _TINY)
    across = -ops.matmul(_crossing(up), ahead)

    moving = _of_both(_rows(ahead, across, up), signals)  # (batch, 6, n)
    changes = ops.concatenate([moving[:, :, 1:], moving[:, :, -1:]], axis=2) - moving
    sd = _sd(moving, n)
    of_lags = ops.matmul(_turned(ahead), correlations)[:, 0]  # (batch, 50)
    return ops.concatenate(
        [
            of_lags[:, : len(_LAGS)] * (across_sd[:, :1, 0] / sd[:, 1:2]),
            of_lags[:, len(_LAGS) :] * (across_sd[:, 1:, 0] / sd[:, 3:4]),
            (_log(sd) + 1.0) * 0.5,
            _skewness(moving, sd, n) * 0.5,
            _skewness(changes, _sd(changes, n - 1), n - 1) * 0.5,
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
_SUMS: Final = np.stack([1 - _OF_ACC, _OF_ACC])[np.newaxis]
"""From six signals, angular velocity and acceleration, to the sums of both"""
_PER_RESTING: Final = np.array(
    [[1 / _RESTING]] * 5 + [[1 / _RESTING_PRODUCT]] * 2, np.float32
)  # (7, 1)

_CROSS: Final = np.zeros((1, 9, 3), np.float32)
"""From a vector to the matrix, row by row, that crosses another with it"""
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):  # e_i x e_j = e_k
    _CROSS[0, 3 * _k + _i, _j], _CROSS[0, 3 * _k + _j, _i] = 1, -1


def _turned(matrix: Tensor) -> Tensor:
    """Return ``(batch, k, n)`` of ``(batch, n, k)``."""
    return ops.transpose(matrix, (0, 2, 1))


def _crossing(vector: Tensor) -> Tensor:
    """Return ``(batch, 3, 3)`` of ``(batch, 3, 1)``: ``it @ v`` is ``v`` x the vector."""
    return ops.reshape(ops.matmul(_CROSS, vector), (-1, 3, 3))


def _rows(*vectors: Tensor) -> Tensor:
    """Return the matrix ``(batch, 3, 3)`` with these three ``(batch, 3, 1)`` as its rows."""
    return _turned(ops.concatenate(vectors, axis=2))


def _of_both(matrix: Tensor, signals: Tensor) -> Tensor:
    """Return a matrix's ``(batch, k, 3)`` products with both sensors of ``(batch, 6, n)``.

    They are ``(batch, 2 k, n)``, those of angular velocity first.
    """
    n = signals.shape[2]
    sensors = ops.reshape(signals, (-1, 2, 3, n))
    return ops.reshape(ops.matmul(matrix[:, np.newaxis], sensors), (-1, 2 * matrix.shape[1], n))


def _along(up: Tensor, signals: Tensor) -> Tensor:
    """Return what of both sensors is along gravity, ``(batch, 2, n)`` of ``(batch, 6, n)``."""
    return _of_both(_turned(up), signals)


def _sums(signals: Tensor) -> Tensor:
    """Return the sums of each sensor's three signals, ``(batch, 2, n)`` of ``(batch, 6, n)``."""
    return ops.matmul(_SUMS, signals)


def _squared_acc(signals: Tensor) -> Tensor:
    """Return the squared length of acceleration ``(batch, 1, n)`` of ``(batch, 6, n)``."""
    return _sums(signals * signals)[:, 1:]


def _mean(signals: Tensor, n_samples: int) -> Tensor:
    """Return the means ``(batch, k)`` of ``(batch, k, 112)``, zeros after ``n_samples``."""
    # onnxruntime adds up rows of other than whole blocks of 16 numbers in another order for each
    # window of a batch, so that they would be rounded otherwise.
    mean = ops.mean(signals, axis=2)
    n = signals.shape[2]
    return mean if n == n_samples else mean * (n / n_samples)


def _sd(signals: Tensor, n_samples: int) -> Tensor:
    """Return the standard deviations ``(batch, k)`` of ``(batch, k, 112)`` with the mean zero."""
    return ops.sqrt(_mean(signals * signals, n_samples) + _LEAST)


def _log(values: Tensor) -> Tensor:
    """Return the logarithms ``(batch, k)`` of ``(batch, k)``, with k at most 16."""
    # onnxruntime takes logarithms by 8 or 16, and rounds otherwise what is left behind them: so
    # each window has 16.
    k = values.shape[1]
    return ops.log(ops.pad(values, ((0, 0), (0, 16 - k)), constant_values=1.0))[:, :k]


def _skewness(signals: Tensor, sd: Tensor, n_samples: int) -> Tensor:
    """Return ``(batch, k)`` of ``(batch, k, 112)`` with the mean zero."""
    return _mean(signals * signals * signals, n_samples) / (sd * sd * sd)
