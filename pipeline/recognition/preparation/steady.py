"""The steady grids: their samples are their points."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.continuing import (
    SOLE_SENSORS,
    AlikeSamples,
    Continuing,
    Rows,
)
from pipeline.recognition.preparation.continuing_sources import MeasuredRates
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.pace import MEASURED_S
from pipeline.recognition.preparation.source import KEPT, SURVEY_S
from pipeline.recognition.preparation.timing import ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ


class Steady(Continuing):
    """The steady grids."""

    n_kept: ClassVar[int] = KEPT
    most_sensors: ClassVar[int] = 1
    most_columns: ClassVar[int] = 9

    def fits(self, grid: Grid) -> bool:
        """Return whether the samples that are kept are the grid's last points."""
        if grid.sensors[0] not in SOLE_SENSORS:
            return False
        source = grid.sources[grid.sensors[0]]
        if len(source.times) != KEPT:
            return False
        points = np.arange(grid.next_index - KEPT, grid.next_index)
        offset_s = source.times - (grid.origin + points / SAMPLING_RATE_HZ)
        return bool(np.all(np.abs(offset_s) <= ON_GRID_S))

    def begin(self, samples: AlikeSamples, *, lateness_s: float) -> list[Rows]:
        """Begin the grids of phones of which nothing has come so far, each with a message.

        Return the rows of those for which that is all that there is to it: the samples as they
        are. Of the others no samples were taken. A grid begins when nothing older can come any
        more: messages may overtake by ``lateness_s``.
        """
        begun: list[Rows] = []
        with self._noting_faults():
            samples = samples.chosen(self._begun(samples, lateness_s=lateness_s))
            if len(samples.slots):
                begun.append(self._begin(samples))
        return begun

    def _begun(self, samples: AlikeSamples, *, lateness_s: float) -> NDArray[np.bool_]:
        """Return of which phones a message just begins the grid, ``(n_phones,)``."""
        times = samples.times
        grid_s = times[:, :1] + np.arange(times.shape[1]) / SAMPLING_RATE_HZ
        taken_s = times[:, -1] - times[:, 0]
        begun = (np.abs(times - grid_s) <= ON_GRID_S / 2).all(axis=1)
        begun &= (taken_s >= SURVEY_S) & (taken_s > lateness_s) & (taken_s < MEASURED_S)
        return begun

    def _begin(self, samples: AlikeSamples) -> Rows:
        """Begin the grids of these phones."""
        slots, times = samples.slots, samples.times
        rate_hz = _surveyed_hz(times)
        self._take_over(samples)
        self.origin[slots], self.next_index[slots] = times[:, 0], times.shape[1]
        source = self.sources[0]
        source.times[slots] = times[:, -KEPT:]
        source.rows[slots, :, : samples.rows.shape[2]] = samples.rows[:, -KEPT:]
        n_measured = np.full(len(slots), times.shape[1] - 1)
        self._note(samples, MeasuredRates(times[:, 0], n_measured, rate_hz, rate_hz, rate_hz))
        return Rows(slots, samples.rows)

    def push(self, samples: AlikeSamples) -> tuple[NDArray[np.bool_], list[Rows]]:
        """Continue the grids of these phones.

        Return which of the grids were continued, ``(n_phones,)``, and their rows. Of the others no
        samples were taken.
        """
        continued, made = np.zeros(len(samples.slots), np.bool_), []
        with self._noting_faults():
            continued, rows = self._push(samples)
            if continued.any():
                made.append(Rows(samples.slots[continued], rows))
        return continued, made

    def _push(self, samples: AlikeSamples) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Do so, and return all rows ``(n_continued, n_rows, n_columns)``."""
        slots, times, source = samples.slots, samples.times, self.sources[0]
        grid = self.next_index[slots, np.newaxis] + np.arange(times.shape[1])
        offset_s = times - (self.origin[slots, np.newaxis] + grid / SAMPLING_RATE_HZ)
        continued = (np.abs(offset_s) <= ON_GRID_S).all(axis=1)
        continued &= times[:, 0] > source.newest[slots]
        continued &= self.has(samples)
        samples = samples.chosen(continued)
        measured = source.measured(samples.slots).after(samples.times)
        if not measured.is_at_pace.all():
            continued[continued] = measured.is_at_pace
            samples = samples.chosen(measured.is_at_pace)
            measured = measured.chosen(measured.is_at_pace)
        slots, rows = samples.slots, samples.rows

        n_columns = rows.shape[2]
        last_times, last_rows = samples.times, rows
        if times.shape[1] < KEPT:
            last_times = np.concatenate([source.times[slots], last_times], axis=1)
            last_rows = np.concatenate([source.rows[slots, :, :n_columns], rows], axis=1)
        self.next_index[slots] += times.shape[1]
        source.times[slots] = last_times[:, -KEPT:]
        source.rows[slots, :, :n_columns] = last_rows[:, -KEPT:]
        self._note(samples, measured)
        return continued, rows


def _surveyed_hz(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate by which `SensorSource` begins a grid, ``(n_phones,)``, in hertz."""
    n_surveyed = (times <= times[:, :1] + SURVEY_S).sum(axis=1)
    rate_hz = np.empty(len(times))
    for n in np.unique(n_surveyed).tolist():
        alike = n_surveyed == n
        rate_hz[alike] = 1 / np.median(np.diff(times[alike, :n], axis=1), axis=1)
    return rate_hz
