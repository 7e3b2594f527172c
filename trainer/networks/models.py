"""The three networks for phones worn as in training; those for anywhere else are in `any_models`.

Each takes raw windows ``(batch, 128, 9)`` in g and rad/s, named ``window``, and gives
probabilities ``(batch, n_activities)``: normalisation and reshaping are layers of the model, so
that whoever runs it needs to know neither. How a window is shown to them is decided in `views`, how
they are fitted in `trainer.training`; the forms that tutorials give them are in `plain`.
"""

from collections.abc import Callable
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from trainer.networks.options import View
from trainer.networks.views import shown

Builder = Callable[[NDArray[np.float32], int, View], keras.Model]
"""Makes an untrained model from training windows ``(n_windows, 128, 9)``, which set the
normalisation, the number of activities, and the view of a window."""

_DROPOUT: Final = 0.3
_CHANNEL_DROPOUT: Final = 0.1


def lstm(windows: NDArray[np.float32], n_activities: int, view: View = "two-scale") -> keras.Model:
    """Return an untrained LSTM in both directions over the window, four samples a step.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = shown(windows, view)
    x = layers.Reshape((32, -1))(x)  # (batch, 32, 60)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)  # (batch, 32, 128)
    return _pooled(window, x, n_activities)


def cnn_lstm(
    windows: NDArray[np.float32], n_activities: int, view: View = "two-scale"
) -> keras.Model:
    """Return an untrained LSTM over two convolutions, four samples a step.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = shown(windows, view)
    x = _convolved(x, filters=32, kernel_size=7)  # (batch, 64, 32)
    x = _convolved(x, filters=64, kernel_size=5)  # (batch, 32, 64)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    x = layers.LSTM(64, return_sequences=True)(x)  # (batch, 32, 64)
    return _pooled(window, x, n_activities)


def conv_lstm(
    windows: NDArray[np.float32], n_activities: int, view: View = "two-scale"
) -> keras.Model:
    """Return an untrained LSTM with convolutions for its products, over two others.

    It takes sixteen samples a step. ``windows`` ``(n_windows, 128, 9)`` are the training windows,
    which set the normalisation.
    """
    window, x = shown(windows, view)
    x = _convolved(x, filters=32, kernel_size=7)  # (batch, 64, 32)
    x = _convolved(x, filters=64, kernel_size=5)  # (batch, 32, 64)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    x = layers.Reshape((8, 1, 4, 64))(x)
    x = layers.ConvLSTM2D(
        48,
        (1, 3),
        padding="same",
        return_sequences=True,
        unroll=True,  # else the ONNX graph gets a Loop, which runs at a fifth of the speed
    )(x)  # (batch, 8, 1, 4, 48)
    x = layers.Reshape((32, 48))(x)
    return _pooled(window, x, n_activities)


BUILDERS: Final[dict[str, Builder]] = {
    "lstm": lstm,
    "cnn-lstm": cnn_lstm,
    "conv-lstm": conv_lstm,
}
"""The three models by name."""


def _convolved(x: keras.KerasTensor, *, filters: int, kernel_size: int) -> keras.KerasTensor:
    """Return ``(batch, n_samples / 2, filters)`` of ``(batch, n_samples, n_channels)``."""
    x = layers.Conv1D(filters, kernel_size, strides=2, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _pooled(window: keras.KerasTensor, x: keras.KerasTensor, n_activities: int) -> keras.Model:
    """Return the model that judges ``x`` ``(batch, n_steps, n_units)`` over all steps."""
    x = layers.Concatenate()(
        [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    )  # (batch, 2 * n_units)
    x = layers.Dropout(_DROPOUT)(x)
    return keras.Model(window, layers.Dense(n_activities, activation="softmax")(x))
