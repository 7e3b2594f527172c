"""The clocks of a phone's sensors, compared: some apps date each sensor by a separate clock.

Strategy: over `CLOCKS_COMPARED_S` of samples, the least and the greatest lead of each sensor's
newest sample over the reference's is noted. Messages of sensors whose clocks agree overtake one
another, so that the lead is now positive, now negative; if it keeps its sign, the clocks differ.
For this, each sensor must have sent after another, and again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pipeline.readings import Sensor

STALL_S: Final = 11.0
"""Do not wait for a sensor that is so far behind the phone's others: apps send every 10 s at
least."""

CLOCKS_APART_S: Final = 0.1
"""The last samples of two sensors are never closer than this if their clocks differ; a sampling
interval of theirs may come on top."""
CLOCKS_COMPARED_S: Final = 3.0
"""Seconds of samples over which the sensors' clocks are compared."""


@dataclass
class Clock:
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
class Clocks:
    """The times of a phone's sensors."""

    of: dict[Sensor, Clock] = field(default_factory=dict)
    begun_s: float = 0.0
    """`elapsed_s` when this comparison began"""
    last: Sensor | None = None
    """The sensor that was heard last"""
    n_alternations: int = 0
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
        clock = self.of.setdefault(sensor, Clock(newest))
        clock.elapsed_s += min(max(newest - clock.newest, 0.0), STALL_S)
        clock.newest = newest
        clock.n_messages += 1
        if sensor != self.last:
            self.last, self.n_alternations = sensor, self.n_alternations + 1
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
        if min(clock.n_messages for clock in heard) < 2 or self.n_alternations < 2 * len(self.of):
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
        self.begun_s, self.n_alternations = self.elapsed_s, 0

    def silent(self, sensor: Sensor) -> bool:
        """Return whether a sensor has not been heard while others were."""
        clock = self.of.get(sensor)
        return clock is None or self.elapsed_s - clock.heard_at_s > STALL_S

    def state(self) -> dict[str, Any]:
        """Return the state, in values that MessagePack can hold."""
        return {
            "clocks": [
                [
                    sensor,
                    *(clock.newest, clock.elapsed_s, clock.heard_at_s),
                    *(clock.n_messages, *clock.ahead_s),
                ]
                for sensor, clock in self.of.items()
            ],
            "compared": [self.begun_s, self.apart_s, self.last, self.n_alternations],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Clocks":
        """Return clocks that know what `state` returned."""
        clocks = cls()
        for sensor, newest, elapsed_s, heard_at_s, n_messages, least, most in state["clocks"]:
            clocks.of[sensor] = Clock(newest, elapsed_s, heard_at_s, n_messages, (least, most))
        clocks.begun_s, clocks.apart_s, clocks.last, clocks.n_alternations = state["compared"]
        return clocks
