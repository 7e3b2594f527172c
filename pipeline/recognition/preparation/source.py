"""One sensor's samples: put in the order of their times, and their rate measured again and again.

Rules, for the samples of one message after another:

* Samples behind a *hole* wait, unreleased, until the missing message comes, or until a message
  begins more than the lateness after them. Released samples never change.
* A message that is not newer than what is released is *late*. If its start is known it is repeated,
  and dropped; else it is kept, for the clock may have been set back: that is decided in `grid`.
* The rate is measured over every two seconds of samples. Its *pace*, how finely it is to be low-
  passed and how slow it is, holds for the samples behind that measurement, whenever rows
  are made of them; so it does not matter how the samples were cut into messages.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.interpolation import interpolate, low_pass
from pipeline.recognition.preparation.pace import STEADY_PACE, Pace, RateMeter, oversampling_at
from pipeline.recognition.preparation.starts import Starts
from pipeline.recognition.preparation.timing import MAX_GAP_S, ON_GRID_S
from pipeline.vocabulary import SAMPLING_RATE_HZ

HOLD_S: Final = 2.0
"""Never wait longer for a late message: a window has 2.56 s."""

SURVEY_S: Final = 0.3
"""A grid begins when each sensor has sent for so long: then its rate is known, and which sensors
there are."""

MOST_KEPT_SAMPLES: Final = 20_000
"""Samples that are kept of a sensor: two messages of the largest size."""

TAIL: Final = 3
"""Samples before the next grid point that interpolation can still need."""

HISTORY_S: Final = 0.075
"""Seconds before a grid point that any low-pass can need: half the longest is 0.07 s."""

KEPT: Final = 3 + TAIL
"""Samples at 50 Hz that cover both."""

HOLE: Final = 1.5
"""A pause of so many sampling intervals may hide a message that is yet to come."""


class SensorSource:
    """One sensor's samples, in the order of their times."""

    def __init__(self, n_columns: int, lateness_s: float) -> None:
        """Begin without samples, of so many columns; messages may overtake by ``lateness_s``."""
        self._lateness_s = lateness_s
        self.times = np.empty(0)  # (n,), ascending strictly
        self.rows = np.empty((0, n_columns))
        self.joined = np.empty(0, np.bool_)  # came in one message with the sample before
        self.n_released = 0  # the others lie behind a hole
        self.newest = -np.inf  # of the released samples, also when they are no longer kept
        self.latest_start = -np.inf  # when the latest message began
        self.late: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self.starts = Starts()
        self.meter = RateMeter()
        self.pace = STEADY_PACE
        self.paced_at = -np.inf  # when that was measured
        self.coming: list[tuple[float, Pace]] = []
        """The paces that were measured, each with the time behind which it holds"""

    @property
    def is_plain(self) -> bool:
        """Whether samples are neither waited for nor filtered."""
        return self.n_released == len(self.times) and self.pace == STEADY_PACE and not self.coming

    @property
    def is_regular(self) -> bool:
        """Whether samples of a known rate are neither waited for nor filtered, nor will be."""
        return (
            self.n_released == len(self.times)
            and all(pace == STEADY_PACE for pace in (self.pace, *(of for _, of in self.coming)))
            and not self.late
            and bool(np.isfinite(self.meter.rate_hz))
            and not (np.diff(self.times) > MAX_GAP_S).any()
        )

    @property
    def late_s(self) -> float:
        """How many seconds the late samples that are kept take, from the first to the last."""
        return float(self.late[-1][0][-1] - self.late[0][0][0]) if self.late else 0.0

    @property
    def newest_come(self) -> float:
        """Time of the newest sample, also if it waits behind a hole."""
        return max(self.newest, float(self.times[-1])) if len(self.times) else self.newest

    def late_with(self, times: NDArray[np.float64]) -> float:
        """Return what `late_s` would be with those of a message's samples that are late.

        0 if none is, or if they come again.
        """
        late = times[times <= self.newest]
        if len(late) == 0:
            return 0.0
        first, last = float(late.min()), float(late.max())
        if self.newest - last <= ON_GRID_S or first in self.starts:
            return 0.0
        if self.late and first > self.late[-1][0][-1]:
            first = float(self.late[0][0][0])
        return last - first

    def stays_steady(self, times: NDArray[np.float64]) -> bool:
        """Return whether the rate is still that of the grid with samples that follow on it.

        If it is, they have been measured.
        """
        meter = copy(self.meter)
        for _, rate_hz in meter.add(self.newest, times):
            if Pace.of(rate_hz, before=STEADY_PACE) != STEADY_PACE:
                return False
        self.meter = meter
        return True

    def replace(
        self, times: NDArray[np.float64], rows: NDArray[np.float64], next_time: float
    ) -> Dropped:
        """Take samples that are grid points, and are measured; return the late ones dropped."""
        self.times = np.concatenate([self.times, times])
        self.rows = np.concatenate([self.rows, rows])
        self.joined = np.ones(len(self.times), np.bool_)
        self.n_released = len(self.times)
        self.keep_for(next_time)
        self.newest = float(times[-1])
        self.latest_start = float(times[0])
        self.starts.append(self.latest_start)
        return self._drop_late()

    def push(
        self, times: NDArray[np.float64], rows: NDArray[np.float64], *, all_late: bool = False
    ) -> Dropped:
        """Take the samples of a message; return what was dropped.

        Args:
            times: ``(n,)``: seconds.
            rows: ``(n, n_columns)``.
            all_late: keep all of them as late samples if any is: the clock was set back.
        """
        dropped = Dropped()
        if not (np.diff(times) > 0).all():
            n_samples = len(times)
            times, first_of_each = np.unique(times, return_index=True)
            rows = rows[first_of_each]
            dropped.repeated += n_samples - len(times)
        n_late = int(np.searchsorted(times, self.newest, side="right"))
        if n_late:
            # What comes again with other samples, or cut otherwise, has our newest sample in it.
            is_repeated = self.newest - times[n_late - 1] <= ON_GRID_S
            if (n_late == len(times) or all_late) and not is_repeated:
                dropped += self._hold_late(times, rows)
                return dropped
            if is_repeated:
                dropped.repeated += n_late
            else:
                dropped.late += n_late
            if n_late == len(times):
                return dropped
        dropped += self._drop_late()

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
            dropped.repeated += n_known + len(times) - len(self.times)
        self._release()
        if len(self.times) > MOST_KEPT_SAMPLES:
            dropped.unused += self.drop_first(len(self.times) - MOST_KEPT_SAMPLES)
        return dropped

    def release_all(self) -> Dropped:
        """Wait for nothing any more; return what is dropped of the late samples."""
        self._release_up_to(len(self.times))
        return self._drop_late()

    def set_back(self, used_until: float) -> Dropped:
        """Go on with the late samples alone; return what is dropped.

        Samples up to ``used_until`` have been made rows of.
        """
        dropped = Dropped(unused=self.unused_after(used_until).unused)
        late, self.late = self.late, []
        self.times, self.rows = self.times[:0], self.rows[:0]
        self.joined = self.joined[:0]
        self.n_released = 0
        self.newest = self.latest_start = -np.inf
        self.meter, self.coming = RateMeter(), []
        self.pace, self.paced_at = STEADY_PACE, -np.inf
        for times, rows in late:
            dropped += self.push(times, rows)
        return dropped

    def begin_anew(self) -> None:
        """Forget the samples, but not until when they came, nor which, nor how fast."""
        self.late.clear()
        self._release_up_to(len(self.times))
        self.drop_first(len(self.times))

    def unused_after(self, used_until: float) -> Dropped:
        """Return what is lost if all samples are forgotten, of which some were used."""
        lost = Dropped(unused=len(self.times) - int(np.searchsorted(self.times, used_until)))
        lost.late = sum(len(times) for times, _ in self.late)
        return lost

    def end_of_section(self) -> int:
        """Return the index of the first sample behind a gap, or the number of those released."""
        gaps = np.diff(self.times[: self.n_released]) > MAX_GAP_S
        return int(gaps.argmax()) + 1 if gaps.any() else self.n_released

    def first_from(self, origin: float) -> float:
        """Return when a grid that begins at ``origin`` or later can begin for this sensor.

        Infinity if that is not known yet.
        """
        if self.n_released == 0:
            return np.inf
        if origin == -np.inf:
            return float(self.times[0])
        after = int(np.searchsorted(self.times[: self.n_released], origin - ON_GRID_S))
        if after == self.n_released:
            return np.inf
        behind = after == 0 or self.times[after] - self.times[after - 1] > MAX_GAP_S
        return max(origin, float(self.times[after])) if behind else origin

    def pace_up_to(self, time: float) -> None:
        """Let the paces hold that were measured up to ``time``."""
        while self.coming and self.coming[0][0] <= time:
            self.paced_at, self.pace = self.coming.pop(0)

    def catch_up(self, time: float) -> int | None:
        """Let the paces hold that were measured up to ``time``, at which a grid may begin.

        A sensor that is too slow waits for the next measurement, and so on; the samples of those
        before are dropped. Return how many, None if nothing has changed.
        """
        n_dropped = None
        while True:
            if self.pace.is_too_slow:
                count = int(np.searchsorted(self.times, self.paced_at, side="right"))
                if count:
                    n_dropped = (n_dropped or 0) + self.drop_first(count)
            if not (self.coming and (self.coming[0][0] <= time or self.pace.is_too_slow)):
                return n_dropped
            n_dropped = n_dropped or 0
            self.paced_at, self.pace = self.coming.pop(0)

    def begin_at(self, origin: float) -> None:
        """Drop what a grid from ``origin`` on does not need, and find its low-pass."""
        after = int(np.searchsorted(self.times[: self.n_released], origin - ON_GRID_S))
        gaps = np.flatnonzero(np.diff(self.times[: after + 1]) > MAX_GAP_S)
        if len(gaps):
            self.drop_first(int(gaps[-1]) + 1)
        first = self.times[: self.end_of_section()]
        first = first[: np.searchsorted(first, origin + SURVEY_S, side="right")]
        if len(first) > 1:
            rate_hz = 1 / float(np.median(np.diff(first)))
            if np.isnan(self.meter.rate_hz):
                self.meter.rate_hz = rate_hz
            self.pace = Pace(oversampling_at(rate_hz), self.pace.steadied_hz)
        self.keep_for(origin)

    def keep_for(self, time: float) -> None:
        """Drop what a grid point at ``time`` and those after it do not need."""
        before = np.searchsorted(self.times[: self.n_released], time - HISTORY_S)
        self.drop_first(min(int(before), self.n_released) - TAIL)

    def drop_before(self, time: float) -> int:
        """Drop what is older, but for the newest; return how many samples."""
        count = min(int(np.searchsorted(self.times, time)), len(self.times) - 1)
        return self.drop_first(count)

    def drop_first(self, count: int) -> int:
        """Drop the oldest samples; return how many."""
        if count <= 0:
            return 0
        self.times, self.rows = self.times[count:], self.rows[count:]
        self.joined = self.joined[count:]
        self.n_released = max(self.n_released - count, 0)
        return count

    def at(self, origin: float, indices: NDArray[np.int64], end: int) -> NDArray[np.float64]:
        """Return the rows at grid points, up to the first that needs a sample yet to come.

        ``end`` is the index of the first sample that does not belong to the section.
        """
        times, rows = self.times[:end], self.rows[:end]
        n = self.pace.oversampling
        if n == 1 or len(indices) == 0:
            return interpolate(times, rows, origin + indices / SAMPLING_RATE_HZ, ON_GRID_S)
        taps = low_pass(n)
        half = taps.size // 2
        fine = np.arange(indices[0] * n - half, indices[-1] * n + half + 1)
        fine_times = np.maximum(origin + fine / (n * SAMPLING_RATE_HZ), times[0])
        fine_rows = interpolate(times, rows, fine_times, 1e-6)
        if len(fine_rows) < taps.size:
            return fine_rows[:0]
        return sliding_window_view(fine_rows, taps.size, axis=0)[::n] @ taps

    def state(self) -> dict[str, Any]:
        """Return the state, in copied arrays and values that MessagePack can hold."""
        return {
            "times": self.times.copy(),
            "rows": self.rows.copy(),
            "joined": self.joined.copy(),
            "n_released": self.n_released,
            "newest": self.newest,
            "latest_start": self.latest_start,
            "late": [[times.copy(), rows.copy()] for times, rows in self.late],
            "starts": self.starts.ring.copy(),
            "n_starts": self.starts.count,
            "meter": [self.meter.begin, self.meter.n, self.meter.rate_hz],
            "pace": _pace_state(self.pace),
            "paced_at": self.paced_at,
            "coming": [[time, _pace_state(pace)] for time, pace in self.coming],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any], lateness_s: float) -> "SensorSource":
        """Return a source that knows what `state` returned."""
        source = cls(state["rows"].shape[1], lateness_s)
        source.times, source.rows = state["times"].copy(), state["rows"].copy()
        source.joined = state["joined"].copy()
        source.n_released, source.newest = state["n_released"], state["newest"]
        source.latest_start = state["latest_start"]
        source.late = [(times.copy(), rows.copy()) for times, rows in state["late"]]
        source.starts.ring[:], source.starts.count = state["starts"], state["n_starts"]
        source.meter.begin, source.meter.n, source.meter.rate_hz = state["meter"]
        source.pace, source.paced_at = Pace(*state["pace"]), state["paced_at"]
        source.coming = [(time, Pace(*pace)) for time, pace in state["coming"]]
        return source

    def _hold_late(self, times: NDArray[np.float64], rows: NDArray[np.float64]) -> Dropped:
        """Keep late samples for the case that the clock was set back; return what it drops."""
        start = float(times[0])
        if start in self.starts:
            return Dropped(repeated=len(times))
        self.starts.append(start)
        dropped = Dropped()
        kept = sum(len(late) for late, _ in self.late)
        if self.late and (start <= self.late[-1][0][-1] or kept > MOST_KEPT_SAMPLES):
            dropped = self._drop_late()
        self.late.append((times, rows))
        return dropped

    def _drop_late(self) -> Dropped:
        """Drop the late samples that were kept; return them."""
        n_dropped = sum(len(times) for times, _ in self.late)
        self.late.clear()
        return Dropped(late=n_dropped)

    def _release(self) -> None:
        """Release the samples up to the first hole that may yet be filled."""
        if self.n_released == 0 and self.times[-1] - self.times[0] <= self._lateness_s:
            return  # what comes next may be older than all
        first = max(self.n_released, 1)
        interval_s = 1 / self.meter.rate_hz
        if np.isnan(interval_s):
            interval_s = float(np.median(np.diff(self.times)))
        waits = (
            (np.diff(self.times[first - 1 :]) > HOLE * interval_s)
            & ~self.joined[first:]
            & (self.latest_start - self.times[first:] <= self._lateness_s)
            & (self.times[-1] - self.times[first:] <= HOLD_S)
        )
        self._release_up_to(first + int(waits.argmax()) if waits.any() else len(self.times))

    def _release_up_to(self, n_released: int) -> None:
        if n_released > self.n_released:
            self._measure(self.times[self.n_released : n_released])
            self.n_released = n_released
            self.newest = float(self.times[n_released - 1])

    def _measure(self, times: NDArray[np.float64]) -> None:
        """Measure the rate with samples ``(n,)`` that come behind all others."""
        for time, rate_hz in self.meter.add(self.newest, times):
            before = self.coming[-1][1] if self.coming else self.pace
            self.coming.append((time, Pace.of(rate_hz, before=before)))


def _pace_state(pace: Pace) -> list[float | bool]:
    return [pace.oversampling, pace.steadied_hz, pace.is_too_slow]
