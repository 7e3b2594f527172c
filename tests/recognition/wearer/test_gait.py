import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.wearer.gait import LEAST_STRENGTH_G, Gaits, gaits_among, smoothed
from tests.recognition.wearer.walks import looks_at

SAMPLES = np.arange(128)


def gaits_of(magnitudes: NDArray[np.floating]) -> Gaits:
    """Return the gaits among looks whose magnitudes of acceleration are ``(n, 128)``."""
    deviations = magnitudes - magnitudes.mean(axis=1, keepdims=True)
    return gaits_among(deviations, deviations.std(axis=1))


def magnitudes_of(activity: str) -> NDArray[np.floating]:
    """Return the magnitudes ``(20, 128)`` of a simulated person's acceleration."""
    magnitudes: NDArray[np.floating] = np.linalg.norm(looks_at(activity, n=20)[:, :, 6:], axis=2)
    return magnitudes


@pytest.mark.parametrize("activity", ["WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS"])
def test_gaits_are_found(activity: str) -> None:
    """Nearly every look at somebody who walks, also on stairs, is of a gait."""
    assert len(gaits_of(magnitudes_of(activity)).places) >= 18


@pytest.mark.parametrize("activity", ["SITTING", "STANDING", "LAYING"])
def test_postures_are_no_gaits(activity: str) -> None:
    """No look at somebody who rests is of a gait."""
    assert 0 == len(gaits_of(magnitudes_of(activity)).places)


def test_shaking_without_a_rhythm_is_seldom_a_gait() -> None:
    """One look in ten at strong noise is correlated with itself by chance; two in a row hardly."""
    noise = np.random.default_rng(1).normal(0, 0.5, (100, 128))
    assert len(gaits_of(noise).places) <= 10


def test_the_rhythm_of_a_gait() -> None:
    """Of a gait of two steps a second, a step is 25 samples, and the next steps are alike."""
    gaits = gaits_of(1 + 0.3 * np.sin(2 * np.pi * 2 * SAMPLES / 50)[np.newaxis])
    assert [25] == gaits.step.tolist()
    for correlation in (gaits.of_step, gaits.of_two_steps, gaits.of_stride):
        assert correlation[0] == pytest.approx(1, abs=0.1)


def test_a_slow_sway_is_no_gait() -> None:
    """What sways far more slowly than anybody steps is no gait."""
    assert 0 == len(gaits_of(1 + 0.3 * np.sin(2 * np.pi * 0.3 * SAMPLES / 50)[np.newaxis]).places)


def test_the_gaits_are_named_by_their_places() -> None:
    """Of looks at rest and in gait in turn, every second one is named."""
    rests, walks = (magnitudes_of(activity)[:5] for activity in ("STANDING", "WALKING"))
    gaits = gaits_of(np.stack([rests, walks], axis=1).reshape(10, 128))
    assert [1, 3, 5, 7, 9] == gaits.places.tolist()
    assert (gaits.strength_g > LEAST_STRENGTH_G).all()


@given(chosen=st.lists(st.integers(0, 19), min_size=1, unique=True))
def test_a_gait_is_seen_by_itself(chosen: list[int]) -> None:
    """What is seen of a gait has the same bits whichever looks are beside it."""
    magnitudes = magnitudes_of("WALKING").astype(np.float32)
    together, some = gaits_of(magnitudes), gaits_of(magnitudes[chosen])
    of_looks = [np.flatnonzero(together.places == look) for look in chosen]
    expected = np.concatenate(of_looks)
    for name in ("strength_g", "step", "of_step", "of_two_steps", "of_stride"):
        assert getattr(together, name)[expected].tobytes() == getattr(some, name).tobytes()


@given(seed=st.integers(0, 1000), n_peaks=st.integers(1, 40))
def test_smoothing_makes_nothing_stronger(seed: int, n_peaks: int) -> None:
    """So what is too weak before it need not be smoothed."""
    rng = np.random.default_rng(seed)
    signal = np.zeros((1, 128))
    signal[0, rng.integers(0, 128, n_peaks)] = rng.normal(size=n_peaks)
    signal -= signal.mean()
    assert smoothed(signal).std() <= signal.std() + 1e-12


def test_smoothing_is_a_mean_of_five() -> None:
    """One peak becomes five values of a fifth; beyond the ends there is nothing."""
    signal = np.zeros((2, 128))
    signal[0, 60] = signal[1, 0] = 1
    expected = np.zeros((2, 128))
    expected[0, 58:63] = expected[1, :3] = 0.2
    np.testing.assert_allclose(smoothed(signal), expected)
