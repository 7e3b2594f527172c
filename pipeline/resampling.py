"""Irregular times to the 50 Hz grid, one grid a phone. Times decide, never counts.

* Each sensor's samples are put in the order of their times. Where one message does not follow on
  the one before, another may still come: what lies behind the hole waits until a message begins
  more than the *lateness* after it. Samples that come later still, or again, are dropped; but if
  for two seconds nothing else comes, the phone's clock was set back.
* A phone's grid begins where all the sensors that make up a row have a sample, and again after
  every gap of any of them. A sample within half a millisecond of a grid point is taken untouched;
  between samples a cubic runs through the two before and the two after.
* Sensors faster than 100 Hz pass an anti-alias low-pass on their way to the grid.

What comes out depends on the samples alone, not on how they were cut into messages.

Most phones' samples just continue on their grids, and then hardly anything of a grid changes. Such
a *steady* grid is kept in arrays over all phones, and a tick's messages for all of them are dealt
with at once; it becomes a `_Grid` with its `_Source` only for as long as something else happens.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.signals import SAMPLING_RATE_HZ
from pipeline.slots import PerPhone

ON_GRID_S: Final = 0.5e-3 + 1e-6
"""How far a sample may lie from a grid point and still be that point: what rounding to whole
milliseconds does, and the rounding of epoch seconds in float64."""

MAX_GAP_S: Final = 0.5
"""A longer pause between two samples of a sensor is a gap: filters and windows begin anew."""

DEFAULT_LATENESS_S: Final = 0.2

HOLD_S: Final = 2.0
"""More than this is not held back: a window has 2.56 s."""

SURVEY_S: Final = 0.3
"""A grid begins when this much of each sensor is known: how fast it is, and which there are."""

SET_BACK_S: Final = 2.0
"""So long may nothing but late samples come until the phone's clock counts as set back."""

STALL_S: Final = 5.0
"""A sensor that is so far behind the phone's others is waited for no longer."""

ANTI_ALIAS_ABOVE_HZ: Final = 110.0
"""Faster sensors are low-passed: 100 Hz, as phones keep it, with some margin."""

MOST_OVERSAMPLING: Final = 20
"""Sensors of more than 1,000 Hz are interpolated to that first."""

_PASS_HZ: Final = 16.0
_STOP_HZ: Final = 34.0  # what lies above would fold to below _PASS_HZ
_STOP_DB: Final = 40.0

_HOLE: Final = 1.5
"""A pause of so many sampling intervals may hide a message that is yet to come."""

_TAIL: Final = 3
"""Samples kept behind the next grid point: those that it can still need."""

_STARTS: Final = 256
"""Messages a sensor whose repetition is recognised however late it comes"""

Choice = tuple[tuple[Sensor, ...], ...]
"""What makes up a row: for each group of columns the sensors whose sum it is."""

_ACCELERATIONS: Final[tuple[tuple[Sensor, ...], ...]] = (
    ("accelerometer",),
    ("accelerometer_uncalibrated",),
    ("linear_acceleration", "gravity"),
)
_ANGULAR_VELOCITIES: Final[tuple[tuple[Sensor, ...], ...]] = (
    ("gyroscope",),
    ("gyroscope_uncalibrated",),
)
CHOICES: Final[tuple[Choice, ...]] = (
    (("prepared",),),
    (("motion",),),
    *((acc, gyro) for acc in _ACCELERATIONS for gyro in _ANGULAR_VELOCITIES),
)
"""What a row can be made of, the best first."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive grid rows of one phone."""

    slot: int
    origin: float | None
    """Time of the first row in epoch seconds if a new grid begins here, else None"""
    rows: NDArray[np.float64]
    """``(n_rows, n_columns)``: raw (6) or prepared (9)"""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows with which several phones' grids continue, equally many each."""

    slots: NDArray[np.intp]
    """``(n_phones,)``"""
    rows: NDArray[np.float64]
    """``(n_phones, n_rows, n_columns)``: raw (6) or prepared (9)"""


_STEADY_SENSORS: Final[tuple[Sensor, ...]] = ("motion", "prepared")
"""Those of which one makes up a row."""

_N_COLUMNS: Final[Mapping[Sensor, int]] = {"motion": 6, "prepared": 9}


class _Steady(PerPhone):
    """The grids that just continue, in arrays over all phones."""

    _per_phone = (
        *("sensor", "origin", "next_index", "interval_s", "newest", "latest_start"),
        *("times", "rows", "starts", "n_starts"),
    )

    def __init__(self, n_slots: int) -> None:
        self.sensor = np.zeros(n_slots, np.int8)  # 1 + index into _STEADY_SENSORS, 0 for no grid
        self.origin = np.zeros(n_slots)
        self.next_index = np.zeros(n_slots, np.int64)
        self.interval_s = np.zeros(n_slots)
        self.newest = np.zeros(n_slots)
        self.latest_start = np.zeros(n_slots)
        self.times = np.zeros((n_slots, _TAIL))
        self.rows = np.zeros((n_slots, _TAIL, max(_N_COLUMNS.values())))
        self.starts = np.zeros((n_slots, _STARTS))
        self.n_starts = np.zeros(n_slots, np.int64)

    def push(
        self, sensor: Sensor, slots: NDArray[np.intp], messages: Sequence[Sequence[Readings]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Let the grids of these phones continue with messages of as many samples for each.

        Return which of the grids they continue, ``(n_phones,)``; of the others nothing was taken;
        and the rows of those, ``(n_continued, n_rows, n_columns)``.
        """
        shape = len(messages), -1
        times = np.concatenate([one.times for of_phone in messages for one in of_phone])
        starts = times[_firsts([len(one.times) for of_phone in messages for one in of_phone])]
        times = times.reshape(shape)
        grid = self.next_index[slots, np.newaxis] + np.arange(times.shape[1])
        offset_s = times - (self.origin[slots, np.newaxis] + grid / SAMPLING_RATE_HZ)
        continued = (np.abs(offset_s) <= ON_GRID_S).all(axis=1)
        continued &= times[:, 0] > self.newest[slots]
        continued &= self.sensor[slots] == 1 + _STEADY_SENSORS.index(sensor)
        rows = np.concatenate([one.values for of_phone in messages for one in of_phone])
        rows = rows.reshape(*shape, rows.shape[1])
        n_messages = np.array([len(of_phone) for of_phone in messages])
        if not continued.all():
            starts = starts[np.repeat(continued, n_messages)]
            slots, times, rows = slots[continued], times[continued], rows[continued]
            n_messages = n_messages[continued]

        self.next_index[slots] += times.shape[1]
        self.newest[slots] = times[:, -1]
        self.latest_start[slots] = starts[np.cumsum(n_messages) - 1]
        self.times[slots] = times[:, -_TAIL:]
        self.rows[slots, :, : rows.shape[2]] = rows[:, -_TAIL:]
        of_starts = np.repeat(slots, n_messages)
        nth = np.arange(len(starts)) - np.repeat(np.cumsum(n_messages) - n_messages, n_messages)
        self.starts[of_starts, (self.n_starts[of_starts] + nth) % _STARTS] = starts
        self.n_starts[slots] += n_messages
        return continued, rows

    def keep(self, slot: int, grid: "_Grid") -> bool:
        """Take a phone's grid over if it is steady; return whether it is."""
        if len(grid.sensors) != 1 or grid.sensors[0] not in _STEADY_SENSORS:
            return False
        [sensor] = grid.sensors
        source = grid.sources[sensor]
        if not source.is_steady or len(grid.sources) != 1:
            return False
        self.sensor[slot] = 1 + _STEADY_SENSORS.index(sensor)
        self.origin[slot], self.next_index[slot] = grid.origin, grid.next_index
        self.interval_s[slot], self.newest[slot] = source.interval_s, source.newest
        self.latest_start[slot] = source.latest_start
        self.times[slot], self.rows[slot, :, : source.rows.shape[1]] = source.times, source.rows
        self.starts[slot], self.n_starts[slot] = source.starts.ring, source.starts.count
        return True

    def release(self, slot: int, lateness_s: float) -> "_Grid":
        """Give a phone's grid up, and return it by itself."""
        sensor = self.sensor_of(slot)
        grid = _Grid(slot, lateness_s)
        source = _Source(_N_COLUMNS[sensor], lateness_s)
        grid.sources[sensor] = source
        grid.choice, grid.sensors = ((sensor,),), [sensor]
        grid.origin, grid.next_index = float(self.origin[slot]), int(self.next_index[slot])
        source.times = self.times[slot].copy()
        source.rows = self.rows[slot, :, : _N_COLUMNS[sensor]].copy()
        source.joined, source.n_released = np.ones(_TAIL, np.bool_), _TAIL
        source.interval_s, source.newest = float(self.interval_s[slot]), float(self.newest[slot])
        source.latest_start = float(self.latest_start[slot])
        source.starts.ring[:] = self.starts[slot]
        source.starts.count = int(self.n_starts[slot])
        self.sensor[slot] = 0
        return grid

    def sensor_of(self, slot: int) -> Sensor:
        """Return the sensor of a grid that is here."""
        return _STEADY_SENSORS[int(self.sensor[slot]) - 1]


class Resampler:
    """The grids of all phones."""

    def __init__(self, n_slots: int, *, lateness_s: float = DEFAULT_LATENESS_S) -> None:
        """Make room for ``n_slots`` phones; their messages may overtake by ``lateness_s``."""
        self._lateness_s = lateness_s
        self._steady = _Steady(n_slots)
        self._grids: dict[int, _Grid] = {}  # of phones whose grid is not steady

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the grids of these phones."""
        self._steady.sensor[slots] = 0
        for slot in slots:
            self._grids.pop(slot, None)

    def state(self, slots: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return all that is known of these phones, in arrays of their own.

        Those of steady grids are ``(n_phones, ...)``; the others' are as `_packed` says.
        """
        state = {f"steady.{name}": array for name, array in self._steady.state(slots).items()}
        phones = [(i, slot) for i, slot in enumerate(slots.tolist()) if slot in self._grids]
        state["others.phone"] = np.array([i for i, _ in phones], np.int64)
        packed = _packed([self._grids[slot] for _, slot in phones])
        return state | {f"others.{name}": array for name, array in packed.items()}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Know of these phones what `state` returned; a slot may be another than it was."""
        of_steady, of_others = (
            {name.removeprefix(kind): state[name] for name in state if name.startswith(kind)}
            for kind in ("steady.", "others.")
        )
        self._steady.restore(slots, of_steady)
        others = slots[of_others["phone"]].tolist()
        self._grids |= zip(others, _unpacked(of_others, others, self._lateness_s), strict=True)

    def push_steady(self, messages: Mapping[int, Sequence[Readings]]) -> list[Rows]:
        """Return the rows of those phones, by slot, whose messages just continue their grids.

        Of the others, whose messages remain for `push`, nothing is taken.
        """
        alike: defaultdict[tuple[Sensor, int], list[int]] = defaultdict(list)
        for slot, of_phone in messages.items():
            if slot in self._grids:
                continue
            sensor, n_rows = of_phone[0].sensor, len(of_phone[0].times)
            if len(of_phone) > 1:
                if min(len(one.times) for one in of_phone) < _TAIL:
                    continue
                if any(one.sensor != sensor for one in of_phone):
                    continue
                n_rows = sum(len(one.times) for one in of_phone)
            if n_rows >= _TAIL and sensor in _STEADY_SENSORS:
                alike[sensor, n_rows].append(slot)
        found = []
        for (sensor, _), group in alike.items():
            slots = np.array(group)
            continued, rows = self._steady.push(sensor, slots, [messages[slot] for slot in group])
            if len(rows):
                found.append(Rows(slots[continued], rows))
        return found

    def push(self, slot: int, readings: Sequence[Readings]) -> tuple[list[Piece], int]:
        """Return the grid rows that one phone's new samples complete, and how many were dropped.

        Between two pieces of the list there is a gap.
        """
        grid = self._grids.get(slot)
        if grid is None:
            grid = self._grids[slot] = (
                self._steady.release(slot, self._lateness_s)
                if self._steady.sensor[slot]
                else _Grid(slot, self._lateness_s)
            )
        result = grid.push(readings)
        if self._steady.keep(slot, grid):
            del self._grids[slot]
        return result

    def finish(self, slot: int) -> list[Piece]:
        """Return the rows of one phone that waited for messages which will not come."""
        grid = self._grids.get(slot)
        return [] if grid is None else grid.finish()

    def newest(self, slot: int) -> float:
        """Return the time of the newest sample of one phone, -infinity without any."""
        if self._steady.sensor[slot]:
            return float(self._steady.newest[slot])
        grid = self._grids.get(slot)
        times = [] if grid is None else [one.newest for one in grid.sources.values()]
        return max(times, default=-np.inf)

    def lacks(self, slot: int) -> list[Sensor]:
        """Return what one phone would have to send besides for there to be rows."""
        grid = self._grids.get(slot)
        if grid is None or grid.choice or not grid.sources:
            return []
        needs = [set(sum(choice, ())) for choice in CHOICES]
        begun = [need for need in needs if need & grid.sources.keys()]
        nearest = min(begun, key=lambda need: (len(need - grid.sources.keys()), -len(need)))
        return sorted(nearest - grid.sources.keys())

    def rates_hz(self, slot: int) -> dict[Sensor, float]:
        """Return how fast the sensors are that one phone's rows are made of, in hertz."""
        if self._steady.sensor[slot]:
            return {self._steady.sensor_of(slot): 1 / float(self._steady.interval_s[slot])}
        grid = self._grids.get(slot)
        if grid is None:
            return {}
        return {sensor: 1 / grid.sources[sensor].interval_s for sensor in grid.sensors}


class _Grid:
    """One phone's sensors, and its rows."""

    def __init__(self, slot: int, lateness_s: float) -> None:
        self._slot = slot
        self._lateness_s = lateness_s
        self.sources: dict[Sensor, _Source] = {}
        self.choice: Choice = ()
        """What rows are made of; empty while the grid has not begun"""
        self.sensors: list[Sensor] = []
        """The sensors of `choice`"""
        self.origin = 0.0
        """Epoch seconds of row 0"""
        self.next_index = 0

    def push(self, readings: Sequence[Readings]) -> tuple[list[Piece], int]:
        pieces: list[Piece] = []
        n_dropped = 0
        waiting = False
        for one in readings:
            if not waiting and self._continues_on_grid(one):
                self.next_index += len(one.times)
                n_dropped += self.sources[one.sensor].replace(one.times, one.values)
                pieces.append(Piece(self._slot, None, one.values))
            else:
                n_dropped += self._take(one)
                waiting = True
        if waiting:
            pieces += self._advance()
            n_dropped += self._stop_waiting()
        return pieces, n_dropped

    def finish(self) -> list[Piece]:
        for source in self.sources.values():
            source.release_all()
        return self._advance(finishing=True)

    def _continues_on_grid(self, readings: Readings) -> bool:
        """Return whether the samples are just the next grid points, one for each, and not late."""
        times = readings.times
        if self.sensors != [readings.sensor] or len(times) < _TAIL:
            return False
        source = self.sources[readings.sensor]
        if not source.is_plain or times[0] <= source.newest:
            return False
        grid = self.next_index + np.arange(len(times))
        offset_s = times - (self.origin + grid / SAMPLING_RATE_HZ)
        return bool(np.all(np.abs(offset_s) <= ON_GRID_S))

    def _take(self, readings: Readings) -> int:
        """Take samples to their sensor's; return how many were dropped."""
        sensor, times = readings.sensor, readings.times
        family = _family(sensor)
        if self.choice and sensor not in self.sensors:
            newest = max(self.sources[one].newest for one in self.sensors)
            if family == _family(self.sensors[0]) and times.max() < newest + STALL_S:
                return 0  # another source of what the rows already have
            self._forget()
        if any(_family(other) != family for other in self.sources):
            self._forget()
        if sensor not in self.sources:
            self.sources[sensor] = _Source(readings.values.shape[1], self._lateness_s)
        source = self.sources[sensor]
        n_dropped = source.push(times, readings.values)
        if source.is_set_back:
            self._set_back()
        return n_dropped

    def _forget(self) -> None:
        self.sources.clear()
        self._end()

    def _end(self) -> None:
        self.choice, self.sensors = (), []

    def _set_back(self) -> None:
        """Go on with the samples that came while the clock seemed to lag, and with no others."""
        for source in self.sources.values():
            source.set_back()
        self._end()

    def _stop_waiting(self) -> int:
        """Drop what waits for a sensor that is far behind; return how many samples."""
        oldest = max(source.newest for source in self.sources.values()) - STALL_S
        if any(self.sources[sensor].newest < oldest for sensor in self.sensors):
            self._end()
        for sensor, source in list(self.sources.items()):
            if sensor not in self.sensors and -np.inf < source.newest < oldest:
                del self.sources[sensor]
        if self.choice:
            return 0
        return sum(source.drop_before(oldest) for source in self.sources.values())

    def _advance(self, *, finishing: bool = False) -> list[Piece]:
        """Return the rows that can be made now."""
        pieces = []
        while self.choice or self._begin(finishing=finishing):
            sources = [self.sources[sensor] for sensor in self.sensors]
            ends = [source.end_of_stretch() for source in sources]  # indices into the samples
            begins = self.next_index == 0
            rows = self._rows(ends)
            self.next_index += len(rows)
            if len(rows):
                pieces.append(Piece(self._slot, self.origin if begins else None, rows))
            if all(end == source.n_released for source, end in zip(sources, ends, strict=True)):
                next_time = self.origin + self.next_index / SAMPLING_RATE_HZ
                for source in sources:
                    source.keep_for(next_time)
                break
            for source, end in zip(sources, ends, strict=True):
                if end < source.n_released:
                    source.drop_first(end)  # what comes next is after the gap
            self._end()
        return pieces

    def _begin(self, *, finishing: bool) -> bool:
        """Begin a grid where all sensors of a row have samples; return whether there is one."""
        known = {sensor for sensor, source in self.sources.items() if source.n_released}
        choice = next((one for one in CHOICES if known.issuperset(sum(one, ()))), None)
        if choice is None:
            return False
        sensors = [sensor for group in choice for sensor in group]
        sources = [self.sources[sensor] for sensor in sensors]
        origin = -np.inf
        while (later := max(source.first_from(origin) for source in sources)) > origin:
            origin = later
        known_until = min(source.newest for source in sources)
        if not np.isfinite(origin) or (known_until - origin < SURVEY_S and not finishing):
            return False
        for source in sources:
            source.begin_at(origin)
        self.choice, self.sensors = choice, sensors
        self.origin, self.next_index = float(origin), 0
        return True

    def _rows(self, ends: Sequence[int]) -> NDArray[np.float64]:
        """Return the rows up to the first that one of the sensors cannot make yet."""
        last_time = min(
            self.sources[sensor].times[end - 1]
            for sensor, end in zip(self.sensors, ends, strict=True)
        )
        last = int(np.floor((last_time - self.origin + ON_GRID_S) * SAMPLING_RATE_HZ))
        indices = np.arange(self.next_index, last + 1)
        made = {
            sensor: self.sources[sensor].at(self.origin, indices, end)
            for sensor, end in zip(self.sensors, ends, strict=True)
        }
        n_rows = min(map(len, made.values()))
        groups = [[made[sensor][:n_rows] for sensor in group] for group in self.choice]
        return np.hstack([sum(rest, start=first) for first, *rest in groups])


class _Starts:
    """When a sensor's last messages began."""

    def __init__(self) -> None:
        self.ring = np.zeros(_STARTS)
        self.count = 0  # of all there ever were

    def __contains__(self, start: float) -> bool:
        return bool((self.ring[: self.count] == start).any())

    def append(self, start: float) -> None:
        self.ring[self.count % _STARTS] = start
        self.count += 1


class _Source:
    """One sensor's samples, in the order of their times."""

    def __init__(self, n_columns: int, lateness_s: float) -> None:
        self._lateness_s = lateness_s
        self.times = np.empty(0)  # (n,), ascending strictly
        self.rows = np.empty((0, n_columns))
        self.joined = np.empty(0, np.bool_)  # came in one message with the sample before
        self.n_released = 0  # the others lie behind a hole
        self.interval_s = np.nan
        self.newest = -np.inf  # of those released, also when they are gone
        self.latest_start = -np.inf  # when the latest message began
        self.oversampling = 1  # points of the finer grid on which the low-pass works, a grid point
        self.late: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self.starts = _Starts()

    @property
    def is_plain(self) -> bool:
        """Whether samples are neither waited for nor filtered."""
        return self.n_released == len(self.times) and self.oversampling == 1

    @property
    def is_steady(self) -> bool:
        """Whether it is as `replace` leaves it."""
        return (
            self.is_plain and not self.late and len(self.times) == _TAIL and bool(self.joined.all())
        )

    @property
    def is_set_back(self) -> bool:
        """Whether late samples came for so long that the clock must have been set back."""
        return bool(self.late) and self.late[-1][0][-1] - self.late[0][0][0] >= SET_BACK_S

    def replace(self, times: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
        """Keep of samples that follow on the grid those that can still be needed.

        Return how many late ones are dropped.
        """
        self.times, self.rows = times[-_TAIL:], rows[-_TAIL:]
        self.joined = np.ones(_TAIL, np.bool_)
        self.n_released = _TAIL
        self.newest = float(times[-1])
        self.latest_start = float(times[0])
        self.starts.append(self.latest_start)
        return self._drop_late()

    def push(self, times: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
        """Take the samples of a message; return how many were dropped."""
        n_samples = len(times)
        if not (np.diff(times) > 0).all():
            times, first_of_each = np.unique(times, return_index=True)
            rows = rows[first_of_each]
        n_dropped = n_samples - len(times)
        n_late = int(np.searchsorted(times, self.newest, side="right"))
        if n_late:
            n_dropped += self._hold_late(times[:n_late], rows[:n_late])
        if n_late == len(times):
            return n_dropped
        n_dropped += self._drop_late()

        times, rows = times[n_late:], rows[n_late:]
        joined = np.ones(len(times), np.bool_)
        joined[0] = n_late > 0
        self.latest_start = max(self.latest_start, float(times[0]))
        self.starts.append(float(times[0]))
        n_known = len(self.times)
        overtaken = n_known > 0 and times[0] <= self.times[-1]
        self.times = np.concatenate([self.times, times])
        self.rows = np.concatenate([self.rows, rows])
        self.joined = np.concatenate([self.joined, joined])
        if overtaken:
            self.times, first_of_each = np.unique(self.times, return_index=True)
            self.rows, self.joined = self.rows[first_of_each], self.joined[first_of_each]
            n_dropped += n_known + len(times) - len(self.times)
        if len(times) >= 8:
            self.interval_s = float(np.median(np.diff(times)))
        self._release()
        return n_dropped

    def release_all(self) -> None:
        """Wait for nothing any more."""
        self.late.clear()
        if len(self.times) > self.n_released:
            self.n_released = len(self.times)
            self.newest = float(self.times[-1])

    def set_back(self) -> None:
        """Go on with the late samples alone."""
        late, self.late = self.late, []
        self.times, self.rows = self.times[:0], self.rows[:0]
        self.joined = self.joined[:0]
        self.n_released = 0
        self.newest = self.latest_start = -np.inf
        for times, rows in late:
            self.push(times, rows)

    def end_of_stretch(self) -> int:
        """Return the index of the first sample behind a gap, or the number of those released."""
        gaps = np.diff(self.times[: self.n_released]) > MAX_GAP_S
        return int(gaps.argmax()) + 1 if gaps.any() else self.n_released

    def first_from(self, origin: float) -> float:
        """Return when a grid that begins at ``origin`` or later can begin for this sensor.

        Infinity if that is not known yet.
        """
        if origin == -np.inf:
            return float(self.times[0])
        after = int(np.searchsorted(self.times[: self.n_released], origin - ON_GRID_S))
        if after == self.n_released:
            return np.inf
        behind = after == 0 or self.times[after] - self.times[after - 1] > MAX_GAP_S
        return max(origin, float(self.times[after])) if behind else origin

    def begin_at(self, origin: float) -> None:
        """Drop what a grid from ``origin`` on does not need."""
        after = int(np.searchsorted(self.times[: self.n_released], origin - ON_GRID_S))
        gaps = np.flatnonzero(np.diff(self.times[: after + 1]) > MAX_GAP_S)
        if len(gaps):
            self.drop_first(int(gaps[-1]) + 1)
        first = self.times[: self.end_of_stretch()]
        first = first[: np.searchsorted(first, origin + SURVEY_S, side="right")]
        if len(first) > 1:
            self.interval_s = float(np.median(np.diff(first)))
            rate_hz = 1 / self.interval_s
            fast = rate_hz > ANTI_ALIAS_ABOVE_HZ
            finer = min(int(np.ceil(rate_hz / SAMPLING_RATE_HZ - 0.1)), MOST_OVERSAMPLING)
            self.oversampling = finer if fast else 1
        self.keep_for(origin)

    def keep_for(self, time: float) -> None:
        """Drop what a grid point at ``time`` and those after it do not need."""
        margin_s = _taps(self.oversampling).size / 2 / (self.oversampling * SAMPLING_RATE_HZ)
        before = np.searchsorted(self.times[: self.n_released], time - margin_s - ON_GRID_S)
        self.drop_first(min(int(before), self.n_released) - _TAIL)

    def drop_before(self, time: float) -> int:
        """Drop what is older, but for the newest; return how many samples."""
        count = min(int(np.searchsorted(self.times, time)), len(self.times) - 1)
        self.drop_first(count)
        return max(count, 0)

    def drop_first(self, count: int) -> None:
        """Drop the oldest samples."""
        if count > 0:
            self.times, self.rows = self.times[count:], self.rows[count:]
            self.joined = self.joined[count:]
            self.n_released = max(self.n_released - count, 0)

    def at(self, origin: float, indices: NDArray[np.int64], end: int) -> NDArray[np.float64]:
        """Return the rows at grid points, up to the first that needs a sample yet to come.

        ``end`` is the index of the first sample that does not belong to the stretch.
        """
        times, rows = self.times[:end], self.rows[:end]
        n = self.oversampling
        if n == 1 or len(indices) == 0:
            return _interpolate(times, rows, origin + indices / SAMPLING_RATE_HZ, ON_GRID_S)
        taps = _taps(n)
        half = taps.size // 2
        fine = np.arange(indices[0] * n - half, indices[-1] * n + half + 1)
        fine_times = np.maximum(origin + fine / (n * SAMPLING_RATE_HZ), times[0])
        fine_rows = _interpolate(times, rows, fine_times, 1e-6)
        if len(fine_rows) < taps.size:
            return fine_rows[:0]
        return sliding_window_view(fine_rows, taps.size, axis=0)[::n] @ taps

    def _hold_late(self, times: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
        """Keep late samples for the case that the clock was set back; return how many it drops."""
        start = float(times[0])
        if start in self.starts:
            return len(times)  # a message that comes again
        self.starts.append(start)
        n_dropped = 0
        if self.late and not 0 < start - self.late[-1][0][-1] <= MAX_GAP_S:
            n_dropped = self._drop_late()
        self.late.append((times, rows))
        return n_dropped

    def _drop_late(self) -> int:
        """Drop the late samples that were kept; return how many."""
        n_dropped = sum(len(times) for times, _ in self.late)
        self.late.clear()
        return n_dropped

    def _release(self) -> None:
        """Release the samples up to the first hole that may yet be filled."""
        if self.n_released == 0 and self.times[-1] - self.times[0] <= self._lateness_s:
            return  # what comes next may be older than all
        first = max(self.n_released, 1)
        interval_s = self.interval_s
        if np.isnan(interval_s):
            interval_s = float(np.median(np.diff(self.times)))
        waits = (
            (np.diff(self.times[first - 1 :]) > _HOLE * interval_s)
            & ~self.joined[first:]
            & (self.latest_start - self.times[first:] <= self._lateness_s)
            & (self.times[-1] - self.times[first:] <= HOLD_S)
        )
        self.n_released = first + int(waits.argmax()) if waits.any() else len(self.times)
        self.newest = float(self.times[self.n_released - 1])


_SENSORS: Final[tuple[Sensor, ...]] = get_args(Sensor)


def _packed(grids: Sequence[_Grid]) -> dict[str, NDArray[Any]]:
    """Return all there is in some grids as arrays.

    One number a grid, or ``source.``, one a source of theirs, one grid's after the other's; what a
    source has several of is put one after the other too, and its rows' numbers likewise.
    """
    sources = [(sensor, one) for grid in grids for sensor, one in grid.sources.items()]
    late = [one for _, source in sources for one in source.late]
    return {
        "choice": np.array(
            [CHOICES.index(grid.choice) if grid.choice else -1 for grid in grids], np.int8
        ),
        "origin": np.array([grid.origin for grid in grids], np.float64),
        "next_index": np.array([grid.next_index for grid in grids], np.int64),
        "n_sources": np.array([len(grid.sources) for grid in grids], np.int64),
        "source.sensor": np.array([_SENSORS.index(sensor) for sensor, _ in sources], np.int8),
        "source.n_columns": np.array([one.rows.shape[1] for _, one in sources], np.int64),
        "source.n_released": np.array([one.n_released for _, one in sources], np.int64),
        "source.interval_s": np.array([one.interval_s for _, one in sources], np.float64),
        "source.newest": np.array([one.newest for _, one in sources], np.float64),
        "source.latest_start": np.array([one.latest_start for _, one in sources], np.float64),
        "source.oversampling": np.array([one.oversampling for _, one in sources], np.int64),
        "source.starts": np.array([one.starts.ring for _, one in sources]).reshape(-1, _STARTS),
        "source.n_starts": np.array([one.starts.count for _, one in sources], np.int64),
        "source.n_samples": np.array([len(one.times) for _, one in sources], np.int64),
        "source.times": _in_a_row([one.times for _, one in sources]),
        "source.rows": _in_a_row([one.rows for _, one in sources]),
        "source.joined": _in_a_row([one.joined for _, one in sources]).astype(np.bool_),
        "source.n_late": np.array([len(one.late) for _, one in sources], np.int64),
        "late.n_samples": np.array([len(times) for times, _ in late], np.int64),
        "late.times": _in_a_row([times for times, _ in late]),
        "late.rows": _in_a_row([rows for _, rows in late]),
    }


def _unpacked(
    state: Mapping[str, NDArray[Any]], slots: Sequence[int], lateness_s: float
) -> list[_Grid]:
    """Return the grids that `_packed` packed, as those of these slots."""
    take = {name: iter(array.tolist()) for name, array in state.items() if array.ndim == 1}
    rings = iter(state["source.starts"])
    cut = {name: _Cutter(state[name]) for name in state if name.endswith((".times", ".rows"))}
    cut["source.joined"] = _Cutter(state["source.joined"])
    grids = []
    for slot in slots:
        grid = _Grid(slot, lateness_s)
        choice = next(take["choice"])
        grid.choice = CHOICES[choice] if choice >= 0 else ()
        grid.sensors = [sensor for group in grid.choice for sensor in group]
        grid.origin, grid.next_index = next(take["origin"]), next(take["next_index"])
        for _ in range(next(take["n_sources"])):
            sensor = _SENSORS[next(take["source.sensor"])]
            n_columns = next(take["source.n_columns"])
            source = grid.sources[sensor] = _Source(n_columns, lateness_s)
            source.n_released = next(take["source.n_released"])
            source.interval_s = next(take["source.interval_s"])
            source.newest = next(take["source.newest"])
            source.latest_start = next(take["source.latest_start"])
            source.oversampling = next(take["source.oversampling"])
            source.starts.ring[:] = next(rings)
            source.starts.count = next(take["source.n_starts"])
            n_samples = next(take["source.n_samples"])
            source.times = cut["source.times"].take(n_samples)
            source.rows = cut["source.rows"].take(n_samples * n_columns).reshape(-1, n_columns)
            source.joined = cut["source.joined"].take(n_samples)
            for _ in range(next(take["source.n_late"])):
                n_late = next(take["late.n_samples"])
                rows = cut["late.rows"].take(n_late * n_columns).reshape(-1, n_columns)
                source.late.append((cut["late.times"].take(n_late), rows))
        grids.append(grid)
    return grids


class _Cutter:
    """Takes an array apart."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self._taken = 0

    def take(self, n: int) -> NDArray[Any]:
        """Return the next ``n``."""
        self._taken += n
        return self._array[self._taken - n : self._taken].copy()


def _in_a_row(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.empty(0), *(array.ravel() for array in arrays)])


def joined_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """Return one phone's pieces with those joined that have no gap between them."""
    if all(piece.origin is not None for piece in pieces[1:]):
        return list(pieces)
    begins = [0, *(i for i, piece in enumerate(pieces) if i and piece.origin is not None)]
    return [
        Piece(
            pieces[begin].slot,
            pieces[begin].origin,
            np.concatenate([piece.rows for piece in pieces[begin:end]]),
        )
        for begin, end in zip(begins, [*begins[1:], len(pieces)], strict=True)
    ]


def _firsts(lengths: Sequence[int]) -> NDArray[np.intp]:
    """Return where each of several arrays of these lengths begins, one put after the other."""
    sizes = np.array(lengths)
    firsts: NDArray[np.intp] = np.cumsum(sizes) - sizes
    return firsts


def _family(sensor: Sensor) -> str:
    """Return what a sensor's samples can be combined with."""
    return sensor if sensor in ("prepared", "motion") else "separate"


def _interpolate(
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


@cache
def _taps(oversampling: int) -> NDArray[np.float64]:
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
