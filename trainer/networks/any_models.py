"""The three networks for phones worn anywhere on the body and any way round.

Each takes windows ``(batch, 128, 9)`` in g and rad/s, named ``window``, and the frames of their
wearers ``(batch, 10)``, named ``wearer``, zeros where they are unknown; it gives probabilities
``(batch, n_activities)``. What it sees of them is decided in `wearer_views`. The families differ in
how they go through the channels; beside that each has the features of strides.
"""

from collections.abc import Callable
from typing import Final

import keras
from keras import layers

from trainer.networks.wearer_views import N_SAMPLES, Tensor, inputs, views

_CHANNEL_DROPOUT: Final = 0.1
_DROPOUT: Final = 0.3
_ALONE: Final = 0.25
"""Share of the windows in training that are classified by the features of strides alone, so that
those are learnt from too"""
_FEATURE_NOISE: Final = 0.15
_FEATURE_UNITS: Final = 48


def lstm(channels: Tensor) -> Tensor:
    """Return an LSTM in both directions over the window, four samples a step."""
    x = layers.Reshape((N_SAMPLES // 4, -1))(channels)
    x = layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
    return layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)


def cnn_lstm(channels: Tensor) -> Tensor:
    """Return an LSTM over two convolutions, four samples a step."""
    return layers.LSTM(64, return_sequences=True)(_convolved(channels))


def conv_lstm(channels: Tensor) -> Tensor:
    """Return an LSTM with convolutions for its products over two others, sixteen samples a step."""
    x = layers.Reshape((N_SAMPLES // 16, 1, 4, 64))(_convolved(channels))
    x = layers.ConvLSTM2D(
        48,
        (1, 3),
        padding="same",
        return_sequences=True,
        unroll=True,  # else the ONNX graph gets a Loop, which runs at a fifth of the speed
    )(x)
    return layers.Reshape((N_SAMPLES // 4, 48))(x)


FAMILIES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "lstm": lstm,
    "cnn-lstm": cnn_lstm,
    "conv-lstm": conv_lstm,
}
"""From channels ``(batch, 112, 29)`` to steps ``(batch, 28, n_units)``, by family."""


def build(family: str, n_activities: int) -> keras.Model:
    """Return an untrained model of a family."""
    window, wearer = inputs()
    channels, features = views(window, wearer)
    steps = FAMILIES[family](channels)
    pooled = layers.Concatenate()(
        [layers.GlobalAveragePooling1D()(steps), layers.GlobalMaxPooling1D()(steps)]
    )
    pooled = layers.Dropout(_ALONE, noise_shape=(None, 1))(layers.Dropout(_DROPOUT)(pooled))
    strides = layers.GaussianNoise(_FEATURE_NOISE)(features)
    for _ in range(2):
        strides = layers.Dense(_FEATURE_UNITS, activation="relu")(strides)
        strides = layers.Dropout(_DROPOUT)(strides)
    x = layers.Concatenate()([pooled, strides])
    return keras.Model([window, wearer], layers.Dense(n_activities, activation="softmax")(x))


def _convolved(channels: Tensor) -> Tensor:
    """Return ``(batch, 28, 64)`` of ``(batch, 112, n_channels)``."""
    x = channels
    for filters, kernel_size in ((32, 5), (64, 5)):
        x = layers.Conv1D(filters, kernel_size, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return layers.SpatialDropout1D(_CHANNEL_DROPOUT)(x)
