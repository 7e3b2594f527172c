"""The steady grids, which just continue, in arrays over all phones.

Most phones' samples just continue on their grids, and then hardly anything of a grid changes. The
messages of all such phones are processed at once. A steady grid becomes a `Grid` with a
`SensorSource` only for as long as something else happens.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.pace import (
    ANTI_ALIAS_ABOVE_HZ,
    MEASURED_S,
    SURELY_LOW_RATE_HZ,
)
from pipeline.recognition.preparation.source import KEPT, SURVEY_S, SensorSource
from pipeline.recognition.preparation.start_rings import StartRings
from pipeline.recognition.preparation.timing import ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

STEADY_SENSORS: Final[tuple[Sensor, ...]] = ("motion", "prepared")
"""Those of which one makes up a row."""

_N_COLUMNS: Final[Mapping[Sensor, int]] = {"motion": 6, "prepared": 9}


class Steady(PerPhone):
    """The steady grids."""

    _per_phone = (
        *("sensor", "origin", "next_index", "newest", "latest_start"),
        *("times", "measured_from", "n_measured", "rate_hz"),
    )

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.sensor = np.zeros(n_slots, np.int8)  # 1 + index into STEADY_SENSORS, 0 for no grid
        self.origin = np.zeros(n_slots)
        self.next_index = np.zeros(n_slots, np.int64)
        self.newest = np.zeros(n_slots)
        self.latest_start = np.zeros(n_slots)
        self.times = np.zeros((n_slots, KEPT))
        self.rows = np.zeros((n_slots, KEPT, max(_N_COLUMNS.values())))
        self.starts = StartRings(n_slots)
        # As in `RateMeter`:
        self.measured_from = np.zeros(n_slots)
        self.n_measured = np.zeros(n_slots, np.int64)
        self.rate_hz = np.zeros(n_slots)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        self.sensor[slots] = 0
        self.starts.reset(slots)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays ``(n_phones, ...)``."""
        sensors = np.unique(self.sensor[slots]).tolist()
        n_columns = max([_N_COLUMNS[STEADY_SENSORS[i - 1]] for i in sensors if i], default=0)
        return {
            **super().state(slots),
            "rows": self.rows[slots, :, :n_columns],
            "starts": self.starts.state(slots),
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        super().restore(slots, state)
        rows = state["rows"]
        self.rows[slots, :, : rows.shape[2]] = rows
        self.starts.restore(slots, state["starts"])

    def begin(
        self,
        sensor: Sensor,
        slots: NDArray[np.intp],
        times: NDArray[np.float64],
        rows: NDArray[np.float64],
        *,
        lateness_s: float,
    ) -> NDArray[np.bool_]:
        """Begin the grids of phones of which nothing has come so far, each with a message.

        Return where that is all that there is to it, ``(n_phones,)``: the samples are the grid's
        rows, as they are. Of the others no samples were taken.

        Args:
            sensor: of all samples.
            slots: ``(n_phones,)``, each phone once.
            times: ``(n_phones, n_rows)`` in seconds on the phone's clock.
            rows: ``(n_phones, n_rows, n_columns)``.
            lateness_s: a grid begins when nothing older can come any more.
        """
        origin, newest = times[:, :1], times[:, -1]
        grid_s = origin + np.arange(times.shape[1]) / SAMPLING_RATE_HZ
        taken_s = newest - origin[:, 0]
        begun = (np.abs(times - grid_s) <= ON_GRID_S / 2).all(axis=1)
        begun &= (taken_s >= SURVEY_S) & (taken_s > lateness_s) & (taken_s < MEASURED_S)
        slots, times, rows, newest = slots[begun], times[begun], rows[begun], newest[begun]
        self.sensor[slots] = 1 + STEADY_SENSORS.index(sensor)
        self.origin[slots], self.next_index[slots] = times[:, 0], times.shape[1]
        self.newest[slots], self.latest_start[slots] = newest, times[:, 0]
        self.times[slots], self.rows[slots, :, : rows.shape[2]] = times[:, -KEPT:], rows[:, -KEPT:]
        self.starts.begin(slots, times[:, 0])
        self.measured_from[slots], self.n_measured[slots] = times[:, 0], times.shape[1] - 1
        self.rate_hz[slots] = _surveyed_hz(times)
        return begun

    def push(
        self,
        sensor: Sensor,
        slots: NDArray[np.intp],
        times: NDArray[np.float64],
        rows: NDArray[np.float64],
        *,
        n_messages: NDArray[np.intp],
        starts: NDArray[np.float64],
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Continue the grids of these phones, which have equally many samples each.

        Return which of the grids were continued, ``(n_phones,)``, and their rows,
        ``(n_continued, n_rows, n_columns)``. Of the others no samples were taken.

        Args:
            sensor: of all samples.
            slots: ``(n_phones,)``, each phone once.
            times: ``(n_phones, n_rows)`` in seconds on the phone's clock.
            rows: ``(n_phones, n_rows, n_columns)``.
            n_messages: ``(n_phones,)``: in how many messages the samples of each came.
            starts: ``(n_messages in all,)``: time of each message's first sample.
        """
        grid = self.next_index[slots, np.newaxis] + np.arange(times.shape[1])
        offset_s = times - (self.origin[slots, np.newaxis] + grid / SAMPLING_RATE_HZ)
        continued = (np.abs(offset_s) <= ON_GRID_S).all(axis=1)
        continued &= times[:, 0] > self.newest[slots]
        continued &= self.sensor[slots] == 1 + STEADY_SENSORS.index(sensor)
        measured_from, n_measured, rate_hz = self._measure(slots[continued], times[continued])
        at_pace = (rate_hz >= SURELY_LOW_RATE_HZ) & (rate_hz <= ANTI_ALIAS_ABOVE_HZ)
        if not at_pace.all():
            continued[continued] = at_pace
            measured_from, n_measured = measured_from[at_pace], n_measured[at_pace]
            rate_hz = rate_hz[at_pace]
        if not continued.all():
            starts = starts[np.repeat(continued, n_messages)]
            slots, times, rows = slots[continued], times[continued], rows[continued]
            n_messages = n_messages[continued]

        self.next_index[slots] += times.shape[1]
        self.newest[slots] = times[:, -1]
        self.latest_start[slots] = starts[np.cumsum(n_messages) - 1]
        n_columns = rows.shape[2]
        last_times, last_rows = times, rows
        if times.shape[1] < KEPT:
            last_times = np.concatenate([self.times[slots], times], axis=1)
            last_rows = np.concatenate([self.rows[slots, :, :n_columns], rows], axis=1)
        self.times[slots] = last_times[:, -KEPT:]
        self.rows[slots, :, :n_columns] = last_rows[:, -KEPT:]
        self.measured_from[slots], self.n_measured[slots] = measured_from, n_measured
        self.rate_hz[slots] = rate_hz
        self.starts.append(slots, n_messages, starts)
        return continued, rows

    def keep(self, slot: int, grid: Grid) -> bool:
        """Take over a phone's grid if it is steady; return whether it is."""
        if not grid.is_steady or grid.sensors[0] not in STEADY_SENSORS:
            return False
        [sensor] = grid.sensors
        source = grid.sources[sensor]
        self.sensor[slot] = 1 + STEADY_SENSORS.index(sensor)
        self.origin[slot], self.next_index[slot] = grid.origin, grid.next_index
        self.newest[slot], self.latest_start[slot] = source.newest, source.latest_start
        self.times[slot], self.rows[slot, :, : source.rows.shape[1]] = source.times, source.rows
        self.starts.keep(slot, source.starts)
        self.measured_from[slot] = source.meter.begin
        self.n_measured[slot], self.rate_hz[slot] = source.meter.n, source.meter.rate_hz
        return True

    def release(self, slot: int, grid: Grid) -> None:
        """Hand a phone's grid over to ``grid``, which is empty; it is steady no longer."""
        sensor = self.sensor_of(slot)
        source = SensorSource(_N_COLUMNS[sensor], grid.lateness_s)
        grid.sources[sensor] = source
        grid.choice, grid.sensors = ((sensor,),), [sensor]
        grid.origin, grid.next_index = float(self.origin[slot]), int(self.next_index[slot])
        source.times = self.times[slot].copy()
        source.rows = self.rows[slot, :, : _N_COLUMNS[sensor]].copy()
        source.joined, source.n_released = np.ones(KEPT, np.bool_), KEPT
        source.newest = float(self.newest[slot])
        source.latest_start = float(self.latest_start[slot])
        source.starts = self.starts.release(slot)
        source.meter.begin = float(self.measured_from[slot])
        source.meter.n = int(self.n_measured[slot])
        source.meter.rate_hz = float(self.rate_hz[slot])
        self.sensor[slot] = 0

    def sensor_of(self, slot: int) -> Sensor:
        """Return the sensor of a phone's grid, which is steady."""
        return STEADY_SENSORS[int(self.sensor[slot]) - 1]

    def _measure(
        self, slots: NDArray[np.intp], times: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Return what `RateMeter` would have after these times ``(n_phones, n_rows)``.

        That is the beginning of the measurement under way, its samples, and the rate measured last.
        """
        begin, n, rate_hz = self.measured_from[slots], self.n_measured[slots], self.rate_hz[slots]
        n_rows = times.shape[1]
        n = n + n_rows
        over = np.flatnonzero(times[:, -1] >= begin + MEASURED_S)
        while len(over):
            of_phone = times[over]
            last = (of_phone < (begin[over] + MEASURED_S)[:, np.newaxis]).sum(axis=1)
            end = of_phone[np.arange(len(over)), last]
            behind = n_rows - 1 - last
            rate_hz[over] = (n[over] - behind) / (end - begin[over])
            begin[over], n[over] = end, behind
            over = over[of_phone[:, -1] >= end + MEASURED_S]
        return begin, n, rate_hz


def _surveyed_hz(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate by which `SensorSource` begins a grid, ``(n_phones,)``, in hertz."""
    n_surveyed = (times <= times[:, :1] + SURVEY_S).sum(axis=1)
    rate_hz = np.empty(len(times))
    for n in np.unique(n_surveyed).tolist():
        alike = n_surveyed == n
        rate_hz[alike] = 1 / np.median(np.diff(times[alike, :n], axis=1), axis=1)
    return rate_hz
