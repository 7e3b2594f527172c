"""Which looks show a gait, however the phone is worn: walking, stairs, running.

Strategy: a gait shakes the magnitude of acceleration, and shakes it again step by step. So a look
is of a gait if the magnitude is strong enough, and correlated with itself a step or a stride later.
Nothing here depends on directions. What lies still is left out first, as it costs least.

The bounds were chosen on six sets of recordings (waist, trouser pocket, chest, hand): a gait is
found in 95 to 99 % of the looks of walking and 98 to 100 % of running, and in at most 0.1 % of
those at rest, 1 % at the chest, where people cough.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import WINDOW_LENGTH

LEAST_STRENGTH_G: Final = 0.08
"""Least standard deviation of the smoothed magnitude of acceleration in a gait, in g"""
LEAST_AUTOCORRELATION: Final = 0.5
"""Least correlation of the magnitude with itself a step or a stride later"""

_SMOOTHED: Final = 5  # samples, 0.1 s: shocks are shorter, steps longer
_STEP: Final = slice(15, 43)  # samples from one step to the next: 0.3 to 0.84 s
_STRIDE: Final = slice(35, 81)  # from a step of one foot to its next: 0.7 to 1.6 s
_LAGS: Final = 87  # those that are computed, from 0 on
_FFT_LENGTH: Final = 256  # holds a look and all lags without wrapping round
_TINY: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Gaits:
    """The looks that show a gait, and their rhythm."""

    places: NDArray[np.intp]
    """``(n,)``: which of all looks they are"""
    strength_g: NDArray[np.float64]
    """``(n,)``: standard deviation of the smoothed magnitude of acceleration"""
    step: NDArray[np.intp]
    """``(n,)``: samples from one step to the next"""
    of_step: NDArray[np.float64]
    """``(n,)``: autocorrelation of the magnitude one step later"""
    of_two_steps: NDArray[np.float64]
    """``(n,)``: two steps later"""
    of_stride: NDArray[np.float64]
    """``(n,)``: the largest a stride later, whatever its length"""


def smoothed(signals: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return signals ``(n, n_samples)`` averaged over 0.1 s; beyond their ends they are zero."""
    n_samples = signals.shape[1]
    padded = np.zeros((len(signals), n_samples + _SMOOTHED - 1))
    padded[:, _SMOOTHED // 2 : _SMOOTHED // 2 + n_samples] = signals
    result = padded[:, :n_samples].copy()
    for shift in range(1, _SMOOTHED):
        result += padded[:, shift : shift + n_samples]
    result /= _SMOOTHED
    return result


def gaits_among(magnitudes: NDArray[np.float32], deviations: NDArray[np.float32]) -> Gaits:
    """Return the gaits among looks.

    ``magnitudes`` ``(n, 128)`` are those of acceleration less their means, ``deviations`` ``(n,)``
    their standard deviations, in g.
    """
    # Smoothing makes no signal stronger.
    places = np.flatnonzero(deviations > LEAST_STRENGTH_G)
    steady = smoothed(magnitudes[places])
    strength_g = steady.std(axis=1)
    strong = strength_g > LEAST_STRENGTH_G
    places, strength_g = places[strong], strength_g[strong]
    correlations = _autocorrelations(steady[strong])

    at_step = correlations[:, _STEP]
    best = at_step.argmax(axis=1)
    step = best + _STEP.start
    of_step = at_step.max(axis=1, initial=-1.0)
    of_stride = correlations[:, _STRIDE].max(axis=1, initial=-1.0)
    is_peak = (best > 0) & (best < at_step.shape[1] - 1)
    in_gait = (is_peak & (of_step > LEAST_AUTOCORRELATION)) | (of_stride > LEAST_AUTOCORRELATION)
    of_two_steps = correlations[np.arange(len(step)), np.minimum(2 * step, _LAGS - 1)]
    return Gaits(
        places[in_gait],
        strength_g[in_gait],
        step[in_gait],
        of_step[in_gait],
        of_two_steps[in_gait],
        of_stride[in_gait],
    )


def _autocorrelations(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelations ``(n, 87)`` of signals ``(n, 128)`` by lag, without bias."""
    spectra = np.fft.rfft(signals, _FFT_LENGTH)
    sums = np.fft.irfft(spectra.real**2 + spectra.imag**2, _FFT_LENGTH)[:, :_LAGS]
    unbiased = WINDOW_LENGTH / (WINDOW_LENGTH - np.arange(_LAGS))
    correlations: NDArray[np.float64] = sums / np.maximum(sums[:, :1], _TINY) * unbiased
    return correlations
