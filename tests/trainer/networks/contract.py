"""The contract that all networks keep, and windows to hold them to it."""

import keras
import numpy as np
from numpy.typing import NDArray

N_ACTIVITIES = 6


def some_windows(n_windows: int = 20) -> NDArray[np.float32]:
    """Return random windows ``(n_windows, 128, 9)``."""
    rng = np.random.default_rng(0)
    of_channels = np.arange(1, 10)  # every channel its own mean and deviation
    return rng.normal(of_channels, of_channels, (n_windows, 128, 9)).astype(np.float32)


def check_probabilities(model: keras.Model) -> None:
    """Hold a model to what all are to be: (batch, 128, 9) named window to probabilities."""
    windows = some_windows()
    probabilities = model.predict(windows, verbose=0)
    assert ["window"] == [node.name for node in model.inputs]
    assert (None, 128, 9) == model.input_shape
    assert (20, N_ACTIVITIES) == probabilities.shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
