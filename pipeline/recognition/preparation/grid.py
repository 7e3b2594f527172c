"""One phone's grid: which sensors make up its rows, and the rows themselves.

Rules, for the messages of a phone one after another:

* All readings of a message are taken to their sensors' samples (`source`), then all rows are made
  that can be. So it does not matter which messages are worked through in one go.
* A grid begins where all sensors of the best `Choice` have a sample, and again after every gap.
  It ends when one of them is too slow or far behind, or when a better choice has come for a while.
* When for `SET_BACK_S` nothing but late samples come, the clock was set back, and the grid begins
  with those. If the samples from before then go on, it was not, and it takes longer the next time:
  so a backlog that is sent between live samples gives way to them.
* What cannot be right about the samples is kept in `TROUBLES`; it wears off when it is over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.source import (
    MAX_GAP_S,
    ON_GRID_S,
    SURVEY_S,
    TAIL,
    Dropped,
    Source,
)
from pipeline.vocabulary import SAMPLING_RATE_HZ

SET_BACK_S: Final = 2.0
"""So long may nothing but late samples come until the phone's clock counts as set back."""
LONGEST_SET_BACK_S: Final = 64.0
"""The same, at most, for a phone whose clock seemed to be set back and was not."""
CALM_S: Final = 60.0
"""After so long without late samples it is `SET_BACK_S` again."""
PROVEN_S: Final = 600.0
"""After so long without the samples from before, the clock was set back for certain."""

STALL_S: Final = 11.0
"""A sensor that is so far behind the phone's others is waited for no longer: apps send what they
have every 10 s at the least."""

BETTER_S: Final = 5.0
"""A sensor that comes so long beside those of the rows takes the place of one if it is better, or
if that one has been away for so long."""

CLOCKS_APART_S: Final = 0.1
"""The last samples of two sensors are never closer than this if their clocks differ; a sampling
interval of theirs may come on top."""
CLOCKS_COMPARED_S: Final = 3.0
"""So many seconds of samples the sensors' clocks are compared."""

LATE_RAISE_S: Final = 2.0
LATE_MOST_S: Final = 4.0
LATE_WEARS_OFF: Final = 0.1
"""`late-samples` and `two-phones` come into force by so many seconds of late samples, and each
second of other samples takes that share of a second off."""

MIXED_MESSAGES: Final = 200
"""A sender of another form is heard only after so many messages without one of the first, if both
have taken turns."""

Trouble = str
TROUBLES: Final[tuple[Trouble, ...]] = (
    *("low-rate", "clocks-apart", "two-phones"),
    *("late-samples", "short-recordings"),
)
"""What cannot be right about a phone's samples."""
DOUBTFUL: Final = frozenset(TROUBLES[:3])
"""Those that make its rows doubtful."""

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

SENSORS: Final[tuple[Sensor, ...]] = get_args(Sensor)


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive grid rows of one phone."""

    slot: int
    origin: float | None
    """Time of the first row in epoch seconds if a new grid begins here, else None"""
    rows: NDArray[np.float64]
    """``(n_rows, n_columns)``: raw (6) or prepared (9)"""
    troubles: frozenset[Trouble] = frozenset()
    """Those of `DOUBTFUL` that were in force"""
    begins_recording: bool = False
    """Whether it is the first of another recording"""
    earlier_s: float = 0.0
    """By how much all that follows is earlier than it seemed, in a piece without rows that only
    says so"""


@dataclass
class _Clock:
    """One sensor's times, compared with another's over `CLOCKS_COMPARED_S`."""

    newest: float
    elapsed_s: float = 0.0
    """Seconds of samples in all; a pause counts for `STALL_S` at most"""
    heard_at_s: float = 0.0
    """The phone's `elapsed_s` when it was heard last"""
    n_messages: int = 0
    """In this comparison"""
    ahead_s: tuple[float, float] = (np.inf, -np.inf)
    """How far its newest sample was ahead of the other's, at least and at most"""


@dataclass
class _Clocks:
    """The times of a phone's sensors."""

    of: dict[Sensor, _Clock] = field(default_factory=dict)
    begun_s: float = 0.0
    """`elapsed_s` when this comparison began"""
    last: Sensor | None = None
    """The sensor that was heard last"""
    n_turns: int = 0
    """How often another one was heard than before, in this comparison"""
    apart_s: float = 0.0
    """By how much a sensor's clock is ahead of the gyroscope's, or of the first sensor's; 0 if they
    agree"""

    @property
    def elapsed_s(self) -> float:
        """Seconds of samples of the sensor that has most."""
        return max((clock.elapsed_s for clock in self.of.values()), default=0.0)

    def note(self, sensor: Sensor, newest: float) -> None:
        """Note the newest time in a message."""
        clock = self.of.setdefault(sensor, _Clock(newest))
        clock.elapsed_s += min(max(newest - clock.newest, 0.0), STALL_S)
        clock.newest = newest
        clock.n_messages += 1
        if sensor != self.last:
            self.last, self.n_turns = sensor, self.n_turns + 1
        clock.heard_at_s = self.elapsed_s

    def compare(self, needed: Sequence[Sensor], tolerance_s: float) -> None:
        """Compare the clocks of the sensors that rows need, after a message."""
        heard = [self.of[sensor] for sensor in needed if sensor in self.of]
        if len(heard) < 2:
            return
        *others, reference = heard
        for clock in others:
            ahead_s = clock.newest - reference.newest
            least, most = clock.ahead_s
            clock.ahead_s = min(least, ahead_s), max(most, ahead_s)
        if self.elapsed_s - self.begun_s < CLOCKS_COMPARED_S:
            return
        if min(clock.n_messages for clock in heard) < 2 or self.n_turns < 2 * len(self.of):
            return  # each is to have come after the other, and again
        self.apart_s = 0.0
        for clock in others:
            least, most = clock.ahead_s
            if least > tolerance_s:
                self.apart_s = least
            elif most < -tolerance_s:
                self.apart_s = most
        for clock in self.of.values():
            clock.n_messages, clock.ahead_s = 0, (np.inf, -np.inf)
        self.begun_s, self.n_turns = self.elapsed_s, 0

    def silent(self, sensor: Sensor) -> bool:
        """Return whether a sensor has not been heard while others were."""
        clock = self.of.get(sensor)
        return clock is None or self.elapsed_s - clock.heard_at_s > STALL_S


@dataclass
class _Level:
    """How much there was of a trouble, in seconds of samples."""

    seconds: float = 0.0
    in_force: bool = False

    def rise(self, seconds: float) -> None:
        """Count more of it."""
        self.seconds = min(self.seconds + seconds, LATE_MOST_S)
        self.in_force = self.in_force or self.seconds >= LATE_RAISE_S

    def wear_off(self, seconds: float) -> None:
        """Let samples without it pass."""
        self.seconds = max(self.seconds - LATE_WEARS_OFF * seconds, 0.0)
        self.in_force = self.in_force and self.seconds > 0


class Grid:
    """One phone's sensors, and its rows."""

    def __init__(self, slot: int, lateness_s: float) -> None:
        """Begin without samples; messages may overtake by ``lateness_s``."""
        self._slot = slot
        self._lateness_s = lateness_s
        self.sources: dict[Sensor, Source] = {}
        self.choice: Choice = ()
        """What rows are made of; empty while the grid has not begun"""
        self.sensors: list[Sensor] = []
        """The sensors of `choice`"""
        self.origin = 0.0
        """Epoch seconds of row 0"""
        self.next_index = 0
        self.clocks = _Clocks()
        self._late = _Level()
        self._mixed = _Level()
        self._set_back_after_s = SET_BACK_S
        self._set_back_from = np.nan  # newest time before the clock seemed to be set back
        self._calm_s = 0.0  # seconds of samples since a late one
        self._others: dict[Sensor, float] = {}
        """Since when sensors come beside those of the rows"""
        self._n_of_others = 0  # messages of another form since one of this
        self._n_changes = 0  # of the form

    @property
    def troubles(self) -> frozenset[Trouble]:
        """Those of `TROUBLES` that are in force."""
        sensors = self.sensors or self.sources
        paces = [self.sources[sensor].pace for sensor in sensors]
        found = [
            any(pace.is_slow for pace in paces),
            self.clocks.apart_s != 0.0,
            self._mixed.in_force,
            self._late.in_force,
            False,  # whoever knows its recordings can tell
        ]
        return frozenset(name for name, here in zip(TROUBLES, found, strict=True) if here)

    @property
    def is_steady(self) -> bool:
        """Whether nothing but samples that follow on the grid has come for a while."""
        return bool(
            len(self.sources) == 1
            and len(self.sensors) == 1
            and self.sources[self.sensors[0]].is_steady
            and np.isfinite(self.sources[self.sensors[0]].meter.rate_hz)
            and not (self._late.seconds or self._mixed.seconds)
            and not (self._others or self._n_changes)
            and self._set_back_after_s == SET_BACK_S
            and np.isnan(self._set_back_from)
        )

    @property
    def newest(self) -> float:
        """Time of the newest sample, -infinity without any."""
        return max((source.newest for source in self.sources.values()), default=-np.inf)

    def push(self, readings: Sequence[Readings]) -> tuple[list[Piece], Dropped]:
        """Return the rows that the readings of a message complete, and what is dropped."""
        if len(readings) == 1 and self._continues_on_grid(readings[0]):
            [one] = readings
            source = self.sources[one.sensor]
            self._pass_time(float(one.times[-1]) - source.newest)
            self.next_index += len(one.times)
            dropped = source.replace(one.times, one.values)
            self._count_late(dropped, mixed=False)
            return [Piece(self._slot, None, one.values, self.troubles & DOUBTFUL)], dropped
        dropped = Dropped()
        before = self.newest
        all_late = any(
            one.sensor in self.sources
            and self.sources[one.sensor].late_with(one.times) >= self._set_back_after_s
            for one in readings
        )
        for one in readings:
            dropped += self._take(one, all_late=all_late)
        if self._is_set_back:
            dropped += self._set_back()
        elif np.isfinite(before):
            self._pass_time(self.newest - before)
        self._compare_clocks()
        pieces = self._advance(dropped)
        dropped += self._stop_waiting()
        return pieces, dropped

    def finish(self) -> tuple[list[Piece], Dropped]:
        """Return the rows that waited for messages which will not come, and what is dropped."""
        dropped = Dropped()
        for source in self.sources.values():
            dropped += source.release_all()
        return self._advance(dropped, finishing=True), dropped

    def end(self) -> None:
        """Let a new grid begin with the next samples."""
        self.choice, self.sensors = (), []

    def lacks(self) -> list[Sensor]:
        """Return the sensors still missing for rows."""
        if self.choice:
            return []
        here = {sensor for sensor in self.clocks.of if not self.clocks.silent(sensor)}
        return missing_sensors(here) if here else []

    def rates_hz(self) -> dict[Sensor, float]:
        """Return how fast the sensors are that rows are made of, or would be, in hertz."""
        rates_hz = {
            sensor: source.meter.rate_hz
            for sensor, source in self.sources.items()
            if sensor in self.sensors or not self.choice
        }
        return {sensor: rate_hz for sensor, rate_hz in rates_hz.items() if np.isfinite(rate_hz)}

    def state(self) -> dict[str, Any]:
        """Return all that is known, in arrays of its own and values that MessagePack can hold."""
        return {
            "choice": CHOICES.index(self.choice) if self.choice else -1,
            "origin": self.origin,
            "next_index": self.next_index,
            "sources": {sensor: source.state() for sensor, source in self.sources.items()},
            "clocks": [
                [
                    sensor,
                    *(clock.newest, clock.elapsed_s, clock.heard_at_s),
                    *(clock.n_messages, *clock.ahead_s),
                ]
                for sensor, clock in self.clocks.of.items()
            ],
            "compared": [
                *(self.clocks.begun_s, self.clocks.apart_s),
                *(self.clocks.last, self.clocks.n_turns),
            ],
            "late": [self._late.seconds, self._late.in_force],
            "mixed": [self._mixed.seconds, self._mixed.in_force],
            "set_back": [self._set_back_after_s, self._set_back_from, self._calm_s],
            "others": dict(self._others),
            "forms": [self._n_of_others, self._n_changes],
        }

    @classmethod
    def restored(cls, slot: int, state: Mapping[str, Any], lateness_s: float) -> "Grid":
        """Return a grid that knows what `state` returned."""
        grid = cls(slot, lateness_s)
        grid.choice = CHOICES[state["choice"]] if state["choice"] >= 0 else ()
        grid.sensors = [sensor for group in grid.choice for sensor in group]
        grid.origin, grid.next_index = state["origin"], state["next_index"]
        grid.sources = {
            sensor: Source.restored(one, lateness_s) for sensor, one in state["sources"].items()
        }
        for sensor, newest, elapsed_s, heard_at_s, n_messages, least, most in state["clocks"]:
            grid.clocks.of[sensor] = _Clock(
                newest, elapsed_s, heard_at_s, n_messages, (least, most)
            )
        clocks = grid.clocks
        clocks.begun_s, clocks.apart_s, clocks.last, clocks.n_turns = state["compared"]
        grid._late, grid._mixed = _Level(*state["late"]), _Level(*state["mixed"])
        grid._set_back_after_s, grid._set_back_from, grid._calm_s = state["set_back"]
        grid._others = dict(state["others"])
        grid._n_of_others, grid._n_changes = state["forms"]
        return grid

    def _continues_on_grid(self, readings: Readings) -> bool:
        """Return whether the samples are just the next grid points, one for each, and not late.

        If they are, their rate has been measured.
        """
        times = readings.times
        if self.sensors != [readings.sensor] or len(times) < TAIL or len(self.sources) > 1:
            return False
        source = self.sources[readings.sensor]
        if not source.is_plain or times[0] <= source.newest:
            return False
        grid = self.next_index + np.arange(len(times))
        offset_s = times - (self.origin + grid / SAMPLING_RATE_HZ)
        return bool(np.all(np.abs(offset_s) <= ON_GRID_S)) and source.stays_steady(times)

    def _take(self, readings: Readings, *, all_late: bool) -> Dropped:
        """Take samples to their sensor's; return what was dropped.

        With ``all_late`` the clock was set back before them, so that all of them are late.
        """
        sensor, times = readings.sensor, readings.times
        dropped = Dropped()
        if self._is_of_another_form(sensor):
            self._n_of_others += 1
            self._mixed.rise(len(times) / SAMPLING_RATE_HZ)
            if self._n_changes > 1 and self._n_of_others < MIXED_MESSAGES:
                return Dropped(unused=len(times))
            dropped += self._forget()
            self._n_changes += 1
        self._n_of_others = 0
        newest = float(times.max())
        if _family(sensor) == "separate":
            self.clocks.note(sensor, newest)
        if self.choice and sensor not in self.sensors:
            kept = self._sensors_for_better_rows(sensor, float(times.min()), newest)
            if kept is None:
                return dropped  # another source of what the rows already have
            used_until = self._used_until
            self.end()
            self._others.clear()
            for other in self.sources.keys() - kept:
                dropped += self.sources.pop(other).unused_after(used_until)
        if sensor not in self.sources:
            self.sources[sensor] = Source(readings.values.shape[1], self._lateness_s)
        source = self.sources[sensor]
        expected = source.newest
        new = source.push(times, readings.values, all_late=all_late)
        if np.isfinite(self._set_back_from) and source.newest - expected > MAX_GAP_S:
            if source.newest > self._set_back_from:  # the time from before goes on: it was not
                self._set_back_after_s = min(4 * self._set_back_after_s, LONGEST_SET_BACK_S)
                self._set_back_from, self._calm_s = np.nan, 0.0
        # Late samples at the beginning of a message that goes on lie between some that had come.
        self._count_late(new, mixed=0 < new.late < len(times) and source.newest > expected)
        dropped += new
        return dropped

    def _count_late(self, dropped: Dropped, *, mixed: bool) -> None:
        if dropped.late:
            self._calm_s = 0.0
            (self._mixed if mixed else self._late).rise(dropped.late / SAMPLING_RATE_HZ)

    def _is_of_another_form(self, sensor: Sensor) -> bool:
        return any(_family(other) != _family(sensor) for other in self.sources)

    def _sensors_for_better_rows(
        self, sensor: Sensor, oldest: float, newest: float
    ) -> set[Sensor] | None:
        """Return the sensors for better rows if one makes them that comes beside those in use.

        ``oldest`` and ``newest`` are the times of its samples in a message.
        """
        since = self._others.setdefault(sensor, oldest)
        if newest < since:  # the clock was set back
            self._others[sensor] = since = oldest
        if newest - since > BETTER_S:
            lasting = {
                other
                for other, begun in self._others.items()
                if not self.clocks.silent(other) and self.clocks.of[other].newest - begun > BETTER_S
            }
            within = {*self.sensors, *lasting}
            best = next(one for one in CHOICES if within.issuperset(sum(one, ())))
            if CHOICES.index(best) < CHOICES.index(self.choice):
                return set(sum(best, ()))
        going_on = {one for one in self.sensors if self.sources[one].newest > newest - BETTER_S}
        return None if going_on == set(self.sensors) else {sensor, *going_on}

    def _forget(self) -> Dropped:
        """Forget all samples, as those of another sender come; return what is lost."""
        lost = Dropped()
        for source in self.sources.values():
            lost += source.unused_after(self._used_until)
        self.sources.clear()
        self.end()
        self.clocks = _Clocks()
        self._others.clear()
        self._set_back_from = np.nan
        return lost

    @property
    def _used_until(self) -> float:
        """Time behind that of the last row."""
        if not self.choice:
            return -np.inf
        return self.origin + (self.next_index - 0.5) / SAMPLING_RATE_HZ

    @property
    def _is_set_back(self) -> bool:
        """Whether late samples came for so long that the clock must have been set back."""
        return any(source.late_s >= self._set_back_after_s for source in self.sources.values())

    def _set_back(self) -> Dropped:
        """Go on with the samples that came while the clock seemed to lag, and with no others."""
        self._set_back_from, self._calm_s = self.newest, 0.0
        used_until, dropped = self._used_until, Dropped()
        for source in self.sources.values():
            dropped += source.set_back(used_until)
        self.end()
        self.clocks = _Clocks()
        self._others.clear()
        return dropped

    def _pass_time(self, seconds: float) -> None:
        """Let troubles wear off with samples that are newer than all before."""
        if seconds <= 0:
            return
        seconds = min(seconds, STALL_S)  # a jump is no time that has passed
        self._calm_s += seconds
        self._late.wear_off(seconds)
        self._mixed.wear_off(seconds)
        if self._calm_s >= (CALM_S if np.isnan(self._set_back_from) else PROVEN_S):
            self._set_back_after_s, self._set_back_from = SET_BACK_S, np.nan
            self._n_changes = 0

    def _compare_clocks(self) -> None:
        """Compare the clocks of the sensors that rows are made of, or could be."""
        if len(self.clocks.of) < 2:
            return
        needed: Sequence[Sensor] = self.sensors
        if not needed:
            heard = self.clocks.of.keys()
            whole = (one for one in CHOICES if heard >= set(sum(one, ())))
            needed = sum(next(whole, ()), ())
        intervals_s = [
            1 / source.meter.rate_hz
            for sensor in needed
            if (source := self.sources.get(sensor)) and np.isfinite(source.meter.rate_hz)
        ]
        self.clocks.compare(needed, CLOCKS_APART_S + max(intervals_s, default=0.0))

    def _stop_waiting(self) -> Dropped:
        """Drop what waits for a sensor that is far behind; return it."""
        oldest = max(source.newest for source in self.sources.values()) - STALL_S
        if any(self.sources[sensor].newest < oldest for sensor in self.sensors):
            self.end()
        dropped = Dropped()
        for sensor, source in list(self.sources.items()):
            if sensor not in self.sensors and -np.inf < source.newest < oldest:
                dropped += source.unused_after(-np.inf)
                del self.sources[sensor]
        if not self.choice:
            dropped.unused += sum(source.drop_before(oldest) for source in self.sources.values())
        return dropped

    def _advance(self, dropped: Dropped, *, finishing: bool = False) -> list[Piece]:
        """Return the rows that can be made now; add to what is ``dropped``."""
        pieces: list[Piece] = []
        while self.choice or self._begin(dropped, finishing=finishing):
            sources = [self.sources[sensor] for sensor in self.sensors]
            ends = [source.end_of_stretch() for source in sources]  # indices into the samples
            if self._make_rows(sources, ends, pieces):
                if all(end == source.n_released for source, end in zip(sources, ends, strict=True)):
                    next_time = self.origin + self.next_index / SAMPLING_RATE_HZ
                    for source in sources:
                        source.keep_for(next_time)
                    break
                for source, end in zip(sources, ends, strict=True):
                    if end < source.n_released:
                        source.drop_first(end)  # what comes next is after the gap
            self.end()
        return pieces

    def _begin(self, dropped: Dropped, *, finishing: bool) -> bool:
        """Begin a grid where all sensors of a row have samples; return whether there is one."""
        while True:
            known = {sensor for sensor, source in self.sources.items() if source.n_released}
            choice = next((one for one in CHOICES if known.issuperset(sum(one, ()))), None)
            if choice is None:
                for source in self.sources.values():  # their rate is of interest all the same
                    dropped.unused += source.catch_up(source.newest) or 0
                return False
            sensors = [sensor for group in choice for sensor in group]
            sources = [self.sources[sensor] for sensor in sensors]
            origin = -np.inf
            while (later := max(source.first_from(origin) for source in sources)) > origin:
                origin = later
            changes = [source.catch_up(origin) for source in sources]
            dropped.unused += sum(n or 0 for n in changes)
            if all(n is None for n in changes):
                break
        known_until = min(source.newest for source in sources)
        if not np.isfinite(origin) or (known_until - origin < SURVEY_S and not finishing):
            return False
        if any(source.pace.is_too_slow for source in sources):
            return False
        for source in sources:
            source.begin_at(origin)
        self.choice, self.sensors = choice, sensors
        self.origin, self.next_index = float(origin), 0
        self._others.clear()
        return True

    def _make_rows(
        self, sources: Sequence[Source], ends: Sequence[int], pieces: list[Piece]
    ) -> bool:
        """Add the rows that can be made of this stretch to ``pieces``.

        Return False if a sensor turns out to be too slow there, so that the grid ends.
        """
        while True:
            change = min((source.coming[0][0] for source in sources if source.coming), default=None)
            begins = self.next_index == 0
            rows, whole = self._rows(ends, change)
            if len(rows):
                self.next_index += len(rows)
                origin = self.origin if begins else None
                pieces.append(Piece(self._slot, origin, rows, self.troubles & DOUBTFUL))
            if change is None or not whole:
                return True
            for source in sources:
                source.pace_up_to(change)
            if any(source.pace.is_too_slow for source in sources):
                return False

    def _rows(self, ends: Sequence[int], until: float | None) -> tuple[NDArray[np.float64], bool]:
        """Return the rows up to the first that one of the sensors cannot make yet.

        Also return whether these are all rows up to the time ``until``.
        """
        last_time = min(
            self.sources[sensor].times[end - 1]
            for sensor, end in zip(self.sensors, ends, strict=True)
        )
        last = int(np.floor((last_time - self.origin + ON_GRID_S) * SAMPLING_RATE_HZ))
        if until is not None:
            change = int(np.floor((until - self.origin + ON_GRID_S) * SAMPLING_RATE_HZ))
            last = min(last, change)
        if last < self.next_index:
            return _NO_ROWS, until is not None and self.next_index > change
        indices = np.arange(self.next_index, last + 1)
        made = {
            sensor: self.sources[sensor].at(self.origin, indices, end)
            for sensor, end in zip(self.sensors, ends, strict=True)
        }
        n_rows = min(map(len, made.values()))
        groups = [[made[sensor][:n_rows] for sensor in group] for group in self.choice]
        rows = np.hstack([sum(rest, start=first) for first, *rest in groups])
        return rows, until is not None and self.next_index + n_rows > change


_NO_ROWS: Final = np.empty((0, 0))


def missing_sensors(sensors: Collection[Sensor]) -> list[Sensor]:
    """Return what a phone that sends these sensors lacks for rows, nothing if it has all."""
    here = set(sensors)
    needs = [set(sum(choice, ())) for choice in CHOICES]
    begun = [need for need in needs if need & here] or needs
    nearest = min(begun, key=lambda need: (len(need - here), -len(need)))
    return sorted(nearest - here)


def _family(sensor: Sensor) -> str:
    """Return what a sensor's samples can be combined with."""
    return sensor if sensor in ("prepared", "motion") else "separate"
