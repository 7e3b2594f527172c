from dataclasses import replace
from typing import get_args

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recognition.preparation.windows import turned
from trainer.data.raw_windows import Turns, random_turns
from trainer.errors import SettingError
from trainer.networks.models import (
    BUILDERS,
    PLAIN_BUILDERS,
    Builder,
    PlainBuilder,
    lstm,
    plain_cnn_lstm,
    plain_conv_lstm,
    plain_lstm,
)
from trainer.networks.options import Sizes, View

pytestmark = pytest.mark.train

N_ACTIVITIES = 6


def some_windows(n_windows: int = 20) -> NDArray[np.float32]:
    """Return random windows ``(n_windows, 128, 9)``."""
    rng = np.random.default_rng(0)
    of_channels = np.arange(1, 10)  # every channel its own mean and deviation
    return rng.normal(of_channels, of_channels, (n_windows, 128, 9)).astype(np.float32)


def layer_types(model: keras.Model) -> list[str]:
    """Return the types of the layers, a TimeDistributed one by what it distributes."""
    return [
        f"TimeDistributed {type(layer.layer).__name__}"
        if isinstance(layer, keras.layers.TimeDistributed)
        else type(layer).__name__
        for layer in model.layers
    ]


def check_probabilities(model: keras.Model) -> None:
    """Hold a model to what all are to be: (batch, 128, 9) named window to probabilities."""
    windows = some_windows()
    probabilities = model.predict(windows, verbose=0)
    assert ["window"] == [node.name for node in model.inputs]
    assert (None, 128, 9) == model.input_shape
    assert (20, N_ACTIVITIES) == probabilities.shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_every_model_takes_raw_windows_and_gives_probabilities(build: Builder, view: View) -> None:
    """Whatever its inside and however it sees a window, a model maps it to probabilities."""
    check_probabilities(build(some_windows(), N_ACTIVITIES, view))


@pytest.mark.parametrize("build", PLAIN_BUILDERS.values(), ids=PLAIN_BUILDERS)
def test_so_does_every_plain_model(build: PlainBuilder, small: Sizes) -> None:
    """The plain forms keep the same contract."""
    check_probabilities(build(some_windows(), N_ACTIVITIES, small))


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("name", BUILDERS)
def test_models_are_small(name: str, view: View) -> None:
    """None has more than 150,000 parameters."""
    assert BUILDERS[name](some_windows(), N_ACTIVITIES, view).count_params() <= 150_000


@pytest.mark.parametrize("name", BUILDERS)
def test_to_a_levelled_view_no_turn_makes_a_difference(name: str) -> None:
    """Walking, at rest, or in a phone that feels nothing: turned windows get the same."""
    rng = np.random.default_rng(0)
    windows = rng.normal(scale=[0.2] * 3 + [0.5] * 3 + [0.2] * 3, size=(30, 128, 9))
    windows[10:] *= 0.01
    windows[:29, :, 6:] += [0.9, -0.2, 0.1]
    windows[29] = 0.0
    upright = windows.astype(np.float32)
    rotations = random_turns(rng, len(upright), Turns(any_way_round=True))
    level, two = (BUILDERS[name](upright, N_ACTIVITIES, view) for view in ("level", "two"))
    for model, alike in ((level, True), (two, False)):
        before, after = (
            model.predict(some, verbose=0) for some in (upright, turned(upright, rotations))
        )
        assert np.isfinite(before).all()
        assert alike == np.allclose(before, after, atol=1e-3)


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
    """The plain CNN-LSTM sees each part of the window through two convolutions before its LSTM."""
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


def test_normalisation_is_that_of_the_training_windows() -> None:
    """After the first layer every channel of the training windows has mean 0 and deviation 1."""
    windows = some_windows(200)
    normalization = lstm(windows, N_ACTIVITIES).get_layer("normalization")
    normalized = np.asarray(normalization(windows))
    np.testing.assert_allclose(normalized.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=(0, 1)), 1, atol=1e-5)


def test_channel_that_never_changes() -> None:
    """A channel without any deviation is not divided by it."""
    windows = some_windows()
    windows[:, :, 4] = 2.5
    model = lstm(windows, N_ACTIVITIES)
    assert np.isfinite(model.predict(windows, verbose=0)).all()


@pytest.mark.parametrize("build", [plain_cnn_lstm, plain_conv_lstm])
def test_other_parts_of_a_window(build: type, small: Sizes) -> None:
    """A window may be cut into any parts that make it up."""
    sizes = replace(small, n_steps=8, n_length=16)
    model = build(some_windows(), N_ACTIVITIES, sizes)
    assert (20, N_ACTIVITIES) == model.predict(some_windows(), verbose=0).shape


@pytest.mark.parametrize(
    "parts", [{"n_steps": 5}, {"n_length": 16}, {"n_steps": 3, "n_length": 43}]
)
def test_parts_that_make_no_window(parts: dict[str, int]) -> None:
    """Parts of a window that do not make 128 samples are refused."""
    with pytest.raises(ValueError, match="n_steps x n_length must be the window length, 128"):
        Sizes(**parts)


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
