import numpy as np
import pytest

from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from trainer.networks.any_models import FAMILIES, build
from trainer.training.fitted import count_parameters

pytestmark = pytest.mark.train

MOST_PARAMETERS = 150_000


@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family: str) -> None:
    """A window and a wearer's frame in, probabilities out; small enough."""
    model = build(family, len(PLACEMENT_ACTIVITIES))
    windows = np.random.default_rng(0).normal(size=(20, 128, 9)).astype(np.float32)
    probabilities = model.predict([windows, np.zeros((20, 10), np.float32)], verbose=0)
    assert ["window", "wearer"] == [node.name for node in model.inputs]
    assert [(None, 128, 9), (None, 10)] == model.input_shape
    assert (20, len(PLACEMENT_ACTIVITIES)) == probabilities.shape
    np.testing.assert_allclose(1, probabilities.sum(axis=1), rtol=1e-5)
    assert count_parameters(model) <= MOST_PARAMETERS


def test_body_acceleration_is_not_seen() -> None:
    """Only total acceleration and angular velocity count."""
    model = build("cnn-lstm", 7)
    windows = np.random.default_rng(0).normal(size=(5, 128, 9)).astype(np.float32)
    others = windows.copy()
    others[:, :, :3] = 9
    frames = np.zeros((5, 10), np.float32)
    np.testing.assert_array_equal(
        model.predict([windows, frames], verbose=0), model.predict([others, frames], verbose=0)
    )
