"""Irregular times to the 50 Hz grid, one grid a phone. Times decide, never counts.

* Each sensor's samples are put in the order of their times, and its rate is measured: `source`.
* A phone's grid begins where all the sensors that make up a row have a sample, and again after
  every gap of any of them: `grid`. A sample within half a millisecond of a grid point is taken
  untouched; between samples a cubic runs through the two before and the two after, and sensors
  faster than 110 Hz pass an anti-alias low-pass: `interpolation`.
* The grids that just continue are processed all at once: `steady`.

A phone's rows depend on its messages alone, not on which of them were processed together; and, if
the messages come in their order and from one sensor, not on how samples were cut into them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.source import KEPT, TAIL
from pipeline.recognition.preparation.starts import N_STARTS
from pipeline.recognition.preparation.steady import STEADY_SENSORS, Steady
from pipeline.recognition.preparation.troubles import Trouble

DEFAULT_LATENESS_S: Final = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows with which several phones' grids continue, equally many each."""

    slots: NDArray[np.intp]
    """``(n_phones,)``"""
    rows: NDArray[np.float64]
    """``(n_phones, n_rows, n_columns)``: raw (6) or prepared (9)"""


class Resampler:
    """The grids of all phones."""

    def __init__(
        self,
        n_slots: int,
        *,
        lateness_s: float = DEFAULT_LATENESS_S,
        needed_rates: NeededRates = NeededRates(),  # noqa: B008 - it is frozen
    ) -> None:
        """Make room for ``n_slots`` phones; their messages may overtake by ``lateness_s``."""
        self._lateness_s = lateness_s
        self._needed_rates = needed_rates
        self._steady = Steady(n_slots)
        self._grids: dict[int, Grid] = {}  # of phones whose grid is not steady

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        self._steady.reset(slots)
        for slot in slots:
            self._grids.pop(slot, None)

    def begin_anew(self, slot: int) -> None:
        """Let one phone's grid begin anew with samples that are newer than all that have come."""
        if self._steady.sensor[slot] or slot in self._grids:
            grid = self._grid(slot)
            for source in grid.sources.values():
                source.begin_anew()
            grid.end()

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays.

        ``steady`` has arrays ``(n_steady, ...)`` of the phones that are, ``others`` the grids of
        those that are not, by index, and ``starts`` what of their sources is taken out of them.
        """
        unsteady = [(i, slot) for i, slot in enumerate(slots.tolist()) if slot in self._grids]
        grids = [self._grids[slot].state() for _, slot in unsteady]
        starts = _starts_taken_out(grids)
        is_steady = self._steady.sensor[slots] > 0
        return {
            "is_steady": is_steady,
            "steady": self._steady.state(slots[is_steady]),
            "others": [[i, of_grid] for (i, _), of_grid in zip(unsteady, grids, strict=True)],
            "starts": starts,
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self._steady.restore(slots[state["is_steady"]], state["steady"])
        grids = _with_starts([of_grid for _, of_grid in state["others"]], state["starts"])
        for (i, _), of_grid in zip(state["others"], grids, strict=True):
            slot = int(slots[i])
            self._grids[slot] = self._new_grid(slot)
            self._grids[slot].restore(of_grid)

    def begin_steady(self, messages: Mapping[int, Readings]) -> list[Rows]:
        """Return the rows of phones, given by slot, whose first message just begins their grids.

        Each row 0 is at the time of the message's first sample. Of the other phones, whose messages
        remain for `push`, nothing is taken.
        """
        alike: defaultdict[tuple[Sensor, int], list[int]] = defaultdict(list)
        for slot, message in messages.items():
            is_first = slot not in self._grids and not self._steady.sensor[slot]
            if is_first and message.sensor in STEADY_SENSORS and len(message.times) > KEPT:
                alike[message.sensor, len(message.times)].append(slot)
        begun_rows = []
        for (sensor, _), group in alike.items():
            slots, rows = np.array(group), np.stack([messages[slot].values for slot in group])
            times = np.stack([messages[slot].times for slot in group])
            begun = self._steady.begin(sensor, slots, times, rows, lateness_s=self._lateness_s)
            if begun.any():
                begun_rows.append(Rows(slots[begun], rows[begun]))
        return begun_rows

    def push_steady(self, messages: Mapping[int, Sequence[Readings]]) -> list[Rows]:
        """Return the rows of the phones, given by slot, whose messages just continue their grids.

        Each message has one sensor's readings. Of the other phones, whose messages remain for
        `push`, nothing is taken.
        """
        alike: defaultdict[tuple[Sensor, int], list[int]] = defaultdict(list)
        for slot, of_phone in messages.items():
            if slot in self._grids:
                continue
            sensor, n_rows = of_phone[0].sensor, len(of_phone[0].times)
            if len(of_phone) > 1:
                if min(len(message.times) for message in of_phone) < TAIL:
                    continue
                if any(message.sensor != sensor for message in of_phone):
                    continue
                n_rows = sum(len(message.times) for message in of_phone)
            if n_rows >= TAIL and sensor in STEADY_SENSORS:
                alike[sensor, n_rows].append(slot)
        continued_rows = []
        for (sensor, n_rows), group in alike.items():
            parts = [message for slot in group for message in messages[slot]]
            rows = np.concatenate([message.values for message in parts])
            continued, rows = self._steady.push(
                sensor,
                slots := np.array(group),
                np.concatenate([message.times for message in parts]).reshape(-1, n_rows),
                rows.reshape(-1, n_rows, rows.shape[1]),
                n_messages=np.array([len(messages[slot]) for slot in group]),
                starts=np.array([message.times[0] for message in parts]),
            )
            if len(rows):
                continued_rows.append(Rows(slots[continued], rows))
        return continued_rows

    def push_steady_block(
        self, slots: NDArray[np.intp], times: NDArray[np.float64], values: NDArray[np.float64]
    ) -> list[Rows]:
        """Return the rows of the phones whose messages just continue their grids.

        Of the other phones, whose messages remain for `push`, nothing is taken.

        Args:
            slots: ``(n_messages,)``, those of a phone in their order.
            times: ``(n_messages, n_rows)``.
            values: ``(n_messages, n_rows, 6)`` in m/s² and rad/s.
        """
        n_rows = times.shape[1]
        if n_rows < TAIL:
            return []
        order = np.argsort(slots, kind="stable")
        phones, firsts, counts = np.unique(slots[order], return_index=True, return_counts=True)
        continued_rows = []
        for count in np.unique(counts).tolist():
            such = counts == count
            of_phones, of_times, of_values = phones[such], times, values
            if len(of_phones) == len(slots):  # each phone once: as they are
                of_phones = slots
            else:
                messages = order[firsts[such, np.newaxis] + np.arange(count)]  # (n_phones, count)
                of_times, of_values = times[messages], values[messages]
            continued, rows = self._steady.push(
                "motion",
                of_phones,
                of_times.reshape(-1, count * n_rows),
                of_values.reshape(-1, count * n_rows, values.shape[2]),
                n_messages=np.full(len(of_phones), count),
                starts=of_times[..., 0].ravel(),
            )
            if len(rows):
                continued_rows.append(Rows(of_phones[continued], rows))
        return continued_rows

    def push(self, slot: int, readings: Sequence[Readings]) -> tuple[list[Piece], Dropped]:
        """Return the grid rows that one phone's next message completes, and what was dropped.

        ``readings`` are all those of the message. Between two pieces of the list there is a gap if
        the second has an origin.
        """
        grid = self._grid(slot)
        result = grid.push(readings)
        if self._steady.keep(slot, grid):
            del self._grids[slot]
        return result

    def finish(self, slot: int) -> tuple[list[Piece], Dropped]:
        """Return the rows of one phone that waited for messages which will not come.

        Also return what is dropped of its samples.
        """
        grid = self._grids.get(slot)
        return ([], Dropped()) if grid is None else grid.finish()

    def newest(self, slot: int) -> float:
        """Return the time of the newest sample of one phone, -infinity without any."""
        if self._steady.sensor[slot]:
            return float(self._steady.newest[slot])
        grid = self._grids.get(slot)
        return -np.inf if grid is None else grid.newest

    def newest_come(self, slot: int) -> float:
        """Return the same, also of samples that wait for others."""
        grid = self._grids.get(slot)
        if grid is None:
            return self.newest(slot)
        return max((source.newest_come for source in grid.sources.values()), default=-np.inf)

    def is_prepared(self, slot: int) -> bool:
        """Return whether one phone sends prepared samples."""
        if self._steady.sensor[slot]:
            return self._steady.sensor_of(slot) == "prepared"
        return slot in self._grids and "prepared" in self._grids[slot].sources

    def lacks(self, slot: int) -> list[Sensor]:
        """Return the sensors that one phone's rows still lack."""
        grid = self._grids.get(slot)
        return [] if grid is None else grid.lacks()

    def troubles(self, slot: int) -> frozenset[Trouble]:
        """Return those of `troubles.TROUBLES` that one phone's samples have."""
        grid = self._grids.get(slot)
        return frozenset() if grid is None else grid.troubles

    def clocks_apart_s(self, slot: int) -> float:
        """Return by how much one phone's accelerometer is ahead of its gyroscope, in seconds.

        0 if their clocks agree.
        """
        grid = self._grids.get(slot)
        return 0.0 if grid is None else grid.clocks.apart_s

    def rates_hz(self, slot: int) -> dict[Sensor, float]:
        """Return how fast the sensors are that one phone's rows are made of, in hertz."""
        if self._steady.sensor[slot]:
            return {self._steady.sensor_of(slot): float(self._steady.rate_hz[slot])}
        grid = self._grids.get(slot)
        return {} if grid is None else grid.rates_hz()

    def _grid(self, slot: int) -> Grid:
        """Return a phone's grid by itself."""
        grid = self._grids.get(slot)
        if grid is None:
            grid = self._grids[slot] = self._new_grid(slot)
            if self._steady.sensor[slot]:
                self._steady.release(slot, grid)
        return grid

    def _new_grid(self, slot: int) -> Grid:
        """Return a grid without samples."""
        return Grid(slot, self._lateness_s, self._needed_rates)


def _starts_taken_out(grids: Iterable[dict[str, Any]]) -> NDArray[np.int64]:
    """Take the starts of all sources ``(n_sources, 256)`` out of the states of their grids.

    Returned are the differences of their bits, which are much alike and so pack small together.
    """
    rings = [source.pop("starts") for grid in grids for source in grid["sources"].values()]
    bits = np.array(rings, np.float64).reshape(-1, N_STARTS).view(np.int64)
    return np.diff(bits, axis=1, prepend=0)


def _with_starts(
    grids: Iterable[Mapping[str, Any]], differences: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Return the states of grids with what `_starts_taken_out` took out of them."""
    rings = iter(np.cumsum(differences, axis=1).view(np.float64))
    return [
        {
            **grid,
            "sources": {
                sensor: {**source, "starts": next(rings)}
                for sensor, source in grid["sources"].items()
            },
        }
        for grid in grids
    ]
