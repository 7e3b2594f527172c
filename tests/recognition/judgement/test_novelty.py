from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.novelty import novelty, novelty_features
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recordings import uci_har
from pipeline.vocabulary import STANDARD_GRAVITY, WINDOW_LENGTH

N_ROWS: Final = 500
UPRIGHT: Final = np.array([STANDARD_GRAVITY, 0, 0, 0, 0, 0])


def random_windows(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return windows of noise about gravity."""
    windows = np.random.default_rng(seed).normal(size=(n, WINDOW_LENGTH, 9)).astype(np.float32)
    windows[:, :, 6] += 1
    return windows


def settled_windows(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the windows of raw rows ``(n_rows, 6)`` in m/s² and rad/s that do not overlap."""
    samples = Preprocessor(1).push(np.array([0]), rows[None])[0][SETTLING_ROWS:]
    n = len(samples) // WINDOW_LENGTH
    return samples[: n * WINDOW_LENGTH].reshape(n, WINDOW_LENGTH, 9)


def score(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the scores of windows by the shipped numbers."""
    return novelty(shipped().novelty, summarize(windows))


@given(n=st.integers(1, 70), seed=st.integers(0, 100))
def test_company_does_not_matter(n: int, seed: int) -> None:
    """A window's score has the same bits whatever other windows are scored with it."""
    windows = random_windows(n, seed=seed)
    alone = np.concatenate([score(window[None]) for window in windows])
    assert alone.tobytes() == score(windows).tobytes()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-6, 1e3, 1e15])
def test_any_size_of_samples(scale: float) -> None:
    """The features are finite, however small or large the samples."""
    windows = (random_windows(4) * scale).astype(np.float32)
    assert np.isfinite(novelty_features(summarize(windows))).all()
    assert np.isfinite(score(windows)).all()


@pytest.mark.parametrize("size", [0.02, 0.2, 2.0, 20.0])
def test_noise_is_novel(size: float) -> None:
    """White noise without gravity, of any size in m/s², has a score above 0."""
    noise = np.random.default_rng(2).normal(size=(N_ROWS, 6)) * size
    assert (score(settled_windows(noise)) > 0).all()


@pytest.mark.parametrize("size", [2.0, 20.0])
def test_noise_about_gravity_is_novel(size: float) -> None:
    """So has strong white noise about gravity."""
    noise = np.random.default_rng(3).normal(size=(N_ROWS, 6)) * size
    assert (score(settled_windows(noise + UPRIGHT)) > 0).all()


@pytest.mark.parametrize("row", [np.zeros(6), UPRIGHT, UPRIGHT / 10, np.ones(6)])
def test_a_constant_is_novel(row: NDArray[np.float64]) -> None:
    """Sensors that never change, with gravity or not, are no phone on a body."""
    assert (score(settled_windows(np.tile(row, (N_ROWS, 1)))) > 0).all()


@pytest.mark.parametrize("frequency_hz", [2.0, 3.0, 5.0])
def test_shaking_is_novel(frequency_hz: float) -> None:
    """A phone swung by 20 m/s² and 5 rad/s is shaken, not walked with."""
    swing = np.sin(2 * np.pi * frequency_hz * np.arange(N_ROWS) / 50)[:, None]
    rows = UPRIGHT + swing * [5.0, 15.0, 12.0, 3.0, 2.0, 3.0]
    rows += np.random.default_rng(4).normal(size=rows.shape) * 0.05
    assert (score(settled_windows(rows)) > 0).all()


def test_the_training_windows_are_not_novel(uci_har_data: uci_har.DataSet) -> None:
    """Hardly any published training window has a score above 0, in no activity one in twenty."""
    split = uci_har_data.train
    novel = score(split.windows) > 0
    assert novel.mean() <= 0.01
    for label in np.unique(split.labels):
        assert novel[split.labels == label].mean() <= 0.05


def test_walking_in_another_frame_is_novel(uci_har_data: uci_har.DataSet) -> None:
    """Walking windows turned to portrait, or upside down, have a score above 0."""
    split = uci_har_data.train
    walking = split.windows[split.labels < 3]
    for frame in (
        np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        np.diag([-1, -1, 1]),
    ):
        shape = walking.shape
        turned = (walking.reshape(-1, 3) @ frame.T).reshape(shape).astype(np.float32)
        assert (score(turned) > 0).mean() >= 0.95
