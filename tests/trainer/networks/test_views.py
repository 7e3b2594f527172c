import numpy as np
import pytest

from tests.trainer.networks.contract import N_ACTIVITIES, some_windows
from trainer.networks.models import lstm

pytestmark = pytest.mark.train


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
