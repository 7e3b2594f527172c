"""Which phones come and go in a soak, and when one floods."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.load_plan import MOST_PHONES, RATE_HZ, ROWS, Bursts, Relay, device

SPEED: Final = 20.0
FLOOD: Final = 100
"""Times as many messages as any other phone"""
TURN_S: Final = 2.0
"""About so often a phone is gone and another comes"""
LONGEST_BURST_S: Final = 60.0
MAX_WAITING: Final = 5000
"""More than the others have unacknowledged in two periods of checkpoints, and than is left of a
flood for long"""
OFFLINE_AFTER_S: Final = 4.0
FORGET_AFTER_S: Final = 8.0
LEFT_S: Final = 20.0
"""How long something may be left of a flood"""
N_PARTS: Final = 6
"""Of the soak, the first of which is for warming up"""
FLOODER: Final = MOST_PHONES - 1
"""Number of the phone that floods"""
FLOODER_TOPIC: Final = f"har/{device(FLOODER)}/samples"
LOAD_TOPIC: Final = "har/load"


@dataclass(frozen=True)
class Soak:
    """So many phones for so long."""

    seconds: float
    phones: int
    """At any time, beside the one that floods"""
    state: bool = True
    """har-stream keeps its state on the disk"""
    max_waiting: int = MAX_WAITING
    """Messages that may wait in har-stream"""

    @property
    def part_s(self) -> float:
        """Seconds of a part of the soak."""
        return self.seconds / N_PARTS

    @property
    def burst_s(self) -> float:
        """Seconds of a burst of the flood, and of the silence before; each part has whole ones."""
        return self.part_s / 2 / math.ceil(self.part_s / 2 / LONGEST_BURST_S)

    @property
    def relay(self) -> Relay:
        """The phones that come and go."""
        n_turns = max(int(self.seconds / TURN_S), 1)
        ramp_s = self.seconds / n_turns / 2
        return Relay(
            self.phones + n_turns - 1,
            1,
            self.seconds - ramp_s,
            ramp_s,
            speed=SPEED,
            at_once=self.phones,
        )

    @property
    def flood(self) -> Bursts:
        """The phone that floods."""
        ramp_s = ROWS / RATE_HZ
        return Bursts(
            1,
            0,
            self.seconds - ramp_s,
            ramp_s,
            speed=SPEED * FLOOD,
            first=FLOODER,
            burst_s=self.burst_s,
        )

    @property
    def max_devices(self) -> int:
        """Phones that har-stream has room for: twice those that it may know of at once."""
        gone = (self.burst_s + LEFT_S + FORGET_AFTER_S) / self.relay.turn_s
        return 2 * (self.phones + 1 + math.ceil(gone))

    def flooded(self, since_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return at which times, in seconds since the beginning, the flood is on."""
        return (since_s >= self.part_s) & (since_s % (2 * self.burst_s) >= self.burst_s)

    def calm(self, since_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return at which times nothing is left of a flood either."""
        place_s = since_s % (2 * self.burst_s)
        left_s = min(LEFT_S, self.burst_s / 2)
        return (since_s >= self.part_s) & (place_s >= left_s) & (place_s < self.burst_s)
