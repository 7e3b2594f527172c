"""The views of a window that are given to a network.

A resting body moves a hundred times less than a walking one: in standard deviations of all windows
it does not seem to move at all. Yet it sways differently when it stands than when it sits. So the
signals without gravity are given a second time, in the fine-scale view tanh(x / resting sd): there
a resting body's movements fill the range, and all larger ones are cut off at its ends.

The levelled view is the same however the phone is rotated: gravity is its only landmark.
"""

from typing import Final

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from pipeline.models.classifier import INPUT_NAME
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH
from trainer.networks.options import View

_RESTING_SD: Final = np.repeat([0.005, 0.02], 3)
"""About how a resting body moves (standard deviations, HAPT), in g and rad/s"""

_LEVELLED_RESTING_SD: Final = np.array([0.005, 0.005, 0.005, 0.02, 0.02, 1e-4, 1e-4])
_LEVELLED_MOVING_SD: Final = np.array([0.2, 0.2, 0.2, 0.5, 0.5, 0.1, 0.1])
"""About how a resting and a walking body moves, in the signals of `_levelled`"""

_SHORTEST: Final = 1e-4
"""Below it, in g or rad/s, a vector has no direction."""


def shown(windows: NDArray[np.float32], view: View) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input ``(batch, 128, 9)``, and the view of it ``(batch, 128, n)``.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, coarse = normalized(windows)  # (batch, 128, 9)
    if view == "coarse":
        return window, coarse
    if view == "levelled":
        signals = _levelled(window)  # (batch, 128, 7)
        scaled = layers.Rescaling((1 / _LEVELLED_MOVING_SD).tolist())(signals)
        return window, layers.Concatenate()([scaled, _fine_scale(signals, _LEVELLED_RESTING_SD)])
    fine = _fine_scale(window[:, :, : len(_RESTING_SD)], _RESTING_SD)
    return window, layers.Concatenate()([coarse, fine])  # (batch, 128, 15)


def normalized(windows: NDArray[np.float32]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input ``(batch, 128, 9)``, and it less its channels' means, in their deviations.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which have them.
    """
    window = keras.Input((WINDOW_LENGTH, len(CHANNELS)), name=INPUT_NAME)
    # A float32 sum over a million samples would be inexact.
    mean = windows.mean(axis=(0, 1), dtype=np.float64)  # (9,)
    sd = windows.std(axis=(0, 1), dtype=np.float64)  # (9,)
    sd[sd == 0] = 1.0  # a channel that never changes is 0 then, not 0 / 0
    # Not the layer Normalization: tf2onnx takes its eager tensors for inputs of the graph.
    normalization = layers.Rescaling((1 / sd).tolist(), (-mean / sd).tolist(), name="normalization")
    return window, normalization(window)


def _fine_scale(signals: keras.KerasTensor, resting_sd: NDArray[np.float64]) -> keras.KerasTensor:
    return layers.Activation("tanh")(layers.Rescaling((1 / resting_sd).tolist())(signals))


def _levelled(window: keras.KerasTensor) -> keras.KerasTensor:
    """Return signals that are the same however the phone is rotated, ``(batch, 128, 7)``.

    They are body acceleration and angular velocity along gravity and across it, how far total
    acceleration is from 1 g, and both products of what is across.
    """
    acc, gyro, total = (window[:, :, first : first + 3] for first in (0, 3, 6))
    mean = ops.mean(total, axis=1, keepdims=True)
    up = mean / _length(mean)
    along_acc, along_gyro = (ops.sum(signal * up, axis=2, keepdims=True) for signal in (acc, gyro))
    across_acc, across_gyro = acc - along_acc * up, gyro - along_gyro * up
    a, w = ([of[:, :, i] for i in range(3)] for of in (across_acc, across_gyro))
    cross = ops.stack(
        [a[1] * w[2] - a[2] * w[1], a[2] * w[0] - a[0] * w[2], a[0] * w[1] - a[1] * w[0]], axis=2
    )
    return layers.Concatenate()(
        [
            along_acc,
            _length(across_acc),
            _length(total) - 1.0,
            along_gyro,
            _length(across_gyro),
            ops.sum(across_acc * across_gyro, axis=2, keepdims=True),
            ops.sum(cross * up, axis=2, keepdims=True),
        ]
    )


def _length(vectors: keras.KerasTensor) -> keras.KerasTensor:
    """Return ``(batch, n, 1)`` of ``(batch, n, 3)``."""
    return ops.sqrt(ops.sum(ops.square(vectors), axis=2, keepdims=True) + _SHORTEST**2)
