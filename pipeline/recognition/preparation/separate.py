"""The grids whose rows come of two or three sensors with times of their own.

What comes here is what `Grid` would do with the same messages: those of the sensors of its rows,
in whatever pattern, each sensor's samples following one another without a hole that a late message
may yet fill, at a rate that needs no low-pass, with clocks that agree.

Strategy: phones whose messages of a tick are alike, of the same sensors with equally many samples,
are processed together. Message by message, as in `Grid`, the rates are measured and the clocks
compared, all on copies. Then the rows of the tick are made at once, of those phones of which there
is nothing else to say.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.choices import CHOICES, Choice, sensors_of
from pipeline.recognition.preparation.clocks import CLOCKS_APART_S, STALL_S
from pipeline.recognition.preparation.continuing import Continued, Continuing, Rows
from pipeline.recognition.preparation.continuing_clocks import MOST_SENSORS, ContinuingClocks
from pipeline.recognition.preparation.continuing_sources import ContinuingSources, MeasuredRates
from pipeline.recognition.preparation.forms import form_of
from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.interpolation import interpolate_together
from pipeline.recognition.preparation.source import HISTORY_S, HOLE, TAIL
from pipeline.recognition.preparation.timing import MAX_GAP_S, ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

MOST_SAMPLES: Final = 1024
"""Samples of a phone's sensor in a tick; of more, being processed by themselves costs little"""

AT_ONCE: Final = 8192
"""New samples of a sensor, of several phones, that fit into a fast cache together"""

Pattern = tuple[tuple[tuple[Sensor, int], ...], ...]
"""Of each message of a phone in a tick the sensors, and how many samples it has of each"""


@dataclass(frozen=True, eq=False)
class SensorSamples:
    """The samples of one sensor of several phones in a tick, equally many each; maybe none."""

    times: NDArray[np.float64]
    """``(n_phones, n_samples)``"""
    rows: NDArray[np.float64]
    """``(n_phones, n_samples, 3)``"""
    begins: NDArray[np.intp]
    """``(n_messages,)``: the first sample of each message"""

    def chosen(self, which: NDArray[np.bool_]) -> "SensorSamples":
        """Return those of the phones that ``which`` ``(n_phones,)`` says."""
        if which.all():
            return self
        return SensorSamples(self.times[which], self.rows[which], self.begins)


@dataclass(frozen=True, eq=False)
class SensorRows:
    """The values of several phones' sensors at their next grid points."""

    values: NDArray[np.float64]
    """``(n, 3)``: one phone's after the other's, one sensor's after the other's"""
    begin: NDArray[np.intp]
    """``(n_sensors, n_phones)``: where they begin in ``values``"""
    n_rows: NDArray[np.intp]
    """``(n_phones,)``: at how many grid points all sensors of a phone have values"""

    def by_number(
        self, choice: Choice, which: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield the phones that have equally many rows, and their rows ``(n_phones, n, 6)``.

        Phones without rows are left out, and those that ``which`` ``(n_phones,)`` leaves out.
        """
        for n in np.unique(self.n_rows[which]).tolist():
            if n:
                of = np.flatnonzero(which & (self.n_rows == n))
                of_sensors = iter(self.values[self.begin[:, of, np.newaxis] + np.arange(n)])
                groups = [[next(of_sensors) for _ in group] for group in choice]
                columns = [sum(rest, start=first) for first, *rest in groups]
                yield of, np.concatenate(columns, axis=2)


class Separate(Continuing):
    """The grids of separate sensors."""

    n_kept: ClassVar[int] = 128
    """Those that a grid can still need, and those of a message that wait for the other sensor's"""
    most_sensors: ClassVar[int] = MOST_SENSORS
    most_columns: ClassVar[int] = 3

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        super().__init__(n_slots)
        self.clocks = ContinuingClocks(n_slots)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, whose grids are here, in copied arrays."""
        return {**super().state(slots), "clocks": self.clocks.state(slots)}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        super().restore(slots, state)
        self.clocks.restore(slots, state["clocks"])

    def fits(self, grid: Grid) -> bool:
        """Return whether nothing but its sensors has come, whose clocks agree, with room for it."""
        return (
            form_of(grid.sensors[0]) == "separate"
            and grid.clocks.of.keys() == set(grid.sensors)
            and grid.clocks.apart_s == 0.0
            and all(len(source.times) <= self.n_kept for source in grid.sources.values())
        )

    def keep(self, slot: int, grid: Grid) -> None:
        """Take over a phone's grid that `fits`."""
        super().keep(slot, grid)
        self.clocks.keep(slot, grid.sensors, grid.clocks)

    def release(self, slot: int, grid: Grid) -> None:
        """Hand a phone's grid over to ``grid``, which is empty; it is here no longer."""
        super().release(slot, grid)
        grid.clocks = self.clocks.kept(slot, grid.sensors)

    def push(self, messages: Mapping[int, Sequence[Sequence[Readings]]]) -> list[Continued]:
        """Continue the grids of those of these phones that are here.

        By slot there are a phone's messages, each the readings of its sensors. Of phones whose
        grids are not continued no samples are taken.
        """
        alike: defaultdict[tuple[int, Pattern], list[int]] = defaultdict(list)
        for slot, of_phone in messages.items():
            if code := int(self.choice[slot]):
                pattern = tuple(
                    [tuple([(one.sensor, len(one.times)) for one in each]) for each in of_phone]
                )
                alike[code, pattern].append(slot)
        continued = []
        for (code, pattern), slots in alike.items():
            choice = CHOICES[code - 1]
            n_samples = dict.fromkeys(sensors_of(choice), 0)
            for sensor, n in [part for message in pattern for part in message]:
                n_samples[sensor] = n_samples.get(sensor, 0) + n
            most = max(n_samples.values())
            if len(n_samples) > len(sensors_of(choice)) or most > MOST_SAMPLES:
                continue
            at_once = max(AT_ONCE // most, 1)
            for first in range(0, len(slots), at_once):
                part = slots[first : first + at_once]
                with self._noting_faults():
                    samples = _samples(choice, pattern, [messages[slot] for slot in part])
                    continued.append(self._push(choice, pattern, np.array(part), samples))
        return continued

    def _push(
        self,
        choice: Choice,
        pattern: Pattern,
        slots: NDArray[np.intp],
        samples: Sequence[SensorSamples],
    ) -> Continued:
        """Continue the grids of phones with alike messages."""
        follows = np.ones(len(slots), np.bool_)
        for source, of_sensor in zip(self.sources, samples, strict=False):
            before = source.newest[slots, np.newaxis]
            steps_s = np.diff(of_sensor.times, axis=1, prepend=before)
            follows &= ((steps_s > 0) & (steps_s <= MAX_GAP_S)).all(axis=1)
        slots, samples = slots[follows], [one.chosen(follows) for one in samples]
        goes_on, rates, clocks = self._walk(sensors_of(choice), pattern, slots, samples)
        if not goes_on.all():
            slots, samples = slots[goes_on], [one.chosen(goes_on) for one in samples]
            rates = [one.chosen(goes_on) for one in rates]

        if len(slots) == 0:
            return Continued(slots, [], 0)
        times, rows = self._with_last(slots, samples)
        origin, index = self.origin[slots], self.next_index[slots]
        made = _made_rows(times, rows, origin, index)
        index = index + made.n_rows
        needed = _n_needed(times, origin + index / SAMPLING_RATE_HZ)
        is_kept = np.logical_and.reduce(needed <= self.n_kept, axis=0)
        groups = [Rows(slots[of], joined) for of, joined in made.by_number(choice, is_kept)]

        goes_on[goes_on] = is_kept
        slots = slots[is_kept]
        self.next_index[slots] = index[is_kept]
        self.clocks.put(slots, clocks, goes_on)
        n_samples = 0
        for i, of_sensor in enumerate(samples):
            if len(of_sensor.begins):
                n_last = min(int(needed[i, is_kept].max(initial=1)), self.n_kept, times.shape[2])
                source, measured = self.sources[i], rates[i].chosen(is_kept)
                source.times[slots, :-n_last] = -np.inf
                source.times[slots, -n_last:] = times[i, is_kept, -n_last:]
                source.rows[slots, -n_last:] = rows[i, is_kept, -n_last:]
                new = of_sensor.times[is_kept]
                n_messages = np.full(len(slots), len(of_sensor.begins))
                starts = new[:, of_sensor.begins].ravel()
                source.note(slots, new[:, -1], starts, n_messages, measured)
                n_samples += new.size
        return Continued(slots, groups, n_samples)

    def _walk(
        self,
        sensors: Sequence[Sensor],
        pattern: Pattern,
        slots: NDArray[np.intp],
        samples: Sequence[SensorSamples],
    ) -> tuple[NDArray[np.bool_], list[MeasuredRates], ContinuingClocks]:
        """Measure rates and compare clocks, message by message of phones whose samples follow.

        Return of which phones there is nothing else to say, and what came of it: of each sensor
        the rates, and the clocks.
        """
        goes_on = np.ones(len(slots), np.bool_)
        sources = self.sources[: len(sensors)]
        rates = [source.measured(slots) for source in sources]
        newest = np.stack([source.newest[slots] for source in sources], axis=1)
        clocks = self.clocks.copies(slots, len(sensors))
        n_passed = [0] * len(sensors)
        for message in pattern:
            for sensor, n in message:
                i = sensors.index(sensor)
                times = samples[i].times[:, n_passed[i] : n_passed[i] + n]
                n_passed[i] += n
                goes_on &= times[:, 0] - newest[:, i] <= HOLE * (1 / rates[i].rate_hz)
                rates[i] = rates[i].after(times)
                newest[:, i] = times[:, -1]
                clocks.note(i, newest[:, i])
            intervals_s = 1 / np.stack([of_sensor.rate_hz for of_sensor in rates])
            goes_on &= clocks.compare(CLOCKS_APART_S + intervals_s.max(axis=0))
            goes_on &= newest.min(axis=1) >= newest.max(axis=1) - STALL_S
        for of_sensor in rates:
            goes_on &= of_sensor.is_at_pace
        return goes_on, rates, clocks

    def _with_last(
        self, slots: NDArray[np.intp], samples: Sequence[SensorSamples]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return new samples behind those before that rows can need.

        These are times ``(n_sensors, n_phones, n)``, -infinity before a sensor's first, and rows
        ``(n_sensors, n_phones, n, 3)``.
        """
        next_s = self.origin[slots] + self.next_index[slots] / SAMPLING_RATE_HZ
        before = []
        for source, _ in zip(self.sources, samples, strict=False):
            of_phones = source.times[slots]
            n_last = min(int(_n_needed(of_phones, next_s).max(initial=1)), self.n_kept)
            before.append((of_phones[:, -n_last:], source.rows[slots, -n_last:]))
        n_each = [
            last.shape[1] + one.times.shape[1]
            for (last, _), one in zip(before, samples, strict=True)
        ]
        times = np.full((len(samples), len(slots), max(n_each)), -np.inf)
        rows = np.zeros((*times.shape, self.most_columns))
        for i, ((last, last_rows), one) in enumerate(zip(before, samples, strict=True)):
            at = times.shape[2] - one.times.shape[1]
            times[i, :, at:], rows[i, :, at:] = one.times, one.rows
            first = at - last.shape[1]
            times[i, :, first:at], rows[i, :, first:at] = last, last_rows
        return times, rows

    def _n_last(self, source: ContinuingSources, slots: NDArray[np.intp]) -> int:
        """Return how many of a sensor's last samples are to be saved of these phones."""
        return int((source.times[slots] > -np.inf).sum(axis=1).max(initial=0))


def _samples(
    choice: Choice, pattern: Pattern, messages: Sequence[Sequence[Sequence[Readings]]]
) -> list[SensorSamples]:
    """Return the samples of each sensor of a choice in several phones' messages of a pattern."""
    samples = []
    parts = [part for message in pattern for part in message]
    for sensor in sensors_of(choice):
        sizes = [n for other, n in parts if other == sensor]
        readings = [
            one
            for of_phone in messages
            for message in of_phone
            for one in message
            if one.sensor == sensor
        ]
        times, rows = np.empty(0), np.empty((0, 3))
        if readings:
            times = np.concatenate([one.times for one in readings])
            rows = np.concatenate([one.values for one in readings])
        shape = len(messages), sum(sizes)
        begins = np.cumsum([0, *sizes[:-1]]) if sizes else np.empty(0, np.intp)
        samples.append(SensorSamples(times.reshape(shape), rows.reshape(*shape, 3), begins))
    return samples


def _made_rows(
    times: NDArray[np.float64],
    rows: NDArray[np.float64],
    origin: NDArray[np.float64],
    index: NDArray[np.int64],
) -> SensorRows:
    """Return what can be made of samples at the grid points from ``index`` ``(n_phones,)`` on.

    Args:
        times: ``(n_sensors, n_phones, n)``, -infinity before a sensor's first.
        rows: ``(n_sensors, n_phones, n, 3)``.
        origin: time of each grid's point 0, ``(n_phones,)``.
        index: of the first point, ``(n_phones,)``.
    """
    n_sensors, n_phones, n_samples = times.shape
    last_time = times[:, :, -1].min(axis=0)
    last = np.floor((last_time - origin + ON_GRID_S) * SAMPLING_RATE_HZ).astype(np.int64)
    indices = index[:, np.newaxis] + np.arange(max((last - index).max(initial=-1), -1) + 1)
    values, n_each = interpolate_together(
        times.reshape(-1, n_samples),
        rows.reshape(-1, n_samples, rows.shape[3]),
        np.tile(origin[:, np.newaxis] + indices / SAMPLING_RATE_HZ, (n_sensors, 1)),
        np.tile(indices <= last[:, np.newaxis], (n_sensors, 1)),
        ON_GRID_S,
    )
    shape = n_sensors, n_phones
    begin = (np.cumsum(n_each) - n_each).reshape(shape)
    return SensorRows(values, begin, n_each.reshape(shape).min(axis=0))


def _n_needed(times: NDArray[np.float64], next_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return how many of their last samples grids need whose next points are at ``next_s``.

    ``times`` is ``(..., n_phones, n_samples)``, ``next_s`` ``(n_phones,)``.
    """
    needed: NDArray[np.intp] = (times >= (next_s - HISTORY_S)[:, np.newaxis]).sum(axis=-1) + TAIL
    return needed
