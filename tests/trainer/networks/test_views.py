import numpy as np
import pytest

from pipeline.recognition.preparation.windows import rotate
from tests.trainer.networks.contract import N_ACTIVITIES, some_windows
from trainer.data.random_rotations import RandomRotation, random_rotations
from trainer.networks.models import BUILDERS, lstm

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", BUILDERS)
def test_a_levelled_view_is_the_same_however_the_phone_is_rotated(name: str) -> None:
    """Walking, at rest, or in a phone that feels nothing: rotated windows get the same."""
    rng = np.random.default_rng(0)
    windows = rng.normal(scale=[0.2] * 3 + [0.5] * 3 + [0.2] * 3, size=(30, 128, 9))
    windows[10:] *= 0.01
    windows[:29, :, 6:] += [0.9, -0.2, 0.1]
    windows[29] = 0.0
    upright = windows.astype(np.float32)
    rotations = random_rotations(rng, len(upright), RandomRotation(any_way_round=True))
    level, two = (BUILDERS[name](upright, N_ACTIVITIES, view) for view in ("levelled", "two-scale"))
    for model, alike in ((level, True), (two, False)):
        before, after = (
            model.predict(some, verbose=0) for some in (upright, rotate(upright, rotations))
        )
        assert np.isfinite(before).all()
        assert alike == np.allclose(before, after, atol=1e-3)


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
