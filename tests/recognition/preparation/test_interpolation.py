import numpy as np
import pytest

from pipeline.recognition.preparation.interpolation import low_pass
from tests.recognition.preparation.samples import EPOCH, push_all, six, stretches


def test_a_dropout_is_bridged() -> None:
    """Where a few samples are missing of a smooth signal, the grid holds what was there."""
    times = np.arange(100) / 50
    signal = np.sin(2 * np.pi * 1.0 * times)
    kept = np.r_[0:40, 43:100]

    pieces, dropped = push_all([(EPOCH + times[kept], six(signal)[kept])])

    [(_, rows)] = stretches(pieces)
    assert 0 == dropped
    assert 100 == len(rows)
    np.testing.assert_allclose(rows[:, 0], signal, rtol=0, atol=2e-3)
    np.testing.assert_array_equal(signal[kept], rows[kept, 0])


@pytest.mark.parametrize(
    ("rate_hz", "tolerance"), [(60.0, 0.01), (100.0, 1e-6), (204.0, 0.01), (400.0, 0.01)]
)
def test_other_rates(rate_hz: float, tolerance: float) -> None:
    """A 2 Hz sine measured at another rate comes out as that sine at 50 Hz."""
    n_samples = int(4 * rate_hz)
    times = np.arange(n_samples) / rate_hz
    sine = np.sin(2 * np.pi * 2.0 * times)
    parts = [(EPOCH + times[k : k + 20], six(sine)[k : k + 20]) for k in range(0, n_samples, 20)]

    pieces, dropped = push_all(parts)

    [(_, rows)] = stretches(pieces)
    assert 0 == dropped
    assert len(rows) >= 4 * 50 - 5  # the low-pass looks 60 ms ahead
    expected = np.sin(2 * np.pi * 2.0 * np.arange(len(rows)) / 50)
    # Before the first sample the low-pass takes the first for what was.
    np.testing.assert_allclose(rows[5:, 0], expected[5:], rtol=0, atol=tolerance)


@pytest.mark.parametrize("rate_hz", [120.0, 200.0, 421.0, 840.0])
@pytest.mark.parametrize("tone_hz", [38.0, 47.0, 55.0])
def test_fast_tones_do_not_fold(rate_hz: float, tone_hz: float) -> None:
    """Of a tone that 50 Hz cannot hold, less than 2 % is left after decimation."""
    times = np.arange(int(4 * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * tone_hz * times)

    pieces, _ = push_all([(EPOCH + times, six(tone))])

    [(_, rows)] = stretches(pieces)
    assert np.abs(rows[5:, 0]).max() < (0.02 if rate_hz > 150 else 0.2)


def test_the_low_pass_is_scipys() -> None:
    """The taps are those of SciPy's window method, and pass what walking has unchanged."""
    signal = pytest.importorskip("scipy.signal")
    for oversampling in (3, 4, 8, 17):
        taps = low_pass(oversampling)
        rate_hz = 50 * oversampling
        beta = signal.kaiser_beta(40)
        expected = signal.firwin(len(taps), 25, window=("kaiser", beta), fs=rate_hz)
        np.testing.assert_allclose(taps, expected, rtol=0, atol=1e-12)
        _, response = signal.freqz(taps, worN=[1.0, 5.0, 10.0, 15.0], fs=rate_hz)
        np.testing.assert_allclose(np.abs(response), 1.0, rtol=0, atol=0.02)


def test_an_early_event_is_bridged_by_a_line() -> None:
    """Between two samples that are far apart nothing is invented."""
    times = np.concatenate([[0.0], 0.45 + np.arange(50) / 50])
    pieces, _ = push_all([(EPOCH + times, six(np.r_[0.0, 10.0, np.tile([9.0, 11.0], 25)[:49]]))])
    [(_, rows)] = stretches(pieces)
    np.testing.assert_allclose(rows[:22, 0], np.arange(22) * 0.02 / 0.45 * 10, rtol=0, atol=1e-4)


def test_samples_almost_at_one_time_do_not_overshoot() -> None:
    """Two different samples within a microsecond do not throw a cubic off."""
    times = np.arange(100) / 40
    doubled = np.sort(np.r_[times, times[50] + 1e-6])
    values = np.sin(2 * np.pi * doubled)
    values[51] += 0.5
    pieces, _ = push_all([(EPOCH + doubled, six(values))])
    [(_, rows)] = stretches(pieces)
    assert np.abs(rows[:, 0]).max() < 2
