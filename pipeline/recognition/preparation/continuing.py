"""Grids that just continue, in arrays over all phones.

Most phones' samples just follow those before, and then hardly anything of a grid changes but its
last samples. The messages of all such phones are processed at once. A grid that just continues
becomes a `Grid` with a `SensorSource` only for as long as something else happens.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

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
from pipeline.recognition.preparation.source import SensorSource
from pipeline.recognition.preparation.start_rings import StartRings
from pipeline.vocabulary import SAMPLING_RATE_HZ

CONTINUING_SENSORS: Final[tuple[Sensor, ...]] = ("motion", "prepared")
"""Those of which one makes up a row."""

_N_COLUMNS: Final[Mapping[Sensor, int]] = {"motion": 6, "prepared": 9}


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows with which several phones' grids continue, equally many each."""

    slots: NDArray[np.intp]
    """``(n_phones,)``"""
    rows: NDArray[np.float64]
    """``(n_phones, n_rows, n_columns)``: raw (6) or prepared (9)"""


@dataclass(frozen=True, eq=False)
class AlikeSamples:
    """The samples of several phones in a tick, equally many each and of one sensor."""

    sensor: Sensor
    slots: NDArray[np.intp]
    """``(n_phones,)``, each phone once"""
    times: NDArray[np.float64]
    """``(n_phones, n_samples)`` in seconds on the phone's clock"""
    rows: NDArray[np.float64]
    """``(n_phones, n_samples, n_columns)``"""
    begins: NDArray[np.bool_]
    """``(n_phones, n_samples)``: whether a message begins with the sample"""

    def chosen(self, which: NDArray[np.bool_]) -> "AlikeSamples":
        """Return those of the phones that ``which`` ``(n_phones,)`` says."""
        return self if which.all() else self.at(which)

    def at(self, places: NDArray[Any]) -> "AlikeSamples":
        """Return those of the phones that an index array names."""
        return AlikeSamples(
            self.sensor,
            self.slots[places],
            self.times[places],
            self.rows[places],
            self.begins[places],
        )


@dataclass(frozen=True, eq=False)
class MeasuredRates:
    """What `RateMeter` has after the samples of several phones, ``(n_phones,)`` each."""

    begin: NDArray[np.float64]
    """Where the measurement under way begins"""
    n: NDArray[np.int64]
    """Samples since then"""
    rate_hz: NDArray[np.float64]
    """The rate measured last"""
    lowest_hz: NDArray[np.float64]
    highest_hz: NDArray[np.float64]
    """Of the rates measured meanwhile and the one before"""

    @property
    def is_at_pace(self) -> NDArray[np.bool_]:
        """Where all rates are of `STEADY_PACE`."""
        return (self.lowest_hz >= SURELY_LOW_RATE_HZ) & (self.highest_hz <= ANTI_ALIAS_ABOVE_HZ)

    def chosen(self, which: NDArray[np.bool_]) -> "MeasuredRates":
        """Return that of those of the phones that ``which`` ``(n_phones,)`` says."""
        return MeasuredRates(
            self.begin[which],
            self.n[which],
            self.rate_hz[which],
            self.lowest_hz[which],
            self.highest_hz[which],
        )


class Continuing(PerPhone, ABC):
    """Grids of one sensor each, of which nothing but samples that follow has come for a while."""

    n_kept: ClassVar[int]
    """Samples that are kept of a phone"""
    _per_phone = (
        *("sensor", "origin", "next_index", "newest", "latest_start"),
        *("times", "measured_from", "n_measured", "rate_hz"),
    )

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.sensor = np.zeros(n_slots, np.int8)  # 1 + index into the sensors, 0 for no grid
        self.origin = np.zeros(n_slots)
        self.next_index = np.zeros(n_slots, np.int64)
        self.newest = np.zeros(n_slots)
        self.latest_start = np.zeros(n_slots)
        self.times = np.zeros((n_slots, self.n_kept))  # -infinity for samples that are missing
        self.rows = np.zeros((n_slots, self.n_kept, max(_N_COLUMNS.values())))
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
        n_columns = max([_N_COLUMNS[CONTINUING_SENSORS[i - 1]] for i in sensors if i], default=0)
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

    def sensor_of(self, slot: int) -> Sensor:
        """Return the sensor of a phone's grid, which is here."""
        return CONTINUING_SENSORS[int(self.sensor[slot]) - 1]

    def has(self, samples: AlikeSamples) -> NDArray[np.bool_]:
        """Return which of some phones' grids are here and of the sensor, ``(n_phones,)``."""
        is_here: NDArray[np.bool_] = self.sensor[samples.slots] == _code(samples.sensor)
        return is_here

    @abstractmethod
    def fits(self, grid: Grid) -> bool:
        """Return whether a grid that just continues can be taken over."""

    def keep(self, slot: int, grid: Grid) -> None:
        """Take over a phone's grid that `fits`."""
        [sensor] = grid.sensors
        source = grid.sources[sensor]
        self.sensor[slot] = _code(sensor)
        self.origin[slot], self.next_index[slot] = grid.origin, grid.next_index
        self.newest[slot], self.latest_start[slot] = source.newest, source.latest_start
        n_missing = self.n_kept - len(source.times)
        self.times[slot, :n_missing] = -np.inf
        self.times[slot, n_missing:] = source.times
        self.rows[slot, n_missing:, : source.rows.shape[1]] = source.rows
        self.starts.keep(slot, source.starts)
        self.measured_from[slot] = source.meter.begin
        self.n_measured[slot], self.rate_hz[slot] = source.meter.n, source.meter.rate_hz

    def release(self, slot: int, grid: Grid) -> None:
        """Hand a phone's grid over to ``grid``, which is empty; it is here no longer."""
        sensor = self.sensor_of(slot)
        source = SensorSource(_N_COLUMNS[sensor], grid.lateness_s)
        grid.sources[sensor] = source
        grid.choice, grid.sensors = ((sensor,),), [sensor]
        grid.origin, grid.next_index = float(self.origin[slot]), int(self.next_index[slot])
        is_there = self.times[slot] > -np.inf
        source.times = self.times[slot, is_there]
        source.rows = self.rows[slot, is_there, : _N_COLUMNS[sensor]]
        source.n_released = len(source.times)
        source.joined = np.ones(source.n_released, np.bool_)
        source.newest = float(self.newest[slot])
        source.latest_start = float(self.latest_start[slot])
        source.starts = self.starts.release(slot)
        source.meter.begin = float(self.measured_from[slot])
        source.meter.n = int(self.n_measured[slot])
        source.meter.rate_hz = float(self.rate_hz[slot])
        source.keep_for(grid.origin + grid.next_index / SAMPLING_RATE_HZ)  # as if never here
        self.sensor[slot] = 0

    def _take_over(self, samples: AlikeSamples) -> None:
        """Begin with phones of which nothing is here."""
        self.sensor[samples.slots] = _code(samples.sensor)
        self.starts.begin(samples.slots, samples.times[:, 0])

    def _measured(self, samples: AlikeSamples) -> MeasuredRates:
        """Return what `RateMeter` would have after samples without a gap."""
        slots, times = samples.slots, samples.times
        begin, n, rate_hz = self.measured_from[slots], self.n_measured[slots], self.rate_hz[slots]
        lowest_hz, highest_hz = rate_hz.copy(), rate_hz.copy()
        n_samples = times.shape[1]
        n = n + n_samples
        over = np.flatnonzero(times[:, -1] >= begin + MEASURED_S)
        while len(over):
            of_phone = times[over]
            last = (of_phone < (begin[over] + MEASURED_S)[:, np.newaxis]).sum(axis=1)
            end = of_phone[np.arange(len(over)), last]
            behind = n_samples - 1 - last
            rate_hz[over] = (n[over] - behind) / (end - begin[over])
            lowest_hz[over] = np.minimum(lowest_hz[over], rate_hz[over])
            highest_hz[over] = np.maximum(highest_hz[over], rate_hz[over])
            begin[over], n[over] = end, behind
            over = over[of_phone[:, -1] >= end + MEASURED_S]
        return MeasuredRates(begin, n, rate_hz, lowest_hz, highest_hz)

    def _note(self, samples: AlikeSamples, measured: MeasuredRates) -> None:
        """Note which messages came, and what was measured with them."""
        slots = samples.slots
        self.newest[slots] = samples.times[:, -1]
        starts, n_messages = samples.times[samples.begins], samples.begins.sum(axis=1)
        self.latest_start[slots] = starts[np.cumsum(n_messages) - 1]
        self.starts.append(slots, n_messages, starts)
        self.measured_from[slots], self.n_measured[slots] = measured.begin, measured.n
        self.rate_hz[slots] = measured.rate_hz


def _code(sensor: Sensor) -> int:
    """Return how arrays name a sensor."""
    return 1 + CONTINUING_SENSORS.index(sensor)
