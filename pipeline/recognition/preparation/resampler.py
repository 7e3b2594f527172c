"""Irregular times to the 50 Hz grid, one grid a phone. Times decide, never counts.

* Each sensor's samples are put in the order of their times, and its rate is measured: `source`.
* A phone's grid begins where all the sensors that make up a row have a sample, and again after
  every gap of any of them: `grid`. A sample within half a millisecond of a grid point is taken
  untouched; between samples a cubic runs through the two before and the two after, and sensors
  faster than 110 Hz pass an anti-alias low-pass: `interpolation`.
* The grids that just continue are processed all at once (`continuing`): those whose points the
  samples are (`steady`), those that lie between (`interpolated`), and those of sensors that each
  have times of their own (`separate`).

A phone's rows depend on its messages alone, not on which of them were processed together; and, if
the messages come in their order and from one sensor, not on how samples were cut into them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.continuing import (
    SOLE_SENSORS,
    AlikeSamples,
    Continued,
    Continuing,
    Rows,
)
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.interpolated import Interpolated
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.separate import Separate
from pipeline.recognition.preparation.source import KEPT
from pipeline.recognition.preparation.starts import N_STARTS
from pipeline.recognition.preparation.steady import Steady
from pipeline.recognition.preparation.troubles import Trouble

DEFAULT_LATENESS_S: Final = 0.2


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
        self._interpolated = Interpolated(n_slots)
        self._separate = Separate(n_slots)
        self._grids: dict[int, Grid] = {}  # of phones whose grid does not just continue

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        self._steady.reset(slots)
        self._interpolated.reset(slots)
        self._separate.reset(slots)
        for slot in slots:
            self._grids.pop(slot, None)

    def begin_anew(self, slot: int) -> None:
        """Let one phone's grid begin anew with samples that are newer than all that have come."""
        if self._continuing(slot) or slot in self._grids:
            grid = self._grid(slot)
            for source in grid.sources.values():
                source.begin_anew()
            grid.end()

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays.

        ``steady``, ``interpolated`` and ``separate`` have arrays ``(n_such, ...)`` of the phones
        whose grids are such (the last one nothing if there are none), ``others`` the other grids,
        by index, and ``starts`` what of their sources is taken out of them.
        """
        others = [(i, slot) for i, slot in enumerate(slots.tolist()) if slot in self._grids]
        grids = [self._grids[slot].state() for _, slot in others]
        starts = _starts_taken_out(grids)
        is_steady = self._steady.choice[slots] > 0
        is_interpolated = self._interpolated.choice[slots] > 0
        is_separate = self._separate.choice[slots] > 0
        return {
            "is_steady": is_steady,
            "steady": self._steady.state(slots[is_steady]),
            "is_interpolated": is_interpolated,
            "interpolated": self._interpolated.state(slots[is_interpolated]),
            "is_separate": is_separate,
            "separate": self._separate.state(slots[is_separate]) if is_separate.any() else {},
            "others": [[i, of_grid] for (i, _), of_grid in zip(others, grids, strict=True)],
            "starts": starts,
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self._steady.restore(slots[state["is_steady"]], state["steady"])
        self._interpolated.restore(slots[state["is_interpolated"]], state["interpolated"])
        if state["separate"]:
            self._separate.restore(slots[state["is_separate"]], state["separate"])
        grids = _with_starts([of_grid for _, of_grid in state["others"]], state["starts"])
        for (i, _), of_grid in zip(state["others"], grids, strict=True):
            slot = int(slots[i])
            self._grids[slot] = self._new_grid(slot)
            self._grids[slot].restore(of_grid)

    def begin_together(self, messages: Mapping[int, Readings]) -> list[Rows]:
        """Return the rows of phones, given by slot, whose first message just begins their grids.

        Each row 0 is at the time of the message's first sample. Of the other phones, whose messages
        remain for `push`, nothing is taken.
        """
        alike: defaultdict[tuple[Sensor, int], list[int]] = defaultdict(list)
        for slot, message in messages.items():
            is_first = slot not in self._grids and not self._continuing(slot)
            if is_first and message.sensor in SOLE_SENSORS and len(message.times) > KEPT:
                alike[message.sensor, len(message.times)].append(slot)
        begun_rows = []
        for (sensor, _), group in alike.items():
            samples = _alike_samples(sensor, group, [[messages[slot]] for slot in group])
            begun_rows += self._steady.begin(samples, lateness_s=self._lateness_s)
        return begun_rows

    def push_together(
        self, messages: Mapping[int, Sequence[Sequence[Readings]]]
    ) -> list[Continued]:
        """Take the messages that just continue the grids of their phones, which are given by slot.

        Each message is its readings. Of the other phones, whose messages remain for `push`, nothing
        is taken.
        """
        alike: defaultdict[tuple[Sensor, int], list[int]] = defaultdict(list)
        of_one: dict[int, list[Readings]] = {}
        separate = {}
        for slot, of_phone in messages.items():
            if slot in self._grids:
                continue
            sensor = of_phone[0][0].sensor
            if sensor not in SOLE_SENSORS:
                separate[slot] = of_phone
                continue
            parts = [part for readings in of_phone for part in readings]
            if len(parts) == len(of_phone) and all([part.sensor == sensor for part in parts]):
                of_one[slot] = parts
                alike[sensor, sum([len(part.times) for part in parts])].append(slot)
        continued = [
            self._continued(_alike_samples(sensor, group, [of_one[slot] for slot in group]))
            for (sensor, _), group in alike.items()
        ]
        return continued + self._separate.push(separate)

    def push_block(
        self, slots: NDArray[np.intp], times: NDArray[np.float64], values: NDArray[np.float64]
    ) -> list[Continued]:
        """Take the messages of a block that just continue the grids of their phones.

        Of the other phones, whose messages remain for `push`, nothing is taken.

        Args:
            slots: ``(n_messages,)``, those of a phone in their order.
            times: ``(n_messages, n_samples)``.
            values: ``(n_messages, n_samples, 6)`` in m/s² and rad/s.
        """
        n_samples = times.shape[1]
        order = np.argsort(slots, kind="stable")
        phones, firsts, counts = np.unique(slots[order], return_index=True, return_counts=True)
        results = []
        for count in np.unique(counts).tolist():
            such = counts == count
            of_phones, of_times, of_values = phones[such], times, values
            if len(of_phones) == len(slots):  # each phone once: as they are
                of_phones = slots
            else:
                messages = order[firsts[such, np.newaxis] + np.arange(count)]  # (n_phones, count)
                of_times, of_values = times[messages], values[messages]
            n_of_phone = count * n_samples
            begins = np.zeros((len(of_phones), n_of_phone), np.bool_)
            begins[:, ::n_samples] = True
            samples = AlikeSamples(
                "motion",
                of_phones,
                of_times.reshape(-1, n_of_phone),
                of_values.reshape(-1, n_of_phone, values.shape[2]),
                begins,
            )
            results.append(self._continued(samples))
        return results

    def push(self, slot: int, readings: Sequence[Readings]) -> tuple[list[Piece], Dropped]:
        """Return the grid rows that one phone's next message completes, and what was dropped.

        ``readings`` are all those of the message. Between two pieces of the list there is a gap if
        the second has an origin.
        """
        grid = self._grid(slot)
        result = grid.push(readings)
        if (continuing := self._fitting(grid)) is not None:
            continuing.keep(slot, grid)
            del self._grids[slot]
        return result

    def take_faults(self) -> list[Exception]:
        """Return the errors of ours because of which phones were not taken together, since asked.

        Their messages remain for `push`.
        """
        faults = []
        for continuing in (self._steady, self._interpolated, self._separate):
            faults += continuing.faults
            continuing.faults.clear()
        return faults

    def finish(self, slot: int) -> tuple[list[Piece], Dropped]:
        """Return the rows of one phone that waited for messages which will not come.

        Also return what is dropped of its samples.
        """
        grid = self._grids.get(slot)
        return ([], Dropped()) if grid is None else grid.finish()

    def newest(self, slot: int) -> float:
        """Return the time of the newest sample of one phone, -infinity without any."""
        if continuing := self._continuing(slot):
            return continuing.newest(slot)
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
        if continuing := self._continuing(slot):
            return continuing.sensors_of(slot) == ["prepared"]
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
        if continuing := self._continuing(slot):
            return continuing.rates_hz(slot)
        grid = self._grids.get(slot)
        return {} if grid is None else grid.rates_hz()

    def _grid(self, slot: int) -> Grid:
        """Return a phone's grid by itself."""
        grid = self._grids.get(slot)
        if grid is None:
            grid = self._grids[slot] = self._new_grid(slot)
            if continuing := self._continuing(slot):
                continuing.release(slot, grid)
        return grid

    def _continued(self, samples: AlikeSamples) -> Continued:
        """Take the samples of those phones of whom they just continue the grid."""
        continued, rows = self._steady.push(samples)
        others = np.flatnonzero(~continued)
        if len(others):
            continued[others], interpolated = self._interpolated.push(samples.at(others))
            rows += interpolated
        slots = samples.slots[continued]
        return Continued(slots, rows, len(slots) * samples.times.shape[1])

    def _continuing(self, slot: int) -> Continuing | None:
        """Return where a phone's grid is if it just continues."""
        for continuing in (self._steady, self._interpolated, self._separate):
            if continuing.choice[slot]:
                return continuing
        return None

    def _fitting(self, grid: Grid) -> Continuing | None:
        """Return where a grid can go on together with others, None if it cannot."""
        if grid.just_continues:
            for continuing in (self._steady, self._interpolated, self._separate):
                if continuing.fits(grid):
                    return continuing
        return None

    def _new_grid(self, slot: int) -> Grid:
        """Return a grid without samples."""
        return Grid(slot, self._lateness_s, self._needed_rates)


def _alike_samples(
    sensor: Sensor, slots: Sequence[int], messages: Sequence[Sequence[Readings]]
) -> AlikeSamples:
    """Return phones' messages, each phone's in their order; all have equally many samples."""
    parts = [message for of_phone in messages for message in of_phone]
    rows = np.concatenate([message.values for message in parts])
    lengths = np.array([len(message.times) for message in parts])
    begins = np.zeros(len(rows), np.bool_)
    begins[np.cumsum(lengths) - lengths] = True
    n_phones = len(slots)
    return AlikeSamples(
        sensor,
        np.array(slots),
        np.concatenate([message.times for message in parts]).reshape(n_phones, -1),
        rows.reshape(n_phones, -1, rows.shape[1]),
        begins.reshape(n_phones, -1),
    )


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
