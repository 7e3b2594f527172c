"""The views of a window for phones worn anywhere on the body and any way round.

No rotation of the phone changes them: gravity is one landmark, and the wearer's frame, where it is
known, gives the others. Only total acceleration and angular velocity are used, low-passed, so that
signals of all sensors, from 20 Hz on, have the same bandwidth. There are two views:

* channels, a value a sample: what is along gravity and across it, at two scales (`views`), once
  more of the signals that are not low-passed, in which good sensors show how a body sways; and
  total acceleration, body acceleration and angular velocity along the wearer's frame.
* features, some values a window: how vertical acceleration goes with horizontal
  acceleration and with rotation some time before and after, in their own main direction. So walking
  up differs from walking down even where the wearer's frame is not known.
"""

from typing import Final, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.signal import firwin

from pipeline.models.classifier import INPUT_NAME, WEARER_NAME
from pipeline.recognition.wearer.frame import COLUMNS, FORWARD, STRENGTH, UPRIGHT, UPRIGHT_KNOWN
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

Tensor: TypeAlias = keras.KerasTensor

CUTOFF_HZ: Final = 8.5
"""Below the highest frequency in samples at 20 Hz"""
_TAPS: Final = 17
_KAISER_BETA: Final = 4.0
N_SAMPLES: Final = WINDOW_LENGTH - _TAPS + 1
"""Samples of a window that are left by the low-pass"""

_RESTING_SD: Final = (0.005, 0.005, 0.005, 0.02, 0.02, 1e-4, 1e-4)
_MOVING_SD: Final = (0.2, 0.2, 0.2, 0.5, 0.5, 0.1, 0.1)
"""About how a resting and a walking body moves, in the signals of `_levelled`"""
_ACC_SD: Final = 0.2
_GYRO_SD: Final = 0.7
"""About how a walking body moves along an axis, in g and rad/s"""

_LAGS: Final = tuple(range(-24, 25, 2))
"""Samples by which vertical acceleration is later than what it is compared with"""
_LONGEST_LAG: Final = _LAGS[-1]
_ACC_SIGNS: Final = {-8: -1.0, -4: -1.0}
_GYRO_SIGNS: Final = {8: 0.5, 12: 0.5, -4: -0.5}
"""Weights of the correlations that tell the main direction from its opposite: as `stride` has them,
without those that weigh little"""
_SQUARINGS: Final = 4
"""So often a matrix is squared until only its main direction is left (power iteration)"""

_TINY: Final = 1e-8  # of squares


def inputs() -> tuple[Tensor, Tensor]:
    """Return the inputs: the window ``(batch, 128, 9)`` and the wearer's frame ``(batch, 10)``."""
    return (
        keras.Input((WINDOW_LENGTH, len(CHANNELS)), name=INPUT_NAME),
        keras.Input((len(COLUMNS),), name=WEARER_NAME),
    )


def views(window: Tensor, wearer: Tensor) -> tuple[Tensor, Tensor]:
    """Return both views of a window: channels ``(batch, 112, 43)``, features ``(batch, 65)``."""
    taps = firwin(_TAPS, CUTOFF_HZ, window=("kaiser", _KAISER_BETA), fs=SAMPLING_RATE_HZ)
    kernel = np.tile(taps.astype(np.float32)[:, np.newaxis, np.newaxis], (1, 6, 1))
    signals = ops.depthwise_conv(window[:, :, 3:], kernel, padding="valid")  # (batch, 112, 6)
    mean = ops.mean(signals, axis=1, keepdims=True)  # (batch, 1, 6)
    gyro, total, gravity = signals[:, :, :3], signals[:, :, 3:], mean[:, :, 3:]
    acc = total - gravity
    up = gravity / ops.sqrt(_squared(gravity) + _TINY)  # (batch, 1, 3)
    whole = window[:, _TAPS // 2 : -(_TAPS // 2), 3:]
    return (
        ops.concatenate(
            [
                *_at_two_scales(_levelled(acc, gyro, total, up)),
                *_at_two_scales(
                    _levelled(whole[:, :, 3:] - gravity, whole[:, :, :3], whole[:, :, 3:], up)
                ),
                *_in_frame(wearer, acc, gyro, gravity, up),
            ],
            axis=2,
        ),
        ops.concatenate([_stride(acc, gyro - mean[:, :, :3], up), *_of_wearer(wearer)], axis=1),
    )


def _at_two_scales(levelled: Tensor) -> list[Tensor]:
    """Return signals in units of a walking body's, and of a resting one's with all else cut off."""
    return [levelled * _inverse(_MOVING_SD), ops.tanh(levelled * _inverse(_RESTING_SD))]


def _levelled(acc: Tensor, gyro: Tensor, total: Tensor, up: Tensor) -> Tensor:
    """Return signals for which gravity is the only landmark, ``(batch, n, 7)``.

    They are acceleration and angular velocity along gravity and across it, how far total
    acceleration is from 1 g, and both products of what is across.
    """
    upright = ops.transpose(up, (0, 2, 1))  # (batch, 3, 1)
    along_acc = ops.matmul(acc, upright)
    along = ops.matmul(gyro, ops.concatenate([upright, _cross_with(up)], axis=2))  # (batch, n, 4)
    along_gyro, crossed = along[:, :, :1], along[:, :, 1:]
    return ops.concatenate(
        [
            along_acc,
            _root(_squared(acc) - along_acc * along_acc),
            _root(_squared(total)) - 1.0,
            along_gyro,
            _root(_squared(gyro) - along_gyro * along_gyro),
            _dot(acc, gyro) - along_acc * along_gyro,
            _dot(acc, crossed),
        ],
        axis=2,
    )


def _in_frame(
    wearer: Tensor, acc: Tensor, gyro: Tensor, gravity: Tensor, up: Tensor
) -> list[Tensor]:
    """Return signals in the wearer's frame, zeros while it is unknown, ``(batch, n, 15)`` together.

    They are total acceleration, acceleration and angular velocity forward, left and up; and for all
    samples alike gravity's direction there, whether upright is known, and how strong walking is.
    """
    upright, forward = (wearer[:, np.newaxis, of] for of in (UPRIGHT, FORWARD))  # (batch, 1, 3)
    left = ops.matmul(forward, -_cross_with(upright))
    frame = ops.transpose(ops.concatenate([forward, left, upright], axis=1), (0, 2, 1))
    acc_there, gyro_there = ops.matmul(acc, frame), ops.matmul(gyro, frame)
    everywhere = ops.ones_like(acc_there[:, :, :1])
    constant = ops.concatenate(
        [ops.matmul(up, frame), *(of[:, np.newaxis] for of in _of_wearer(wearer))], axis=2
    )
    return [
        acc_there + ops.matmul(gravity, frame),
        acc_there / _ACC_SD,
        gyro_there / _GYRO_SD,
        constant * everywhere,
    ]


def _of_wearer(wearer: Tensor) -> list[Tensor]:
    """Return whether upright is known, and how strong walking is, ``(batch, 3)`` together."""
    return [wearer[:, UPRIGHT_KNOWN : UPRIGHT_KNOWN + 1], wearer[:, STRENGTH]]


def _stride(acc: Tensor, gyro: Tensor, up: Tensor) -> Tensor:
    """Return features of a stride ``(batch, 62)``, whatever they are of windows without one.

    ``acc`` and ``gyro`` ``(batch, n, 3)`` have the mean zero. The features are correlations of
    vertical acceleration with acceleration and with rotation in their main direction, for each lag;
    the logarithms of the standard deviations along and about all three directions; and the skewness
    of three signals and of their changes.
    """
    n = acc.shape[1]
    upright = ops.transpose(up, (0, 2, 1))
    vertical, yaw = ops.matmul(acc, upright), ops.matmul(gyro, upright)  # (batch, n, 1)
    horizontal, tilting = acc - vertical * up, gyro - yaw * up  # (batch, n, 3)
    vertical_sd = ops.sqrt(_variance(vertical) + 1e-6)
    acc_sd = ops.sqrt(_variance(horizontal) + 1e-6)
    gyro_sd = ops.sqrt(_variance(tilting) + 1e-4)

    # Vertical acceleration later by each lag, as a mean over the samples that there are of it
    padded = ops.pad(vertical / vertical_sd, ((0, 0), (_LONGEST_LAG, _LONGEST_LAG), (0, 0)))
    shifts = np.zeros((2 * _LONGEST_LAG + 1, 1, len(_LAGS)), np.float32)
    for column, lag in enumerate(_LAGS):
        shifts[_LONGEST_LAG + lag, 0, column] = 1 / (n - abs(lag))
    later = ops.transpose(ops.conv(padded, shifts, padding="valid"), (0, 2, 1))  # (batch, 25, n)
    with_acc = ops.matmul(later, horizontal) / acc_sd  # (batch, 25, 3)
    with_gyro = ops.matmul(ops.matmul(later, tilting), _cross_with(up)) / gyro_sd
    correlations = ops.concatenate([with_acc, with_gyro], axis=1)  # (batch, 50, 3)

    # Their main direction, signed
    ahead = ops.matmul(_SIGNS, correlations)  # (batch, 1, 3)
    main = ops.matmul(ops.transpose(correlations, (0, 2, 1)), correlations)  # (batch, 3, 3)
    for _ in range(_SQUARINGS):
        main = main / (ops.sum(main * _IDENTITY, axis=(1, 2), keepdims=True) + 1e-6)
        main = ops.matmul(main, main)
    ahead = ops.matmul(ahead, main)
    ahead = ahead / ops.sqrt(_squared(ahead) + _TINY)
    across = ops.matmul(ahead, -_cross_with(up))
    directions = ops.transpose(ops.concatenate([ahead, across], axis=1), (0, 2, 1))  # (batch, 3, 2)
    acc_there, gyro_there = ops.matmul(horizontal, directions), ops.matmul(tilting, directions)

    moving = ops.concatenate(
        [vertical, acc_there, gyro_there[:, :, 1:], gyro_there[:, :, :1], yaw], axis=2
    )  # vertical, ahead, across; about across, ahead, up
    sd = ops.sqrt(ops.mean(moving * moving, axis=1) + 1e-6)  # (batch, 6)
    of_lags = ops.matmul(correlations, ops.transpose(ahead, (0, 2, 1)))[:, :, 0]  # (batch, 50)
    swing = ops.concatenate([moving[:, :, :2], moving[:, :, 3:4]], axis=2)
    return ops.concatenate(
        [
            of_lags[:, : len(_LAGS)] * (acc_sd[:, :, 0] / sd[:, 1:2]),
            of_lags[:, len(_LAGS) :] * (gyro_sd[:, :, 0] / sd[:, 3:4]),
            (ops.log(sd) + 2.0) * 0.5,
            _skewness(swing) * 0.5,
            _skewness(swing[:, 1:] - swing[:, :-1]) * 0.5,
        ],
        axis=1,
    )


_IDENTITY: Final = np.eye(3, dtype=np.float32)
_SIGNS: Final = np.array(
    [[signs.get(lag, 0.0) for signs in (_ACC_SIGNS, _GYRO_SIGNS) for lag in _LAGS]], np.float32
)

_CROSS: Final = np.zeros((3, 9), np.float32)
"""A vector times it is the matrix, row by row, that another row vector times it is multiplied by to
be the other's cross product with the vector"""
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):  # v_i x u_j = e_k
    _CROSS[_j, 3 * _i + _k], _CROSS[_i, 3 * _j + _k] = 1, -1


def _cross_with(vector: Tensor) -> Tensor:
    """Return ``(batch, 3, 3)`` of ``(batch, 1, 3)``: ``v @ it`` is ``v`` x the vector."""
    return ops.reshape(ops.matmul(vector, _CROSS), (-1, 3, 3))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return ``(batch, n, 1)`` of two ``(batch, n, 3)``."""
    return ops.matmul(one * other, np.ones((3, 1), np.float32))


def _squared(vectors: Tensor) -> Tensor:
    return _dot(vectors, vectors)


def _root(squares: Tensor) -> Tensor:
    """Return the roots of squares that rounding may have made a little less than zero."""
    return ops.sqrt(ops.maximum(squares, 0.0) + _TINY)


def _variance(signals: Tensor) -> Tensor:
    """Return ``(batch, 1, 1)``, the sum over the axes of ``(batch, n, 1 or 3)`` with mean zero."""
    return ops.sum(ops.mean(signals * signals, axis=1, keepdims=True), axis=2, keepdims=True)


def _skewness(signals: Tensor) -> Tensor:
    """Return ``(batch, k)`` of ``(batch, n, k)`` with the mean zero."""
    sd = ops.sqrt(ops.mean(signals * signals, axis=1) + 1e-6)
    return ops.mean(signals * signals * signals, axis=1) / (sd * sd * sd)


def _inverse(sd: tuple[float, ...]) -> NDArray[np.float32]:
    return (1 / np.array(sd)).astype(np.float32)
