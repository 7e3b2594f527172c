import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.decisions.networks import fit_network


@given(seed=st.integers(0, 1000))
def test_a_network_separates_what_can_be(seed: int) -> None:
    """Three clouds that lie apart are distinguished, whatever the scale of their features."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([0, 1, 2], 30)
    centers = np.array([[0.0, 0, 1], [3, 0, -1], [0, 3, 0]])
    features = (centers[classes] + rng.normal(size=(90, 3)) * 0.3) * [1e-3, 1.0, 1e3]
    network = fit_network(features, classes, n_units=4, decay=1e-5, rng=rng)
    assert (network.log_probabilities(features).argmax(axis=1) == classes).mean() >= 0.97


@pytest.mark.parametrize("balanced", [False, True])
def test_a_balanced_network_ignores_how_often_a_class_occurs(balanced: bool) -> None:
    """Of features that say nothing it makes even odds; otherwise the classes' shares."""
    rng = np.random.default_rng(5)
    classes = np.repeat([0, 1], [300, 100])
    features = rng.normal(size=(400, 1)) * 1e-12
    network = fit_network(features, classes, n_units=2, decay=0.0, rng=rng, balanced=balanced)
    share = np.exp(network.log_probabilities(np.zeros((1, 1))))[0, 0]
    assert pytest.approx(0.5 if balanced else 0.75, abs=0.02) == share
