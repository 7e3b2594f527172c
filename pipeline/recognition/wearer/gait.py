"""Which looks show a gait, however the phone is worn: walking, stairs, running.

Strategy: a gait shakes the magnitude of acceleration, and shakes it again step by step. So a look
is of a gait if the magnitude is strong enough, and correlated with itself a step or a stride later.
Nothing here depends on directions. What lies still is left out first, as it costs least.

The bounds were chosen on six sets of recordings (waist, trouser pocket, chest, hand): a gait is
found in 95 to 99 % of the looks of walking and 98 to 100 % of running, and in at most 0.1 % of
those at rest, 1 % at the chest, where people cough.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.vocabulary import WINDOW_LENGTH

LEAST_STRENGTH_G: Final = 0.08
"""Least standard deviation of the smoothed magnitude of acceleration in a gait, in g"""
LEAST_AUTOCORRELATION: Final = 0.5
"""Least correlation of the magnitude with itself a step or a stride later"""

_SMOOTHED: Final = 5  # samples, 0.1 s: shocks are shorter, steps longer
_LAGS: Final = slice(15, 85)  # samples by which magnitudes are taken later
_STEP: Final = slice(0, 28)  # the lags from one step to the next: 0.3 to 0.84 s
_STRIDE: Final = slice(20, 66)  # from a step of one foot to its next: 0.7 to 1.6 s
_UNBIASED: Final = np.divide(
    WINDOW_LENGTH, WINDOW_LENGTH - np.arange(_LAGS.start, _LAGS.stop), dtype=np.float32
)
_TINY: Final = 1e-9

S = TypeVar("S", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class Gaits:
    """The looks that show a gait, and their rhythm."""

    places: NDArray[np.intp]
    """``(n,)``: which of all looks they are"""
    strength_g: NDArray[np.floating]
    """``(n,)``: standard deviation of the smoothed magnitude of acceleration"""
    step: NDArray[np.intp]
    """``(n,)``: samples from one step to the next"""
    of_step: NDArray[np.floating]
    """``(n,)``: autocorrelation of the magnitude one step later"""
    of_two_steps: NDArray[np.floating]
    """``(n,)``: two steps later"""
    of_stride: NDArray[np.floating]
    """``(n,)``: the largest a stride later, whatever its length"""


def smoothed(signals: NDArray[S]) -> NDArray[S]:
    """Return signals ``(n, n_samples)`` averaged over 0.1 s; beyond their ends they are zero."""
    n_samples = signals.shape[1]
    padded = np.zeros((len(signals), n_samples + _SMOOTHED - 1), signals.dtype)
    padded[:, _SMOOTHED // 2 : _SMOOTHED // 2 + n_samples] = signals
    result = padded[:, :n_samples] + padded[:, 1 : 1 + n_samples]
    for shift in range(2, _SMOOTHED):
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
    strength_g = deviations_of(steady)
    strong = strength_g > LEAST_STRENGTH_G
    if not strong.all():
        places, steady, strength_g = places[strong], steady[strong], strength_g[strong]
    correlations = _autocorrelations(steady)

    each = np.arange(len(places))
    at_step = correlations[:, _STEP]
    best = at_step.argmax(axis=1)
    of_step = at_step[each, best]
    of_stride = correlations[:, _STRIDE].max(axis=1, initial=-1.0)
    is_peak = (best > 0) & (best < at_step.shape[1] - 1)
    in_gait = (is_peak & (of_step > LEAST_AUTOCORRELATION)) | (of_stride > LEAST_AUTOCORRELATION)
    step = best + _LAGS.start
    of_two_steps = correlations[each, 2 * step - _LAGS.start]
    return Gaits(
        places[in_gait],
        strength_g[in_gait],
        step[in_gait],
        of_step[in_gait],
        of_two_steps[in_gait],
        of_stride[in_gait],
    )


def deviations_of(signals: NDArray[S]) -> NDArray[S]:
    """Return the standard deviations ``(n,)`` of signals ``(n, n_samples)``."""
    centered = signals - signals.mean(axis=1, keepdims=True)
    deviations: NDArray[S] = np.sqrt(np.einsum("nt,nt->n", centered, centered) / signals.shape[1])
    return deviations


def _autocorrelations(signals: NDArray[S]) -> NDArray[S]:
    """Return the autocorrelations ``(n, 70)`` of signals ``(n, 128)`` by lag, without bias."""
    padded = np.zeros((len(signals), WINDOW_LENGTH + _LAGS.stop - 1), signals.dtype)
    padded[:, :WINDOW_LENGTH] = signals
    later = sliding_window_view(padded, WINDOW_LENGTH, axis=1)[:, _LAGS]
    # A Fourier transform has fewer products, but takes longer.
    sums = np.einsum("nlt,nt->nl", later, signals)
    squares = np.einsum("nt,nt->n", signals, signals)[:, np.newaxis]
    correlations: NDArray[S] = sums / np.maximum(squares, _TINY) * _UNBIASED
    return correlations
