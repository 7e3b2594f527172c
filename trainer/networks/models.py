"""The three networks, and the plain forms that tutorials give them.

Each takes raw windows ``(batch, 128, 9)`` in g and rad/s, named ``window``, and gives
probabilities ``(batch, n_activities)``: normalisation and reshaping are layers of the model, so
that whoever runs it needs to know neither. How they are fitted is decided in `training`.
"""

from collections.abc import Callable
from typing import Final

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from pipeline.models.classifier import INPUT_NAME
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH
from trainer.errors import SettingError
from trainer.networks.options import Sizes, View

Builder = Callable[[NDArray[np.float32], int, View], keras.Model]
"""Makes an untrained model from training windows, the number of activities, and how it sees a
window."""

PlainBuilder = Callable[[NDArray[np.float32], int, Sizes], keras.Model]
"""Makes one of a plain form, of any sizes."""

_DROPOUT: Final = 0.3
_CHANNEL_DROPOUT: Final = 0.1

_RESTING: Final = np.repeat([0.005, 0.02], 3)
"""About how a resting body moves (standard deviations, HAPT), in g and rad/s"""

_LEVEL_RESTING: Final = np.array([0.005, 0.005, 0.005, 0.02, 0.02, 1e-4, 1e-4])
_LEVEL_MOVING: Final = np.array([0.2, 0.2, 0.2, 0.5, 0.5, 0.1, 0.1])
"""About how a resting and a walking body moves, by what `_level` returns"""

_SHORTEST: Final = 1e-4
"""Below it, in g or rad/s, a vector has no direction."""


def lstm(windows: NDArray[np.float32], n_activities: int, view: View = "two") -> keras.Model:
    """Return an untrained LSTM in both directions over the window, four samples a step.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = _seen(windows, view)
    x = layers.Reshape((32, -1))(x)  # (batch, 32, 60)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)  # (batch, 32, 128)
    return _pooled(window, x, n_activities)


def cnn_lstm(windows: NDArray[np.float32], n_activities: int, view: View = "two") -> keras.Model:
    """Return an untrained LSTM over what two convolutions see, four samples a step.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = _seen(windows, view)
    x = _convolved(x, filters=32, kernel_size=7)  # (batch, 64, 32)
    x = _convolved(x, filters=64, kernel_size=5)  # (batch, 32, 64)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    x = layers.LSTM(64, return_sequences=True)(x)  # (batch, 32, 64)
    return _pooled(window, x, n_activities)


def conv_lstm(windows: NDArray[np.float32], n_activities: int, view: View = "two") -> keras.Model:
    """Return an untrained LSTM with convolutions for its products, over what two others see.

    It takes sixteen samples a step. ``windows`` ``(n_windows, 128, 9)`` are the training windows,
    which set the normalisation.
    """
    window, x = _seen(windows, view)
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


def plain_lstm(windows: NDArray[np.float32], n_activities: int, sizes: Sizes) -> keras.Model:
    """Return an untrained LSTM over the 128 samples, of which the last output counts.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, x = _normalized_window(windows)  # (batch, 128, 9)
    x = layers.LSTM(sizes.units)(x)  # (batch, units)
    x = layers.Dropout(sizes.dropout)(x)
    return _classified(window, x, n_activities, sizes)


def plain_cnn_lstm(windows: NDArray[np.float32], n_activities: int, sizes: Sizes) -> keras.Model:
    """Return an untrained LSTM over the parts of the window, each seen through convolutions.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.

    Raises:
        SettingError: the kernel is too long for the parts.
    """
    # Two convolutions, and a pooling by two, must leave at least one sample.
    _check_kernel(sizes, longest=sizes.n_length // 2)
    window, x = _normalized_window(windows)
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
    window, x = _normalized_window(windows)
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
"""Their plain forms."""


def widened(model: keras.Model, n_activities: int, *, seed: int) -> keras.Model:
    """Return a trained model with outputs for more activities; what it had learnt stays.

    The weights of the new outputs are drawn by the seed, as those of the old once were.
    """
    last = model.layers[-1]
    kernel, bias = last.get_weights()  # (units, n_old), (n_old,)
    if n_activities == len(bias):
        return model
    keras.utils.set_random_seed(seed)
    # The old one's name: in a process that has not built the model a new one could be another's.
    output = layers.Dense(n_activities, activation="softmax", name=last.name)
    wide = keras.Model(model.input, output(last.input))
    new_kernel, new_bias = output.get_weights()
    new_kernel[:, : len(bias)], new_bias[: len(bias)] = kernel, bias
    output.set_weights([new_kernel, new_bias])
    return wide


def _normalized_window(windows: NDArray[np.float32]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, and it less the mean of its channel, in its standard deviations."""
    window = keras.Input((WINDOW_LENGTH, len(CHANNELS)), name=INPUT_NAME)
    # A float32 sum over a million samples would be inexact.
    mean = windows.mean(axis=(0, 1), dtype=np.float64)  # (9,)
    sd = windows.std(axis=(0, 1), dtype=np.float64)  # (9,)
    sd[sd == 0] = 1.0  # a channel that never changes is 0 then, not 0 / 0
    # Not the layer Normalization: tf2onnx takes its eager tensors for inputs of the graph.
    normalization = layers.Rescaling((1 / sd).tolist(), (-mean / sd).tolist(), name="normalization")
    return window, normalization(window)


def _seen(windows: NDArray[np.float32], view: View) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, and what is seen of it, ``(batch, 128, n)``.

    A resting body moves a hundred times less than a walking one: in standard deviations of all
    windows it does not seem to move at all. Yet it sways otherwise when it stands than when it
    sits. So what is there without gravity is seen a second time, through a glass: in units of a
    body's rest, in which what is much more than rest is just that.
    """
    window, coarse = _normalized_window(windows)  # (batch, 128, 9)
    if view == "one":
        return window, coarse
    if view == "level":
        level = _level(window)  # (batch, 128, 7)
        scaled = layers.Rescaling((1 / _LEVEL_MOVING).tolist())(level)
        return window, layers.Concatenate()([scaled, _through_a_glass(level, _LEVEL_RESTING)])
    fine = _through_a_glass(window[:, :, : len(_RESTING)], _RESTING)
    return window, layers.Concatenate()([coarse, fine])  # (batch, 128, 15)


def _through_a_glass(signals: keras.KerasTensor, resting: NDArray[np.float64]) -> keras.KerasTensor:
    return layers.Activation("tanh")(layers.Rescaling((1 / resting).tolist())(signals))


def _level(window: keras.KerasTensor) -> keras.KerasTensor:
    """Return what of a window is the same however the phone is turned, ``(batch, 128, 7)``.

    With gravity as its only landmark: along it and across it the body's acceleration and its
    angular velocity, how far all acceleration is from 1 g, and both products of what is across.
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
