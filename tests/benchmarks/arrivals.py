"""Which predictions a load must bring, and which have come, how late.

A raw window is complete one sample after its last, as the filters' median looks one sample ahead.
Latencies are of the time after the ramp, losses of all the time.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import WINDOW_LENGTH
from tests.benchmarks.load_plan import RATE_HZ, ROWS, Load, device

HOP: Final = 64


@dataclass(frozen=True)
class Arrivals:
    """What came of the predictions that were expected."""

    n_expected: int
    n_lost: int
    n_repeated: int
    n_strange: int
    """Of windows that there are not"""
    latencies_ms: NDArray[np.float64] = field(repr=False)
    """``(n,)``: of the windows completed during the hold; infinite for what did not come"""

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latencies, infinite if nothing was expected."""
        if len(self.latencies_ms) == 0:
            return math.inf
        return float(np.percentile(self.latencies_ms, percent, method="higher"))


def windows_per_s(load: Load) -> float:
    """Return how many windows a load completes a second."""
    return load.phones * RATE_HZ * load.speed / HOP


def n_windows(n_messages: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many windows so many messages of a phone complete."""
    prepared = n_messages * ROWS - 1  # the median keeps one back
    return np.maximum((prepared - WINDOW_LENGTH) // HOP + 1, 0)


def completing_message(window: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the message that completes a phone's windows, by their numbers."""
    return (window * HOP + WINDOW_LENGTH) // ROWS


def arrivals(load: Load, sent: dict[str, NDArray[Any]], came: dict[str, NDArray[Any]]) -> Arrivals:
    """Hold what the probe saw against what the generator sent; both are their reports."""
    counts = n_windows(load.n_messages)  # (phones,)
    sent_at = np.full((load.phones, int(load.n_messages.max())), np.inf)
    sent_at[sent["phone"], sent["number"]] = sent["sent"]
    number_of = {device(phone): phone for phone in range(load.phones)}
    phone = np.array([number_of.get(name, -1) for name in came["device"].tolist()], np.int64)
    since_s = came["start"] - sent["first_samples_ms"][phone] / 1000
    place = since_s * RATE_HZ / HOP
    window = np.rint(place).astype(np.int64)
    known = (phone >= 0) & (window >= 0) & (window < counts[phone]) & (abs(place - window) < 1e-3)

    received = np.full((load.phones, max(int(counts.max()), 1)), np.inf)
    np.minimum.at(received, (phone[known], window[known]), came["received"][known])
    numbers = np.arange(received.shape[1])
    expected = numbers < counts[:, None]  # (phones, windows)
    completing = np.minimum(completing_message(numbers), sent_at.shape[1] - 1)
    completed = sent_at[:, completing]
    begin = float((sent["due"] - load.joins_s[sent["phone"]] - sent["number"] * ROWS / RATE_HZ)[0])
    in_hold = expected & (completed >= begin + load.ramp_s)
    n_came = int((expected & np.isfinite(received)).sum())
    return Arrivals(
        n_expected=int(expected.sum()),
        n_lost=int(expected.sum()) - n_came,
        n_repeated=int(known.sum()) - n_came,
        n_strange=int((~known).sum()),
        latencies_ms=(received[in_hold] - completed[in_hold]) * 1000,
    )
