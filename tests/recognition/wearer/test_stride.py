import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.placement.frames import UP
from pipeline.recognition.wearer.gait import gaits_among
from pipeline.recognition.wearer.stride import Strides, strides_of, walking_probabilities
from tests.recognition.placement.rotations import rotations
from tests.recognition.wearer.walks import FORWARD, NO_WALKING, WALKING, angle_deg, looks_at


def strides(looks: NDArray[np.float32]) -> Strides:
    """Return what looks ``(n, 128, 9)`` show, all of which must be of gaits."""
    magnitudes = np.linalg.norm(looks[:, :, 6:], axis=2)
    magnitudes -= magnitudes.mean(axis=1, keepdims=True)
    gaits = gaits_among(magnitudes, magnitudes.std(axis=1))
    assert len(looks) == len(gaits.places)
    return strides_of(looks, gaits)


@pytest.mark.parametrize("seed", range(5))
def test_a_walk_shows_up_and_forward(seed: int) -> None:
    """A simulated walker's directions are those of the people whom the simulation is of."""
    shown = strides(looks_at("WALKING", n=12, seed=seed)[2:])
    assert angle_deg(UP, shown.upright.mean(axis=0)) < 5
    assert angle_deg(FORWARD, shown.forward.mean(axis=0)) < 30


def test_forward_is_across_upright() -> None:
    """What shows forward has no part along gravity."""
    shown = strides(looks_at("WALKING", n=12)[2:])
    np.testing.assert_allclose((shown.forward * shown.upright).sum(axis=1), 0, atol=1e-12)


@given(rotation=rotations)
@settings(max_examples=50, deadline=None)
def test_directions_turn_with_the_phone(rotation: NDArray[np.float64]) -> None:
    """Of a phone worn otherwise the directions are rotated alike, and all else is the same."""
    expected = strides(looks_at("WALKING", n=6)[2:])
    actual = strides(looks_at("WALKING", n=6, rotation=rotation)[2:])
    np.testing.assert_allclose(actual.upright, expected.upright @ rotation.T, atol=1e-5)
    np.testing.assert_allclose(actual.forward, expected.forward @ rotation.T, atol=1e-4)
    np.testing.assert_allclose(actual.log_strength, expected.log_strength, atol=1e-5)
    np.testing.assert_allclose(actual.features, expected.features, atol=1e-3)


def test_strength() -> None:
    """Rotation by 0.5 rad/s either way, and 0.2 g up and down, are the strength."""
    seconds = np.arange(128) / 50
    looks = np.zeros((1, 128, 9), np.float32)
    looks[0, :, 3] = 0.5 * np.sign(np.sin(2 * np.pi * seconds / 1.28))
    looks[0, :, 6] = 1 + 0.2 * np.sqrt(2) * np.sin(2 * np.pi * seconds / 0.512)
    expected = np.log([[0.5, 0.2]])
    np.testing.assert_allclose(strides(looks).log_strength, expected, atol=0.1)


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_look_is_seen_by_itself(data: st.DataObject) -> None:
    """What a look shows has the same bits whichever looks are beside it."""
    looks = np.concatenate([looks_at("WALKING", n=8, seed=seed)[2:] for seed in range(4)])
    chosen = data.draw(st.lists(st.integers(0, len(looks) - 1), min_size=1, unique=True))
    together, some = strides(looks), strides(looks[chosen])
    for name in ("upright", "forward", "log_strength", "features"):
        assert getattr(together, name)[chosen].tobytes() == getattr(some, name).tobytes()


def test_the_kind_of_gait_is_what_the_network_says() -> None:
    """The probability of walking is that of the network's second class."""
    shown = strides(looks_at("WALKING", n=4)[2:])
    assert (walking_probabilities(WALKING, shown) > 0.99).all()
    assert (walking_probabilities(NO_WALKING, shown) < 0.01).all()


def test_nothing_falls_without_an_end() -> None:
    """Where there is no gravity, as in a fall, directions are finite."""
    looks = np.zeros((1, 128, 9), np.float32)
    magnitudes = np.sin(2 * np.pi * 2 * np.arange(128) / 50)[np.newaxis]
    shown = strides_of(looks, gaits_among(magnitudes, magnitudes.std(axis=1)))
    for name in ("upright", "forward", "log_strength", "features"):
        assert np.isfinite(getattr(shown, name)).all()
