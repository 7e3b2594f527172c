"""The rate of a sensor, measured again and again, and how its samples are processed.

The rate is measured over every two seconds of samples. By the rate a sensor faster than 110 Hz is
low-passed, and one below 10 Hz gives no rows.

In between, whether a sensor is slow depends on the model that its phone has: each needs a rate of
its own (`NeededRates`). As measured rates vary, a sensor is slow once it falls below 28/30 of what
is needed, until it reaches that. So that this is known for any model, whichever the phone comes to
have, the *steadied rate* is kept: the measured one, moved only as far as those two bounds demand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.timing import MAX_GAP_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

MEASURED_S: Final = 2.0
"""The rate is measured over so much time, in which a pause counts for `MAX_GAP_S` at most."""

NEEDED_RATE_HZ: Final = 30.0
"""Needed by a model that says nothing else, and the most that one can need: from a slower sensor
the steps of a walk cannot be reconstructed as the signals of training have them."""
SURELY_LOW_RATE_HZ: Final = 28.0
"""Measured rates vary: if `NEEDED_RATE_HZ` are needed, a sensor becomes slow below this rate."""

LOWEST_RATE_HZ: Final = 10.0
"""A slower sensor gives no rows: between two of its samples anything may have happened."""

ANTI_ALIAS_ABOVE_HZ: Final = 110.0
"""Faster sensors are low-passed: 100 Hz, as phones keep it, with some margin."""

MOST_OVERSAMPLING: Final = 20
"""Sensors of more than 1,000 Hz are interpolated to that first."""


@dataclass(frozen=True)
class Pace:
    """How a sensor's samples are processed, by their rate."""

    oversampling: int = 1
    """Points of the finer grid on which the low-pass works, a grid point; 1 for no low-pass"""
    steadied_hz: float = NEEDED_RATE_HZ
    """The steadied rate, `NEEDED_RATE_HZ` at most: a model that needs more than it has slow
    samples"""
    is_too_slow: bool = False
    """Below `LOWEST_RATE_HZ`"""

    @classmethod
    def of(cls, rate_hz: float, *, before: "Pace") -> "Pace":
        """Return the pace of samples at a rate, behind others of the pace ``before``."""
        most_hz = rate_hz * NEEDED_RATE_HZ / SURELY_LOW_RATE_HZ
        steadied_hz = min(max(before.steadied_hz, rate_hz), most_hz, NEEDED_RATE_HZ)
        return cls(oversampling_at(rate_hz), float(steadied_hz), bool(rate_hz < LOWEST_RATE_HZ))


STEADY_PACE: Final = Pace()
"""Of samples that need no low-pass; slow for no model."""


@dataclass(frozen=True)
class NeededRates:
    """The rate that each phone's sensors need, in hertz: that of the model which the phone has."""

    at_waist_hz: float = NEEDED_RATE_HZ
    """Of phones that are known to be worn at the waist"""
    elsewhere_hz: float = NEEDED_RATE_HZ
    """Of all others"""
    is_at_waist: Callable[[int], bool] = lambda _: False
    """Whether the phone in a slot was placed at the waist"""

    def of(self, slot: int, *, is_prepared: bool) -> float:
        """Return what a phone needs; prepared samples are of phones at the waist."""
        return self.at_waist_hz if is_prepared or self.is_at_waist(slot) else self.elsewhere_hz


def oversampling_at(rate_hz: float) -> int:
    """Return how many times finer than the grid the low-pass of such a sensor is to work."""
    if rate_hz <= ANTI_ALIAS_ABOVE_HZ:
        return 1
    return min(int(np.ceil(rate_hz / SAMPLING_RATE_HZ - 0.1)), MOST_OVERSAMPLING)


class RateMeter:
    """The rate of a sensor, measured over each `MEASURED_S` of its samples."""

    def __init__(self) -> None:
        """Begin without samples."""
        self.begin = np.nan
        """Time of the sample with which the measurement under way begins; later by as much as
        pauses since were longer than `MAX_GAP_S`"""
        self.n = 0
        """Samples since then"""
        self.rate_hz = np.nan
        """The last result"""

    def add(self, before: float, times: NDArray[np.float64]) -> list[tuple[float, float]]:
        """Return the time and result of each measurement that samples complete.

        ``before`` is the time of the sample before ``times`` ``(n,)``.
        """
        if np.isnan(self.begin):
            self.begin, before = float(times[0]), float(times[0])
            times = times[1:]
        if len(times) == 0:
            return []
        pauses = np.diff(times, prepend=before)
        gaps = np.flatnonzero(pauses > MAX_GAP_S)
        if len(gaps) == 0 and times[-1] < self.begin + MEASURED_S:
            self.n += len(times)
            return []
        measured = []
        for part in np.split(np.arange(len(times)), gaps):
            if len(part) and pauses[part[0]] > MAX_GAP_S:
                self.begin += float(pauses[part[0]]) - MAX_GAP_S
            rest = times[part]
            while len(rest):
                n = int(np.searchsorted(rest, self.begin + MEASURED_S))
                if n == len(rest):
                    self.n += n
                    break
                end = float(rest[n])
                self.rate_hz = (self.n + n + 1) / (end - self.begin)
                measured.append((end, self.rate_hz))
                self.begin, self.n = end, 0
                rest = rest[n + 1 :]
        return measured
