"""Values between samples: a cubic through four of them, and the low-pass before it.

Both are pure functions of times and rows; which samples there are is decided in `source`.
"""

from functools import cache
from itertools import permutations
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
    computable = on_grid | (after + 1 < len(times))
    n_rows = len(grid_times) if computable.all() else int(computable.argmin())
    after, on_grid, grid_times = after[:n_rows], on_grid[:n_rows], grid_times[:n_rows]
    return _rows_at(times, rows, grid_times, after, on_grid, np.zeros(n_rows, np.intp))


def interpolate_together(
    times: NDArray[np.float64],
    rows: NDArray[np.float64],
    grid_times: NDArray[np.float64],
    is_due: NDArray[np.bool_],
    tolerance_s: float,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return what `interpolate` would of each of several phones.

    That is the rows ``(n, n_columns)``, one phone's after the other's, and how many each has.

    Args:
        times: ``(n_phones, n_samples)``, each phone's last ones; -infinity before its first.
        rows: ``(n_phones, n_samples, n_columns)``.
        grid_times: ``(n_phones, n_times)``.
        is_due: ``(n_phones, n_times)``: which of them are meant, the first ones of each phone.
        tolerance_s: as for `interpolate`.
    """
    n_phones, n_samples = times.shape
    is_before = times[:, np.newaxis, :] < (grid_times - tolerance_s)[:, :, np.newaxis]
    after = np.count_nonzero(is_before, axis=2)
    at_after = np.take_along_axis(times, np.minimum(after, n_samples - 1), axis=1)
    on_grid = (after < n_samples) & (at_after - grid_times <= tolerance_s)
    computable = is_due & (on_grid | (after + 1 < n_samples))
    wanted = np.logical_and.accumulate(computable, axis=1)
    # From here on the samples of all phones are one sequence.
    begin = n_samples * np.arange(n_phones)[:, np.newaxis]
    first = begin + (times == -np.inf).sum(axis=1, keepdims=True)
    made = _rows_at(
        times.ravel(),
        rows.reshape(-1, rows.shape[2]),
        grid_times[wanted],
        (begin + after)[wanted],
        on_grid[wanted],
        np.broadcast_to(first, wanted.shape)[wanted],
    )
    return made, wanted.sum(axis=1)


def _rows_at(
    times: NDArray[np.float64],
    rows: NDArray[np.float64],
    grid_times: NDArray[np.float64],
    after: NDArray[np.intp],
    on_grid: NDArray[np.bool_],
    first: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the rows at grid times, of which it is known between which samples they lie.

    Args:
        times: ``(n_samples,)``.
        rows: ``(n_samples, n_columns)``.
        grid_times: ``(n,)``.
        after: ``(n,)``: the first sample that is not before the grid time.
        on_grid: ``(n,)``: whether that sample is taken as it is.
        first: ``(n,)``: the first sample that may be used.
    """
    result = rows[after]
    between = ~on_grid
    if between.any():
        at, after, first = grid_times[between], after[between], first[between]
        # Lagrange's cubic through two samples before and two after; a grid's second point has
        # only one before it, so the quadratic through three.
        nodes = after + _NODES
        usable = nodes >= first
        nodes = np.maximum(nodes, first)
        node_times = times[nodes]
        usable[[0, 3]] &= node_times[2] - node_times[1] <= _LONGEST_CUBIC_S
        weights = _lagrange(at, node_times, usable)
        known = rows[nodes]  # (4, n_between, n_columns)
        cubic = weights[0, :, np.newaxis] * known[0]
        for j in (1, 2, 3):
            cubic += weights[j, :, np.newaxis] * known[j]
        harmful = np.abs(weights).sum(axis=0) > _HARMLESS_WEIGHTS
        if harmful.any():
            low, high = known[:, harmful].min(axis=0), known[:, harmful].max(axis=0)
            margin = _OVERSHOOT * (high - low)
            cubic[harmful] = np.clip(cubic[harmful], low - margin, high + margin)
        result[between] = cubic
    return result


_NODES: Final = np.array([-2, -1, 0, 1])[:, np.newaxis]
"""The samples that a cubic runs through, from the first one that is not before the grid time"""


def _lagrange(
    at: NDArray[np.float64], nodes: NDArray[np.float64], usable: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the weights ``(4, n)`` that Lagrange's polynomial gives its nodes at some times.

    ``at`` is ``(n,)``, ``nodes`` ``(4, n)`` are the nodes' times; those not ``usable`` have none.
    """
    weights = usable.astype(np.float64)
    for j, k in permutations(range(4), 2):
        both = usable[j] & usable[k]
        apart = np.where(both, nodes[j] - nodes[k], 1.0)
        weights[j] *= np.where(both, (at - nodes[k]) / apart, 1.0)
    return weights


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
