import keras
import numpy as np
import pytest

from pipeline.recordings.uci_har import DataSet
from trainer.networks.models import BUILDERS
from trainer.networks.widening import widened
from trainer.training.fitted import probabilities

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", BUILDERS)
def test_wider_outputs_keep_what_was_learnt(name: str, mini_data: DataSet) -> None:
    """The old activities' odds are as before, whatever the new one's are."""
    keras.utils.set_random_seed(3)
    model = BUILDERS[name](mini_data.train.windows, 6)
    before = probabilities(model, mini_data.test.windows)
    wide = widened(model, 8, seed=1)
    after = probabilities(wide, mini_data.test.windows)
    assert (len(before), 8) == after.shape
    kept = after[:, :6] / after[:, :6].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(before, kept, atol=1e-5)
    assert model is widened(model, 6, seed=1)


def test_the_same_seed_widens_alike(mini_data: DataSet) -> None:
    """The new weights are drawn by the seed."""
    model = BUILDERS["lstm"](mini_data.train.windows, 6)
    first, same, other = (widened(model, 7, seed=seed).get_weights()[-2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first[:, 6], other[:, 6])
