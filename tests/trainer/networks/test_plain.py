from dataclasses import replace

import keras
import pytest

from tests.trainer.networks.contract import N_ACTIVITIES, check_probabilities, some_windows
from trainer.errors import SettingError
from trainer.networks.options import Sizes
from trainer.networks.plain import (
    PLAIN_BUILDERS,
    PlainBuilder,
    plain_cnn_lstm,
    plain_conv_lstm,
    plain_lstm,
)

pytestmark = pytest.mark.train


def layer_types(model: keras.Model) -> list[str]:
    """Return the types of the layers, a TimeDistributed one by what it distributes."""
    return [
        f"TimeDistributed {type(layer.layer).__name__}"
        if isinstance(layer, keras.layers.TimeDistributed)
        else type(layer).__name__
        for layer in model.layers
    ]


@pytest.mark.parametrize("build", PLAIN_BUILDERS.values(), ids=PLAIN_BUILDERS)
def test_every_plain_model_takes_raw_windows_and_gives_probabilities(
    build: PlainBuilder, small: Sizes
) -> None:
    """The plain forms keep the contract of the others."""
    check_probabilities(build(some_windows(), N_ACTIVITIES, small))


@pytest.mark.parametrize(
    ("name", "parameters"), [("lstm", 79_302), ("cnn-lstm", 547_590), ("conv-lstm", 179_654)]
)
def test_default_sizes(name: str, parameters: int) -> None:
    """The plain forms' defaults have the sizes that docs/results/accuracy.md lists."""
    assert parameters == PLAIN_BUILDERS[name](some_windows(), N_ACTIVITIES, Sizes()).count_params()


def test_layers_of_plain_lstm(small: Sizes) -> None:
    """The plain LSTM is the tutorial's: LSTM, dropout, dense, softmax."""
    model = plain_lstm(some_windows(), N_ACTIVITIES, small)
    assert ["InputLayer", "Rescaling", "LSTM", "Dropout", "Dense", "Dense"] == layer_types(model)
    assert "softmax" == model.layers[-1].activation.__name__


def test_layers_of_plain_cnn_lstm(small: Sizes) -> None:
    """The plain CNN-LSTM has two convolutions over each part of the window before its LSTM."""
    model = plain_cnn_lstm(some_windows(), N_ACTIVITIES, small)
    assert [
        "InputLayer",
        "Rescaling",
        "Reshape",
        "TimeDistributed Conv1D",
        "TimeDistributed Conv1D",
        "TimeDistributed Dropout",
        "TimeDistributed MaxPooling1D",
        "TimeDistributed Flatten",
        "LSTM",
        "Dropout",
        "Dense",
        "Dense",
    ] == layer_types(model)


def test_layers_of_plain_conv_lstm(small: Sizes) -> None:
    """The plain ConvLSTM is unrolled over the parts of the window."""
    model = plain_conv_lstm(some_windows(), N_ACTIVITIES, small)
    assert [
        "InputLayer",
        "Rescaling",
        "Reshape",
        "ConvLSTM2D",
        "Dropout",
        "Flatten",
        "Dense",
        "Dense",
    ] == layer_types(model)
    assert model.layers[3].unroll


@pytest.mark.parametrize("build", [plain_cnn_lstm, plain_conv_lstm])
def test_other_parts_of_a_window(build: type, small: Sizes) -> None:
    """A window may be cut into any parts that make it up."""
    sizes = replace(small, n_steps=8, n_length=16)
    model = build(some_windows(), N_ACTIVITIES, sizes)
    assert (20, N_ACTIVITIES) == model.predict(some_windows(), verbose=0).shape


@pytest.mark.parametrize(("build", "kernel_size"), [(plain_cnn_lstm, 17), (plain_conv_lstm, 33)])
def test_kernel_longer_than_a_part(build: type, kernel_size: int) -> None:
    """A filter that spans more than there is of a part is refused."""
    with pytest.raises(SettingError, match="kernel_size must be at most"):
        build(some_windows(), N_ACTIVITIES, Sizes(kernel_size=kernel_size))


@pytest.mark.parametrize(("build", "kernel_size"), [(plain_cnn_lstm, 16), (plain_conv_lstm, 32)])
def test_longest_kernel(build: type, kernel_size: int, small: Sizes) -> None:
    """The longest filter that is allowed works."""
    sizes = replace(small, kernel_size=kernel_size)
    build(some_windows(), N_ACTIVITIES, sizes)
