import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.summary import SPANS, Summary, summarize
from pipeline.vocabulary import WINDOW_LENGTH


def random_windows(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return windows of noise about gravity."""
    windows = np.random.default_rng(seed).normal(size=(n, WINDOW_LENGTH, 9)).astype(np.float32)
    windows[:, :, 6] += 1
    return windows


def test_spans_make_a_window() -> None:
    """Each sample of a window is in just one span, and the newest are the shortest."""
    covered = np.zeros(WINDOW_LENGTH, int)
    for span in SPANS:
        covered[span] += 1
    lengths = [span.stop - span.start for span in SPANS]
    assert (covered == 1).all()
    assert sorted(lengths, reverse=True) == lengths


def test_a_summary_is_as_numpy_computes_it() -> None:
    """Mean, mean square, and mean square of the steps, for each span and channel."""
    windows = random_windows(3)
    steps = np.diff(windows, axis=1, prepend=windows[:, :1])
    expected = [
        np.stack([signal[:, span].mean(axis=1, dtype=np.float64) for span in SPANS], axis=1)
        for signal in (windows, windows**2, steps**2)
    ]
    summary = summarize(windows)
    for of_numpy, of_summary in zip(
        expected, (summary.mean, summary.power, summary.roughness), strict=True
    ):
        np.testing.assert_allclose(of_numpy, of_summary, rtol=1e-5, atol=1e-6)


def test_a_summary_holds_float64() -> None:
    """What is measured of float32 windows is float64, so that later sums do not lose digits."""
    summary = summarize(random_windows(1))
    assert isinstance(summary, Summary)
    assert {np.dtype(np.float64)} == {array.dtype for array in vars(summary).values()}
