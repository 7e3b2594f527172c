"""Irregular times to the 50 Hz grid, one grid a phone.

A phone's grid begins at its first sample and again after every gap. Times decide, never counts.
A sample within half a millisecond of a grid point is taken untouched; between samples a cubic
runs through the two before and the two after. Samples that are repeated or late are dropped.
What comes out depends on the samples alone, not on how they were cut into messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.signals import SAMPLING_RATE_HZ

ON_GRID_S: Final = 0.5e-3 + 1e-6
"""How far a sample may lie from a grid point and still be that point: what rounding to whole
milliseconds does, and the rounding of epoch seconds in float64."""

MAX_GAP_S: Final = 0.5
"""A longer pause between two samples is a gap: filters and windows begin anew."""

_TAIL: Final = 3
"""Samples kept a phone: those that a grid point not yet reached can still need."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive grid rows of one phone."""

    slot: int
    origin: float | None
    """Time of the first row in epoch seconds if a new grid begins here, else None"""
    rows: NDArray[np.float64]
    """``(n_rows, n_columns)``"""


class Resampler:
    """The grids of all phones that send rows of ``n_columns`` columns."""

    def __init__(self, n_slots: int, n_columns: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.origin = np.full(n_slots, np.nan)  # (slots,): no grid yet
        self.next_index = np.zeros(n_slots, np.int64)
        self.tail_count = np.zeros(n_slots, np.int64)
        self.tail_times = np.zeros((n_slots, _TAIL))
        self.tail_rows = np.zeros((n_slots, _TAIL, n_columns))

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        self.origin[slots] = np.nan
        self.tail_count[slots] = 0

    def push(
        self, slot: int, times: NDArray[np.float64], rows: NDArray[np.float64]
    ) -> tuple[list[Piece], int]:
        """Return the grid rows that one phone's new samples complete, and how many were dropped.

        ``times`` ``(n,)`` are epoch seconds in the order of arrival, ``rows`` ``(n, n_columns)``.
        Between two pieces of the list there is a gap.
        """
        if len(times) >= _TAIL and self._continues_on_grid(slot, times):
            self.next_index[slot] += len(times)
            self._keep_tail(slot, times, rows)
            return [Piece(slot, None, rows)], 0

        count = self.tail_count[slot]
        newest = self.tail_times[slot, -1] if count else -np.inf
        ascending, first_of_each = np.unique(times, return_index=True)
        fresh = first_of_each[ascending > newest]
        known_times, known_rows = self.tail_times[slot], self.tail_rows[slot]
        all_times = np.concatenate([known_times[_TAIL - count :], times[fresh]])
        all_rows = np.concatenate([known_rows[_TAIL - count :], rows[fresh]])

        pieces = []
        gaps = np.flatnonzero(np.diff(all_times) > MAX_GAP_S) + 1
        for number, (stretch_times, stretch_rows) in enumerate(
            zip(np.split(all_times, gaps), np.split(all_rows, gaps), strict=True)
        ):
            begins = number > 0 or count == 0
            piece = self._extend(slot, stretch_times, stretch_rows, begins=begins)
            if len(piece.rows):
                pieces.append(piece)
        return pieces, len(times) - len(fresh)

    def _continues_on_grid(self, slot: int, times: NDArray[np.float64]) -> bool:
        """Return whether the samples are just the next grid points, one for each, and not late."""
        if self.tail_count[slot] and times[0] <= self.tail_times[slot, -1]:
            return False
        grid = self.next_index[slot] + np.arange(len(times))
        offset_s = times - (self.origin[slot] + grid / SAMPLING_RATE_HZ)
        return bool(np.all(np.abs(offset_s) <= ON_GRID_S))  # never without a grid: origin is nan

    def _extend(
        self, slot: int, times: NDArray[np.float64], rows: NDArray[np.float64], *, begins: bool
    ) -> Piece:
        """Return the grid rows that ascending samples without a gap complete."""
        if begins:
            self.origin[slot] = times[0]
            self.next_index[slot] = 0
        origin, first = float(self.origin[slot]), int(self.next_index[slot])
        last = int(np.floor((times[-1] - origin + ON_GRID_S) * SAMPLING_RATE_HZ))
        grid_times = origin + np.arange(first, last + 1) / SAMPLING_RATE_HZ
        grid_rows = _interpolate(times, rows, grid_times)
        self.next_index[slot] += len(grid_rows)
        self._keep_tail(slot, times, rows)
        return Piece(slot, origin if begins else None, grid_rows)

    def _keep_tail(self, slot: int, times: NDArray[np.float64], rows: NDArray[np.float64]) -> None:
        count = min(_TAIL, len(times))
        self.tail_times[slot, _TAIL - count :] = times[len(times) - count :]
        self.tail_rows[slot, _TAIL - count :] = rows[len(times) - count :]
        self.tail_count[slot] = count


def _interpolate(
    times: NDArray[np.float64], rows: NDArray[np.float64], grid_times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rows at the grid times, up to the first that needs a sample yet to come.

    ``times`` ``(n,)`` ascend strictly, ``rows`` ``(n, n_columns)``.
    """
    after = np.searchsorted(times, grid_times - ON_GRID_S)  # first sample not before the point
    known = after < len(times)
    on_grid = known.copy()
    on_grid[known] = times[after[known]] - grid_times[known] <= ON_GRID_S
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
        weights = usable.astype(np.float64)
        for j in range(4):
            for k in range(4):
                if j != k:
                    ratio = (at - node_times[:, k]) / np.where(
                        usable[:, j] & usable[:, k], node_times[:, j] - node_times[:, k], 1.0
                    )
                    weights[:, j] *= np.where(usable[:, k], ratio, 1.0)
        result[between] = np.einsum("nj,njc->nc", weights, rows[nodes])
    return result
