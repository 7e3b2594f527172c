import numpy as np
import pytest

from pipeline.recognition.network import Network


def test_a_network_gives_probabilities() -> None:
    """The exponentials of what a network returns sum to one, also far away from its center."""
    rng = np.random.default_rng(1)
    network = Network(
        rng.normal(size=5), np.ones(5), rng.normal(size=(6, 4)), rng.normal(size=(5, 3))
    )
    features = rng.normal(size=(20, 5)) * np.logspace(-3, 6, 20)[:, None]
    np.testing.assert_allclose(1, np.exp(network.log_probabilities(features)).sum(axis=1))


def test_a_network_computed_by_hand() -> None:
    """A unit that sees the first feature, in its standard deviations, shifts the odds by it."""
    network = Network(
        np.array([1.0, 0.0]),
        np.array([2.0, 1.0]),
        np.array([[1.0], [0.0], [0.0]]),
        np.array([[0.0, 1.0], [0.0, 0.5]]),
    )
    first, second = network.log_probabilities(np.array([[3.0, 9.0]]))[0]
    assert pytest.approx(np.tanh(1.0) + 0.5) == second - first
