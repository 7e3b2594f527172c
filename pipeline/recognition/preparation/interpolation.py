"""Values between samples: a cubic through four of them, and the low-pass before it.

Both are pure functions of times and rows; which samples there are is decided in `source`.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import SAMPLING_RATE_HZ

_PASS_HZ: Final = 16.0
_STOP_HZ: Final = 34.0  # what lies above would fold to below _PASS_HZ
_STOP_DB: Final = 40.0

_LONGEST_CUBIC_S: Final = 0.1
"""A longer pause between two samples is bridged by a line: what a cubic makes of it is invented."""

_OVERSHOOT: Final = 0.25
"""How far a cubic may leave the range of its four samples, in widths of that range. With samples
evenly spaced it never does by more than 1/8; with two almost at one time it could by any factor."""
_HARMLESS_WEIGHTS: Final = 1.4
"""A cubic whose weights' sizes add up to so little cannot: it leaves the range by half of what they
have beyond 1."""


def interpolate(
    times: NDArray[np.float64],
    rows: NDArray[np.float64],
    grid_times: NDArray[np.float64],
    tolerance_s: float,
) -> NDArray[np.float64]:
    """Return the rows at the grid times, up to the first that needs a sample yet to come.

    ``times`` ``(n,)`` ascend strictly, ``rows`` ``(n, n_columns)``. A sample within
    ``tolerance_s`` of a grid time is taken as it is.
    """
    after = np.searchsorted(times, grid_times - tolerance_s)  # first sample not before the point
    known = after < len(times)
    on_grid = known.copy()
    on_grid[known] = times[after[known]] - grid_times[known] <= tolerance_s
    between = ~on_grid
    computable = on_grid | (after + 1 < len(times))
    n_rows = len(grid_times) if computable.all() else int(computable.argmin())
    after, between, grid_times = after[:n_rows], between[:n_rows], grid_times[:n_rows]

    result = rows[after]
    if between.any():
        # Lagrange's cubic through two samples before and two after; a grid's second point has
        # only one before it, so the quadratic through three.
        after, at = after[between], grid_times[between]
        nodes = after[:, None] + np.array([-2, -1, 0, 1])  # (n_between, 4)
        usable = nodes >= 0
        nodes = np.maximum(nodes, 0)
        node_times = times[nodes]
        usable[:, [0, 3]] &= (node_times[:, 2] - node_times[:, 1] <= _LONGEST_CUBIC_S)[:, None]
        weights = _lagrange(at, node_times, usable)
        known = rows[nodes]  # (n_between, 4, n_columns)
        cubic = np.einsum("nj,njc->nc", weights, known)
        if np.abs(weights).sum(axis=1).max() > _HARMLESS_WEIGHTS:
            low, high = known.min(axis=1), known.max(axis=1)
            margin = _OVERSHOOT * (high - low)
            cubic = np.clip(cubic, low - margin, high + margin)
        result[between] = cubic
    return result


def _lagrange(
    at: NDArray[np.float64], nodes: NDArray[np.float64], usable: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weights ``(n, 4)`` that Lagrange's polynomial gives its nodes at some times.

    ``at`` is ``(n,)``, ``nodes`` ``(n, 4)`` are the nodes' times; those not ``usable`` have none.
    """
    both = usable[:, :, np.newaxis] & usable[:, np.newaxis, :] & _OTHERS
    apart = np.where(both, nodes[:, :, np.newaxis] - nodes[:, np.newaxis, :], 1.0)  # (n, 4, 4)
    ratios = np.where(both, (at[:, np.newaxis] - nodes)[:, np.newaxis, :] / apart, 1.0)
    weights: NDArray[np.float64] = usable * ratios.prod(axis=2)
    return weights


_OTHERS: Final = ~np.eye(4, dtype=np.bool_)


@cache
def low_pass(oversampling: int) -> NDArray[np.float64]:
    """Return the taps of a symmetric low-pass on a grid of ``oversampling`` x 50 Hz.

    Kaiser's windowed sinc (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5).
    """
    if oversampling == 1:
        return np.ones(1)
    rate_hz = oversampling * SAMPLING_RATE_HZ
    width = 2 * np.pi * (_STOP_HZ - _PASS_HZ) / rate_hz
    half = int(np.ceil((_STOP_DB - 7.95) / (2.285 * width) / 2))
    beta = 0.5842 * (_STOP_DB - 21) ** 0.4 + 0.07886 * (_STOP_DB - 21)
    place = np.arange(-half, half + 1)
    taps = np.sinc((_PASS_HZ + _STOP_HZ) / rate_hz * place) * np.kaiser(2 * half + 1, beta)
    normalised: NDArray[np.float64] = taps / taps.sum()
    return normalised
