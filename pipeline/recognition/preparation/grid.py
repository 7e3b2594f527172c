"""One phone's grid: which sensors make up its rows, and the rows themselves.

Rules, for the messages of a phone one after another:

* All readings of a message are added to their sensors' samples (`source`), then all rows are made
  that can be made. So it does not matter which messages are processed together.
* A grid begins where all sensors of the best `Choice` have a sample, and again after every gap.
  It ends when one of them is too slow or far behind, or when a better choice has come for a while.
* When the clock was set back (`set_back`), the grid begins with the late samples.
* A trouble of the samples (`troubles`) wears off when it is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.candidates import BETTER_S, Candidates
from pipeline.recognition.preparation.choices import (
    CHOICES,
    Choice,
    best_choice,
    missing_sensors,
    sensors_of,
)
from pipeline.recognition.preparation.clocks import CLOCKS_APART_S, STALL_S, Clocks
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.forms import Forms, form_of
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.rows import rows_until
from pipeline.recognition.preparation.set_back import SetBack
from pipeline.recognition.preparation.source import SURVEY_S, SensorSource
from pipeline.recognition.preparation.timing import MAX_GAP_S, ON_GRID_S
from pipeline.recognition.preparation.troubles import DOUBTFUL, TROUBLES, Level, Trouble
from pipeline.vocabulary import SAMPLING_RATE_HZ


class Grid:
    """One phone's sensors, and its rows."""

    def __init__(self, slot: int, lateness_s: float, needed_rates: NeededRates) -> None:
        """Begin without samples; messages may overtake by ``lateness_s``."""
        self._slot = slot
        self._needed_rates = needed_rates
        self.lateness_s = lateness_s
        self.sources: dict[Sensor, SensorSource] = {}
        self.choice: Choice = ()
        """The sensors that rows are made of; empty while the grid has not begun"""
        self.sensors: list[Sensor] = []
        """The sensors of `choice`"""
        self.origin = 0.0
        """Epoch seconds of row 0"""
        self.next_index = 0
        self.clocks = Clocks()
        self._late = Level()
        self._mixed = Level()
        self._set_back = SetBack()
        self._candidates = Candidates()
        self._forms = Forms()

    @property
    def troubles(self) -> frozenset[Trouble]:
        """Those of `TROUBLES` that are in force."""
        sensors = self.sensors or self.sources
        needed_hz = self._needed_rates.of(self._slot, is_prepared="prepared" in sensors)
        in_force = [
            any(self.sources[sensor].pace.steadied_hz < needed_hz for sensor in sensors),
            self.clocks.apart_s != 0.0,
            self._mixed.in_force,
            self._late.in_force,
            False,  # too short recordings are counted in `intake`
        ]
        return frozenset(name for name, is_so in zip(TROUBLES, in_force, strict=True) if is_so)

    @property
    def just_continues(self) -> bool:
        """Whether nothing but samples that follow one another has come of its sensors."""
        return bool(
            self.choice
            and self.next_index
            and self.sources.keys() == set(self.sensors)
            and all(source.is_regular for source in self.sources.values())
            and not (self._late.seconds or self._mixed.seconds)
            and not (self._candidates.since or self._forms.n_changes)
            and self._set_back.is_initial
        )

    @property
    def newest(self) -> float:
        """Time of the newest sample, -infinity without any."""
        return max((source.newest for source in self.sources.values()), default=-np.inf)

    def push(self, readings: Sequence[Readings]) -> tuple[list[Piece], Dropped]:
        """Return the rows that the readings of a message complete, and the dropped samples."""
        if len(readings) == 1 and self._continues_on_grid(readings[0]):
            [of_sensor] = readings
            source = self.sources[of_sensor.sensor]
            self._pass_time(float(of_sensor.times[-1]) - source.newest)
            self.next_index += len(of_sensor.times)
            next_time = self.origin + self.next_index / SAMPLING_RATE_HZ
            dropped = source.replace(of_sensor.times, of_sensor.values, next_time)
            self._count_late(dropped, mixed=False)
            return [Piece(self._slot, None, of_sensor.values, self.troubles & DOUBTFUL)], dropped
        dropped = Dropped()
        before = self.newest
        all_late = any(
            of_sensor.sensor in self.sources
            and self.sources[of_sensor.sensor].late_with(of_sensor.times) >= self._set_back.after_s
            for of_sensor in readings
        )
        for of_sensor in readings:
            dropped += self._take(of_sensor, all_late=all_late)
        if self._is_set_back:
            dropped += self._begin_with_late_samples()
        elif np.isfinite(before):
            self._pass_time(self.newest - before)
        self._compare_clocks()
        pieces = self._advance(dropped)
        dropped += self._stop_waiting()
        return pieces, dropped

    def finish(self) -> tuple[list[Piece], Dropped]:
        """Return the rows that waited for messages which will not come, and the dropped samples."""
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
        sending = {sensor for sensor in self.clocks.of if not self.clocks.silent(sensor)}
        return missing_sensors(sending) if sending else []

    def rates_hz(self) -> dict[Sensor, float]:
        """Return how fast the sensors are that rows are made of, or would be, in hertz."""
        rates_hz = {
            sensor: self.sources[sensor].meter.rate_hz
            for sensor in self.sensors or sorted(self.sources)
        }
        return {sensor: rate_hz for sensor, rate_hz in rates_hz.items() if np.isfinite(rate_hz)}

    def state(self) -> dict[str, Any]:
        """Return the state, in copied arrays and values that MessagePack can hold."""
        state = {
            "choice": CHOICES.index(self.choice) if self.choice else -1,
            "origin": self.origin,
            "next_index": self.next_index,
            "sources": {sensor: source.state() for sensor, source in self.sources.items()},
            "late": [self._late.seconds, self._late.in_force],
            "mixed": [self._mixed.seconds, self._mixed.in_force],
            "set_back": astuple(self._set_back),
            "others": dict(self._candidates.since),
            "forms": [self._forms.n_other, self._forms.n_changes],
        }
        return state | self.clocks.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.choice = CHOICES[state["choice"]] if state["choice"] >= 0 else ()
        self.sensors = sensors_of(self.choice)
        self.origin, self.next_index = state["origin"], state["next_index"]
        self.sources = {
            sensor: SensorSource.restored(of_sensor, self.lateness_s)
            for sensor, of_sensor in state["sources"].items()
        }
        self.clocks = Clocks.restored(state)
        self._late, self._mixed = Level(*state["late"]), Level(*state["mixed"])
        self._set_back = SetBack(*state["set_back"])
        self._candidates.since = dict(state["others"])
        self._forms = Forms(*state["forms"])

    def _continues_on_grid(self, readings: Readings) -> bool:
        """Return whether the samples are just the next grid points, one for each, and not late.

        If they are, their rate has been measured.
        """
        times = readings.times
        if self.sensors != [readings.sensor] or len(self.sources) > 1:
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
            if not self._forms.take_other():
                self._mixed.rise(len(times) / SAMPLING_RATE_HZ)
                return Dropped(unused=len(times))
            dropped += self._forget()
        self._forms.n_other = 0
        newest = float(times.max())
        if form_of(sensor) == "separate":
            self.clocks.note(sensor, newest)
        if self.choice and sensor not in self.sensors:
            kept = self._sensors_for_better_rows(sensor, float(times.min()), newest)
            if kept is None:
                return dropped  # another source of what the rows already have
            used_until = self._used_until
            self.end()
            self._candidates.clear()
            for other in self.sources.keys() - kept:
                dropped += self.sources.pop(other).unused_after(used_until)
        if sensor not in self.sources:
            self.sources[sensor] = SensorSource(readings.values.shape[1], self.lateness_s)
        source = self.sources[sensor]
        expected = source.newest
        new = source.push(times, readings.values, all_late=all_late)
        before = self._set_back.newest_before
        if np.isfinite(before) and source.newest - expected > MAX_GAP_S and source.newest > before:
            self._set_back.disprove()
        # Late samples at the beginning of a message that goes on lie between some that had come.
        self._count_late(new, mixed=0 < new.late < len(times) and source.newest > expected)
        dropped += new
        return dropped

    def _count_late(self, dropped: Dropped, *, mixed: bool) -> None:
        if dropped.late:
            self._set_back.calm_s = 0.0
            (self._mixed if mixed else self._late).rise(dropped.late / SAMPLING_RATE_HZ)

    def _is_of_another_form(self, sensor: Sensor) -> bool:
        return any(form_of(other) != form_of(sensor) for other in self.sources)

    def _sensors_for_better_rows(
        self, sensor: Sensor, oldest: float, newest: float
    ) -> set[Sensor] | None:
        """Return the sensors for better rows if one makes them that comes beside those in use.

        ``oldest`` and ``newest`` are the times of its samples in a message.
        """
        better = self._candidates.better_choice(sensor, oldest, newest, self.choice, self.clocks)
        if better is not None:
            return set(sensors_of(better))
        going_on = {
            other for other in self.sensors if self.sources[other].newest > newest - BETTER_S
        }
        return None if going_on == set(self.sensors) else {sensor, *going_on}

    def _forget(self) -> Dropped:
        """Forget all samples, as those of another sender come; return what is lost."""
        lost = Dropped()
        for source in self.sources.values():
            lost += source.unused_after(self._used_until)
        self.sources.clear()
        self.end()
        self.clocks = Clocks()
        self._candidates.clear()
        self._set_back.newest_before, self._set_back.calm_s = np.nan, 0.0
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
        return any(source.late_s >= self._set_back.after_s for source in self.sources.values())

    def _begin_with_late_samples(self) -> Dropped:
        """Go on with the samples that came while the clock seemed to lag, and with no others."""
        self._set_back.happen(self.newest)
        used_until, dropped = self._used_until, Dropped()
        for source in self.sources.values():
            dropped += source.set_back(used_until)
        self.end()
        self.clocks = Clocks()
        self._candidates.clear()
        return dropped

    def _pass_time(self, seconds: float) -> None:
        """Let troubles wear off with samples that are newer than all before."""
        if seconds <= 0:
            return
        seconds = min(seconds, STALL_S)  # a jump is no time that has passed
        self._late.wear_off(seconds)
        self._mixed.wear_off(seconds)
        if self._set_back.pass_calm(seconds):
            self._forms.n_changes = 0

    def _compare_clocks(self) -> None:
        """Compare the clocks of the sensors that rows are made of, or could be."""
        if len(self.clocks.of) < 2:
            return
        needed: Sequence[Sensor] = self.sensors
        if not needed:
            needed = sensors_of(best_choice(self.clocks.of) or ())
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
            ends = [source.end_of_section() for source in sources]  # indices into the samples
            if self._make_rows(sources, ends, pieces):
                if ends == [source.n_released for source in sources]:
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
            choice = best_choice(known)
            if choice is None:
                for source in self.sources.values():  # their rate is of interest all the same
                    dropped.unused += source.catch_up(source.newest) or 0
                return False
            sensors = sensors_of(choice)
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
        self._candidates.clear()
        return True

    def _make_rows(
        self, sources: Sequence[SensorSource], ends: Sequence[int], pieces: list[Piece]
    ) -> bool:
        """Add the rows that can be made of this section to ``pieces``.

        Return False if a sensor is too slow there, so that the grid ends.
        """
        while True:
            change = min((source.coming[0][0] for source in sources if source.coming), default=None)
            origin = None if self.next_index else self.origin  # where the grid begins
            rows, whole = rows_until(
                self.choice, self.sources, ends, self.origin, self.next_index, change
            )
            if len(rows):
                self.next_index += len(rows)
                pieces.append(Piece(self._slot, origin, rows, self.troubles & DOUBTFUL))
            if change is None or not whole:
                return True
            for source in sources:
                source.pace_up_to(change)
            if any(source.pace.is_too_slow for source in sources):
                return False
