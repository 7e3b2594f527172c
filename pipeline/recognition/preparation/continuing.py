"""Grids that just continue, in arrays over all phones.

Most phones' samples just follow those before, and then hardly anything of a grid changes but its
last samples. The messages of all such phones are processed at once. A grid that just continues
becomes a `Grid` with a `SensorSource` for each sensor only for as long as something else happens.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor, limits
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.choices import CHOICES, Choice, sensors_of
from pipeline.recognition.preparation.continuing_sources import ContinuingSources, MeasuredRates
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.source import SensorSource
from pipeline.vocabulary import SAMPLING_RATE_HZ

SOLE_SENSORS: Final[tuple[Sensor, ...]] = ("motion", "prepared")
"""Those of which one makes up a row."""

_N_SENSORS: Final = np.array([0, *(len(sensors_of(choice)) for choice in CHOICES)])
"""Sensors of what arrays name a choice"""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows with which several phones' grids continue, equally many each."""

    slots: NDArray[np.intp]
    """``(n_phones,)``"""
    rows: NDArray[np.float64]
    """``(n_phones, n_rows, n_columns)``: raw (6) or prepared (9)"""


@dataclass(frozen=True, eq=False)
class Continued:
    """What became of messages that just continue their phones' grids."""

    slots: NDArray[np.intp]
    """``(n_phones,)``"""
    rows: list[Rows]
    """Of some of these phones, each once"""
    n_samples: int
    """Samples of all of them"""


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


class Continuing(PerPhone, ABC):
    """Grids of which nothing but samples that follow has come for a while."""

    n_kept: ClassVar[int]
    """Samples that are kept of a phone's sensor"""
    most_sensors: ClassVar[int]
    """Sensors that make up a row"""
    most_columns: ClassVar[int]
    """Columns of a sensor"""
    _per_phone = ("choice", "origin", "next_index")

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.choice = np.zeros(n_slots, np.int8)  # 1 + index into `CHOICES`, 0 for no grid
        self.origin = np.zeros(n_slots)
        self.next_index = np.zeros(n_slots, np.int64)
        self.sources = [
            ContinuingSources(n_slots, self.n_kept, self.most_columns)
            for _ in range(self.most_sensors)
        ]
        """The sensors of a choice in their order; those beyond have nothing"""
        self.faults: list[Exception] = []
        """Errors of ours because of which phones were not continued; the caller may empty it"""

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        here = [slot for slot in slots if self.choice[slot]]
        self.choice[here] = 0
        for source in self.sources:
            source.starts.reset(here)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, whose grids are here, in copied arrays."""
        choices = [CHOICES[code - 1] for code in np.unique(self.choice[slots]).tolist()]
        sensors = {sensor for choice in choices for sensor in sensors_of(choice)}
        n_columns = max([len(limits(sensor)) for sensor in sensors], default=0)
        sources = []
        for source, of_source in zip(self.sources, self._of_sources(slots), strict=True):
            sources.append(source.saved(of_source, self._n_last(source, of_source), n_columns))
        return {**super().state(slots), "sources": sources}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        super().restore(slots, state)
        of_sources = self._of_sources(slots)
        for source, of_source, saved in zip(
            self.sources, of_sources, state["sources"], strict=True
        ):
            source.restore(of_source, saved)

    def sensors_of(self, slot: int) -> list[Sensor]:
        """Return the sensors of a phone's grid, which is here."""
        return sensors_of(self._choice_of(slot))

    def newest(self, slot: int) -> float:
        """Return the time of the newest sample of a phone whose grid is here."""
        n_sensors = _N_SENSORS[self.choice[slot]]
        return float(max(source.newest[slot] for source in self.sources[:n_sensors]))

    def rates_hz(self, slot: int) -> dict[Sensor, float]:
        """Return how fast the sensors are of a phone whose grid is here, in hertz."""
        # Of the sources there may be more than the grid has sensors.
        both = zip(self.sensors_of(slot), self.sources, strict=False)
        return {sensor: float(source.rate_hz[slot]) for sensor, source in both}

    def has(self, samples: AlikeSamples) -> NDArray[np.bool_]:
        """Return which of some phones' grids are here and of the sensor, ``(n_phones,)``."""
        is_here: NDArray[np.bool_] = self.choice[samples.slots] == _code(((samples.sensor,),))
        return is_here

    @abstractmethod
    def fits(self, grid: Grid) -> bool:
        """Return whether a grid that just continues can be taken over."""

    def keep(self, slot: int, grid: Grid) -> None:
        """Take over a phone's grid that `fits`."""
        self.choice[slot] = _code(grid.choice)
        self.origin[slot], self.next_index[slot] = grid.origin, grid.next_index
        for sensor, source in zip(grid.sensors, self.sources, strict=False):
            source.keep(slot, grid.sources[sensor])

    def release(self, slot: int, grid: Grid) -> None:
        """Hand a phone's grid over to ``grid``, which is empty; it is here no longer."""
        grid.choice, grid.sensors = self._choice_of(slot), self.sensors_of(slot)
        grid.origin, grid.next_index = float(self.origin[slot]), int(self.next_index[slot])
        next_time = grid.origin + grid.next_index / SAMPLING_RATE_HZ
        for sensor, source in zip(grid.sensors, self.sources, strict=False):
            grid.sources[sensor] = SensorSource(len(limits(sensor)), grid.lateness_s)
            source.release(slot, grid.sources[sensor])
            grid.sources[sensor].keep_for(next_time)  # as if never here
        self.choice[slot] = 0

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """Keep an error of ours from ending what other phones have sent."""
        try:
            yield
        except Exception as error:  # whatever it is
            self.faults.append(error)

    def _take_over(self, samples: AlikeSamples) -> None:
        """Begin with phones of which nothing is here."""
        self.choice[samples.slots] = _code(((samples.sensor,),))
        self.sources[0].starts.begin(samples.slots, samples.times[:, 0])

    def _note(self, samples: AlikeSamples, measured: MeasuredRates) -> None:
        """Note which messages came of the only sensor, and what was measured with them."""
        starts, n_messages = samples.times[samples.begins], samples.begins.sum(axis=1)
        self.sources[0].note(samples.slots, samples.times[:, -1], starts, n_messages, measured)

    def _choice_of(self, slot: int) -> Choice:
        return CHOICES[int(self.choice[slot]) - 1]

    def _of_sources(self, slots: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return for each source those of the phones that have so many sensors."""
        n_sensors = _N_SENSORS[self.choice[slots]]
        return [slots[n_sensors > i] for i in range(len(self.sources))]

    def _n_last(self, source: ContinuingSources, slots: NDArray[np.intp]) -> int:
        """Return how many of a sensor's last samples are to be saved of these phones."""
        return self.n_kept


def _code(choice: Choice) -> int:
    """Return how arrays name a choice."""
    return 1 + CHOICES.index(choice)
