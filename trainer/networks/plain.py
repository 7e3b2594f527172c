"""The three networks in the plain form that tutorials give them.

They keep the contract of `models`: raw windows in, probabilities out.
"""

from collections.abc import Callable
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline.vocabulary import CHANNELS
from trainer.errors import SettingError
from trainer.networks.options import Sizes
from trainer.networks.views import normalized

PlainBuilder = Callable[[NDArray[np.float32], int, Sizes], keras.Model]
"""Makes an untrained model from training windows ``(n_windows, 128, 9)``, which set the
normalisation, the number of activities, and the sizes."""


def plain_lstm(windows: NDArray[np.float32], n_activities: int, sizes: Sizes) -> keras.Model:
    """Return an untrained LSTM over the 128 samples, of which the last output counts.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = normalized(windows)  # (batch, 128, 9)
    x = layers.LSTM(sizes.units)(x)  # (batch, units)
    x = layers.Dropout(sizes.dropout)(x)
    return _classified(window, x, n_activities, sizes)


def plain_cnn_lstm(windows: NDArray[np.float32], n_activities: int, sizes: Sizes) -> keras.Model:
    """Return an untrained LSTM over the parts of the window, each after two convolutions.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.

    Raises:
        SettingError: the kernel is too long for the parts.
    """
    # Two convolutions, and a pooling by two, must leave at least one sample.
    _check_kernel(sizes, longest=sizes.n_length // 2)
    window, x = normalized(windows)
    x = layers.Reshape((sizes.n_steps, sizes.n_length, len(CHANNELS)))(x)
    for _ in range(2):
        convolution = layers.Conv1D(sizes.filters, sizes.kernel_size, activation="relu")
        x = layers.TimeDistributed(convolution)(x)
    x = layers.TimeDistributed(layers.Dropout(sizes.dropout))(x)
    x = layers.TimeDistributed(layers.MaxPooling1D(2))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)  # (batch, n_steps, pooled * filters)
    x = layers.LSTM(sizes.units)(x)  # (batch, units)
    x = layers.Dropout(sizes.dropout)(x)
    return _classified(window, x, n_activities, sizes)


def plain_conv_lstm(windows: NDArray[np.float32], n_activities: int, sizes: Sizes) -> keras.Model:
    """Return an untrained LSTM over the parts of the window, with convolutions for its products.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.

    Raises:
        SettingError: the kernel is longer than the parts.
    """
    _check_kernel(sizes, longest=sizes.n_length)
    window, x = normalized(windows)
    x = layers.Reshape((sizes.n_steps, 1, sizes.n_length, len(CHANNELS)))(x)
    x = layers.ConvLSTM2D(
        sizes.filters,
        (1, sizes.kernel_size),
        activation="relu",
        unroll=True,  # else the ONNX graph gets a Loop, which runs at a fifth of the speed
    )(x)  # (batch, 1, convolved, filters)
    x = layers.Dropout(sizes.dropout)(x)
    x = layers.Flatten()(x)
    return _classified(window, x, n_activities, sizes)


PLAIN_BUILDERS: Final[dict[str, PlainBuilder]] = {
    "lstm": plain_lstm,
    "cnn-lstm": plain_cnn_lstm,
    "conv-lstm": plain_conv_lstm,
}
"""The plain forms by name."""


def _classified(
    window: keras.KerasTensor, x: keras.KerasTensor, n_activities: int, sizes: Sizes
) -> keras.Model:
    x = layers.Dense(sizes.dense_units, activation="relu")(x)
    return keras.Model(window, layers.Dense(n_activities, activation="softmax")(x))


def _check_kernel(sizes: Sizes, *, longest: int) -> None:
    if sizes.kernel_size > longest:
        raise SettingError(
            f"kernel_size must be at most {longest} for parts of n_length {sizes.n_length} "
            f"samples, but is {sizes.kernel_size}"
        )
