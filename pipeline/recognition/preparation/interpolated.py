"""The grids between whose points the samples lie, as most phones' do; rows are interpolated.

What comes here is what `Grid` would do with the same samples: those of one sensor that follow one
another without a hole that a late message may yet fill, at a rate that needs no low-pass.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.continuing import (
    SOLE_SENSORS,
    AlikeSamples,
    Continuing,
    Rows,
)
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.interpolation import interpolate_together
from pipeline.recognition.preparation.source import HISTORY_S, HOLE, TAIL
from pipeline.recognition.preparation.timing import MAX_GAP_S, ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

MOST_SAMPLES: Final = 256
"""Samples of a phone in a tick; of more, being processed by themselves costs little"""

AT_ONCE: Final = 128
"""Phones whose samples fit into a fast cache together"""


class Interpolated(Continuing):
    """The grids whose rows are interpolated."""

    n_kept: ClassVar[int] = 16
    """Those that a grid can still need (`HISTORY_S` and `TAIL`) at 110 Hz, and some more, as
    samples are not evenly spaced"""
    most_sensors: ClassVar[int] = 1
    most_columns: ClassVar[int] = 9

    def fits(self, grid: Grid) -> bool:
        """Return whether there is room for the samples that it needs."""
        sensor = grid.sensors[0]
        return sensor in SOLE_SENSORS and len(grid.sources[sensor].times) <= self.n_kept

    def push(self, samples: AlikeSamples) -> tuple[NDArray[np.bool_], list[Rows]]:
        """Continue the grids of these phones.

        Return which of the grids were continued, ``(n_phones,)``, and their rows: none of a phone
        whose next grid point needs samples yet to come. Of the others no samples were taken.
        """
        continued = np.zeros(len(samples.slots), np.bool_)
        made: list[Rows] = []
        if samples.times.shape[1] <= MOST_SAMPLES:
            which = np.flatnonzero(self.has(samples))
            for first in range(0, len(which), AT_ONCE):
                part = which[first : first + AT_ONCE]
                with self._noting_faults():
                    continued[part], rows = self._push(samples.at(part))
                    made += rows
        return continued, made

    def _push(self, samples: AlikeSamples) -> tuple[NDArray[np.bool_], list[Rows]]:
        """Do so with phones whose grids are here."""
        source = self.sources[0]
        steps_s = np.diff(samples.times, axis=1, prepend=source.times[samples.slots, -1:])
        continued = np.logical_and.reduce((steps_s > 0) & (steps_s <= MAX_GAP_S), axis=1)
        samples, steps_s = samples.chosen(continued), steps_s[continued]
        measured = source.measured(samples.slots).after(samples.times)
        hole_s = HOLE * (1 / measured.highest_hz)[:, np.newaxis]
        has_hole = (samples.begins & (steps_s > hole_s)).any(axis=1)
        goes_on = measured.is_at_pace & ~has_hole
        continued[continued] = goes_on
        samples, measured = samples.chosen(goes_on), measured.chosen(goes_on)

        slots, n_columns = samples.slots, samples.rows.shape[2]
        times = np.concatenate([source.times[slots], samples.times], axis=1)
        rows = np.concatenate([source.rows[slots, :, :n_columns], samples.rows], axis=1)
        origin, index = self.origin[slots], self.next_index[slots]
        last = np.floor((times[:, -1] - origin + ON_GRID_S) * SAMPLING_RATE_HZ).astype(np.int64)
        indices = index[:, np.newaxis] + np.arange(max((last - index).max(initial=-1), -1) + 1)
        made, n_rows = interpolate_together(
            times,
            rows,
            origin[:, np.newaxis] + indices / SAMPLING_RATE_HZ,
            indices <= last[:, np.newaxis],
            ON_GRID_S,
        )
        index = index + n_rows
        next_s = origin + index / SAMPLING_RATE_HZ
        n_before = (times < (next_s - HISTORY_S)[:, np.newaxis]).sum(axis=1)
        is_kept = n_before - TAIL >= samples.times.shape[1]
        continued[continued] = is_kept
        groups = [Rows(slots[of], made[of_rows]) for of, of_rows in _by_number(n_rows, is_kept)]

        samples = samples.chosen(is_kept)
        slots = samples.slots
        self.next_index[slots] = index[is_kept]
        source.times[slots] = times[is_kept, -self.n_kept :]
        source.rows[slots, :, :n_columns] = rows[is_kept, -self.n_kept :]
        self._note(samples, measured.chosen(is_kept))
        return continued, groups


def _by_number(
    n_rows: NDArray[np.intp], which: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the phones that have equally many rows, and where their rows are ``(n_phones, n)``.

    The rows of all phones are one sequence, ``n_rows`` how many each has. Phones without rows are
    left out, and those that ``which`` leaves out.
    """
    begin = np.cumsum(n_rows) - n_rows
    for n in np.unique(n_rows[which]).tolist():
        if n:
            of = np.flatnonzero(which & (n_rows == n))
            yield of, begin[of, np.newaxis] + np.arange(n)
