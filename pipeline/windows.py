"""Each phone's last samples, and the windows cut from them.

Window ``k`` of a stretch without a gap is its samples ``[k * hop, k * hop + 128)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.signals import CHANNELS, WINDOW_LENGTH

_KEPT = WINDOW_LENGTH - 1


@dataclass(frozen=True, eq=False)
class Cut:
    """Windows cut from several phones."""

    phones: NDArray[np.intp]
    """``(n_windows,)``: index into the phones that were pushed"""
    first_samples: NDArray[np.int64]
    """``(n_windows,)``: each window's first sample, counted from the beginning of its stretch"""
    windows: NDArray[np.float32]
    """``(n_windows, 128, 9)``"""


class Windower:
    """The last samples of all phones."""

    def __init__(self, n_slots: int, *, hop: int) -> None:
        """Make room for ``n_slots`` phones; a window begins every ``hop`` samples.

        Raises:
            ValueError: ``hop`` is not 1 to 128; between longer hops samples would go unseen.
        """
        if not 1 <= hop <= WINDOW_LENGTH:
            raise ValueError(f"hop must be 1 to {WINDOW_LENGTH} samples, not {hop}")
        self._hop = hop
        self.count = np.zeros(n_slots, np.int64)  # samples since the stretch began
        self.recent = np.zeros((n_slots, _KEPT, len(CHANNELS)), np.float32)

    def reset(self, slots: Sequence[int]) -> None:
        """Begin a new stretch for these phones."""
        self.count[slots] = 0

    def push(self, slots: NDArray[np.intp], samples: NDArray[np.float32]) -> Cut:
        """Return the windows that the new samples ``(n_phones, n_samples, 9)`` complete.

        ``slots`` ``(n_phones,)`` names each phone once. Windows are ordered by their number, then
        by phone.
        """
        n_samples = samples.shape[1]
        if n_samples == 0:  # a phone's first raw sample: the median awaits the second
            no_windows = np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32)
            return Cut(np.empty(0, np.intp), np.empty(0, np.int64), no_windows)
        held = np.concatenate([self.recent[slots], samples], axis=1)
        before = self.count[slots]
        first_window = -(-np.maximum(before - _KEPT, 0) // self._hop)  # first one not complete yet
        numbers = first_window + np.arange(n_samples // self._hop + 1)[:, None]  # (most, n_phones)
        first_samples = numbers * self._hop
        complete = first_samples + WINDOW_LENGTH <= before + n_samples
        phones = np.nonzero(complete)[1]
        first_samples = first_samples[complete]
        views = sliding_window_view(held, WINDOW_LENGTH, axis=1)  # (n_phones, places, 9, 128)
        windows = views[phones, first_samples - before[phones] + _KEPT].transpose(0, 2, 1)

        self.recent[slots] = held[:, n_samples:]
        self.count[slots] += n_samples
        return Cut(phones, first_samples, np.ascontiguousarray(windows))
