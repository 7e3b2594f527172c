"""The last samples of the sensors whose grids just continue, and their rates, in arrays.

What `SensorSource` has of one phone's sensor while its samples just follow one another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.preparation.pace import (
    ANTI_ALIAS_ABOVE_HZ,
    MEASURED_S,
    SURELY_LOW_RATE_HZ,
)
from pipeline.recognition.preparation.source import SensorSource
from pipeline.recognition.preparation.start_rings import StartRings


@dataclass(frozen=True, eq=False)
class MeasuredRates:
    """What `RateMeter` has after the samples of several phones, ``(n_phones,)`` each."""

    begin: NDArray[np.float64]
    """Where the measurement under way begins"""
    n: NDArray[np.int64]
    """Samples since then"""
    rate_hz: NDArray[np.float64]
    """The rate measured last"""
    lowest_hz: NDArray[np.float64]
    highest_hz: NDArray[np.float64]
    """Of the rates measured meanwhile and the one before"""

    @property
    def is_at_pace(self) -> NDArray[np.bool_]:
        """Where all rates are of `STEADY_PACE`."""
        return (self.lowest_hz >= SURELY_LOW_RATE_HZ) & (self.highest_hz <= ANTI_ALIAS_ABOVE_HZ)

    def chosen(self, which: NDArray[np.bool_]) -> "MeasuredRates":
        """Return that of those of the phones that ``which`` ``(n_phones,)`` says."""
        return MeasuredRates(
            self.begin[which],
            self.n[which],
            self.rate_hz[which],
            self.lowest_hz[which],
            self.highest_hz[which],
        )

    def after(self, times: NDArray[np.float64]) -> "MeasuredRates":
        """Return what there is after more samples ``(n_phones, n_samples)`` without a gap.

        At least one sample a phone.
        """
        begin, n, rate_hz = self.begin.copy(), self.n, self.rate_hz.copy()
        lowest_hz, highest_hz = self.lowest_hz.copy(), self.highest_hz.copy()
        n_samples = times.shape[1]
        n = n + n_samples
        over = np.flatnonzero(times[:, -1] >= begin + MEASURED_S)
        while len(over):
            of_phone = times[over]
            last = (of_phone < (begin[over] + MEASURED_S)[:, np.newaxis]).sum(axis=1)
            end = of_phone[np.arange(len(over)), last]
            behind = n_samples - 1 - last
            rate_hz[over] = (n[over] - behind) / (end - begin[over])
            lowest_hz[over] = np.minimum(lowest_hz[over], rate_hz[over])
            highest_hz[over] = np.maximum(highest_hz[over], rate_hz[over])
            begin[over], n[over] = end, behind
            over = over[of_phone[:, -1] >= end + MEASURED_S]
        return MeasuredRates(begin, n, rate_hz, lowest_hz, highest_hz)


class ContinuingSources(PerPhone):
    """Of each phone one sensor's samples: those that its grid can still need."""

    _per_phone = (
        *("newest", "times"),
        *("measured_from", "n_measured", "rate_hz"),
    )

    def __init__(self, n_slots: int, n_kept: int, n_columns: int) -> None:
        """Make room for ``n_kept`` samples of ``n_slots`` phones, of ``n_columns`` at most."""
        self.newest = np.zeros(n_slots)
        self.times = np.zeros((n_slots, n_kept))  # -infinity for samples that are missing
        self.rows = np.zeros((n_slots, n_kept, n_columns))
        self.starts = StartRings(n_slots)
        # As in `RateMeter`:
        self.measured_from = np.zeros(n_slots)
        self.n_measured = np.zeros(n_slots, np.int64)
        self.rate_hz = np.zeros(n_slots)

    def saved(self, slots: NDArray[np.intp], n_last: int, n_columns: int) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays ``(n_phones, ...)``.

        Of the rows only the ``n_last`` last ones and the first ``n_columns``.
        """
        state = self.state(slots)
        first = self.rows.shape[1] - n_last
        rows = self.rows[slots, first:, :n_columns]
        rows[state["times"][:, first:] == -np.inf] = 0.0  # of zeros a checkpoint makes nothing
        return {**state, "rows": rows, "starts": self.starts.state(slots)}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `saved` returned; a phone's slot may be another than it was."""
        super().restore(slots, state)
        rows = state["rows"]
        self.rows[slots, self.rows.shape[1] - rows.shape[1] :, : rows.shape[2]] = rows
        self.starts.restore(slots, state["starts"])

    def keep(self, slot: int, source: SensorSource) -> None:
        """Take over the samples of a phone's sensor, for which there is room."""
        self.newest[slot] = source.newest
        n_missing = self.times.shape[1] - len(source.times)
        self.times[slot, :n_missing] = -np.inf
        self.times[slot, n_missing:] = source.times
        self.rows[slot, n_missing:, : source.rows.shape[1]] = source.rows
        self.starts.keep(slot, source.starts)
        self.measured_from[slot] = source.meter.begin
        self.n_measured[slot], self.rate_hz[slot] = source.meter.n, source.meter.rate_hz

    def release(self, slot: int, source: SensorSource) -> None:
        """Hand a phone's samples over to ``source``, which is empty."""
        is_there = self.times[slot] > -np.inf
        source.times = self.times[slot, is_there]
        source.rows = self.rows[slot, is_there, : source.rows.shape[1]]
        source.n_released = len(source.times)
        source.joined = np.ones(source.n_released, np.bool_)
        source.newest = float(self.newest[slot])
        source.starts = self.starts.release(slot)
        source.meter.begin = float(self.measured_from[slot])
        source.meter.n = int(self.n_measured[slot])
        source.meter.rate_hz = float(self.rate_hz[slot])

    def measured(self, slots: NDArray[np.intp]) -> MeasuredRates:
        """Return what is measured so far."""
        rate_hz = self.rate_hz[slots]
        return MeasuredRates(
            self.measured_from[slots], self.n_measured[slots], rate_hz, rate_hz, rate_hz
        )

    def note(
        self,
        slots: NDArray[np.intp],
        newest: NDArray[np.float64],
        starts: NDArray[np.float64],
        n_messages: NDArray[np.intp],
        measured: MeasuredRates,
    ) -> None:
        """Note which messages came, and what was measured with them.

        Args:
            slots: ``(n_phones,)``, each phone once.
            newest: times of their newest samples, ``(n_phones,)``.
            starts: times of the messages' first samples, one phone's after the other's.
            n_messages: how many of them each phone has, ``(n_phones,)``.
            measured: what was measured with them.
        """
        self.newest[slots] = newest
        self.starts.append(slots, n_messages, starts)
        self.measured_from[slots], self.n_measured[slots] = measured.begin, measured.n
        self.rate_hz[slots] = measured.rate_hz
