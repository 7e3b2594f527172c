"""What a soak came to: latencies with and without the flood, and how memory grew."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.arrivals import Arrivals, completing_message, n_windows
from tests.benchmarks.figures import NotMeasuredError
from tests.benchmarks.load_plan import Relay
from tests.benchmarks.soak_plan import N_PARTS, Soak

DROPPED: Final = re.compile(r"dropped \d+ messages\b.*")
"""In a line of har-stream's log, which names topics too"""
SAMPLES_TOPIC: Final = re.compile(r"har/[^/\s]+/samples")


@dataclass(frozen=True)
class Sample:
    """What the processes are like at a time."""

    since_s: float
    """Seconds since the beginning"""
    resident_mib: float
    """Of har-stream"""
    broker_mib: float
    checkpoint_kib: float
    """0 while there is none"""
    cpu_s: float
    """Processor time that har-stream has taken"""
    all_cpu_s: float
    """That all processes of the soak have taken, this one too"""
    machine_cpu_s: float
    """That everything on the machine has taken"""


@dataclass(frozen=True)
class Outcome:
    """What a soak came to."""

    soak: Soak
    arrived: Arrivals
    """Of the phones that come and go"""
    completed_s: NDArray[np.float64]
    """``(n,)``: when what completes each window of `arrived` was sent, since the beginning"""
    late_ms: float
    """By how much the generators were late, the 99th percentile"""
    samples: Sequence[Sample] = field(repr=False)
    loads: Sequence[dict[str, Any]] = field(repr=False)
    """What har-stream told of how busy it is"""
    n_flood_windows: int
    """Of the phone that floods, predicted"""
    dropped_topics: frozenset[str]
    """Whose messages were dropped, according to the log"""

    def percentiles_ms(self, *, flooded: bool, percents: Sequence[float]) -> list[float]:
        """Return percentiles of the latencies with or without the flood.

        Raises:
            NotMeasuredError: there are none.
        """
        within = (self.soak.flooded if flooded else self.soak.calm)(self.completed_s)
        return _percentiles(self.arrived.latencies_ms[within], percents)

    def usual_p99_ms(self, *, flooded: bool) -> float:
        """Return the median of the p99 of each burst of the flood, or of each silence.

        Raises:
            NotMeasuredError: there are none.
        """
        within = (self.soak.flooded if flooded else self.soak.calm)(self.completed_s)
        latencies_ms = self.arrived.latencies_ms[within]
        turn = (self.completed_s[within] / (2 * self.soak.burst_s)).astype(np.int64)
        each = [_percentiles(latencies_ms[turn == one], [99])[0] for one in np.unique(turn)]
        return median(each)

    def cores(self, name: str, *, flooded: bool) -> float:
        """Return how many cores a quantity of `Sample` takes with or without the flood."""
        since_s = np.array([sample.since_s for sample in self.samples])
        taken_s = np.array([getattr(sample, name) for sample in self.samples])
        middles_s = (since_s[1:] + since_s[:-1]) / 2
        within = (self.soak.flooded if flooded else self.soak.calm)(middles_s)
        seconds = float(np.diff(since_s)[within].sum())
        return float(np.diff(taken_s)[within].sum()) / seconds if seconds else math.nan


def _percentiles(values: NDArray[np.float64], percents: Sequence[float]) -> list[float]:
    if len(values) == 0:
        raise NotMeasuredError("no window was completed while it was to be measured")
    found: list[float] = np.percentile(values, percents, method="higher").tolist()
    return found


def growth(soak: Soak, samples: Sequence[Sample], name: str) -> tuple[float, float, float]:
    """Return a quantity's mean over the second part and the last, and its slope an hour.

    Raises:
        NotMeasuredError: a part has no sample.
    """
    since_s = np.array([sample.since_s for sample in samples])
    values = np.array([getattr(sample, name) for sample in samples])
    part = (since_s / soak.part_s).astype(np.int64)
    second, last = values[part == 1], values[part == N_PARTS - 1]
    if len(second) == 0 or len(last) == 0:
        raise NotMeasuredError("it was too short, or the machine too busy, to look at the memory")
    warm = (part >= 1) & (part < N_PARTS)
    slope_a_s = np.polyfit(since_s[warm], values[warm], 1)[0] if warm.sum() > 1 else 0.0
    return float(second.mean()), float(last.mean()), float(slope_a_s) * 3600


def completed_at(relay: Relay, sent: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return when what completes each window was sent, since the beginning.

    Windows are those whose latencies `arrivals` gives, in its order: phone by phone.
    """
    counts = n_windows(relay.n_messages)  # (phones,)
    phone = np.repeat(np.arange(relay.phones), counts)
    window = np.arange(len(phone)) - np.repeat(np.cumsum(counts) - counts, counts)
    sent_at = np.full((relay.phones, int(relay.n_messages.max())), np.inf)
    sent_at[sent["phone"], sent["number"]] = sent["sent"]
    completed = sent_at[phone, completing_message(window)]
    begin = float(sent["due"][0])
    in_hold: NDArray[np.float64] = completed[completed >= begin + relay.ramp_s] - begin
    return in_hold


def dropped_topics(log: str) -> frozenset[str]:
    """Return the topics of which har-stream's log says that messages were dropped."""
    return frozenset(
        topic for line in DROPPED.findall(log) for topic in SAMPLES_TOPIC.findall(line)
    )
