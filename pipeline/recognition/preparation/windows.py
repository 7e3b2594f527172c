"""Each phone's last samples, and the windows cut from them.

* Window ``k`` of a section without a gap is its samples ``[k * hop, k * hop + 128)``.
* A phone's ring holds its last 128 samples. Windows are cut before new samples are written into it,
  as the new ones overwrite what the windows begin with.
* A saved state has only the samples that windows to come can need: those from the beginning of the
  first window that is not complete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.recognition.copies import Copies
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH

_KEPT: Final = WINDOW_LENGTH - 1
_RING: Final = WINDOW_LENGTH
_PLACES: Final = (np.arange(_RING)[:, None] + np.arange(_RING)) % _RING
"""``(128, 128)``: the places in a ring from each on; computed anew they cost four times as much"""
_NUMBERS: Final = np.arange(WINDOW_LENGTH)
_TO_END: Final = _NUMBERS[::-1].copy()
"""``(128,)``: how many samples of a window come behind each"""
_SAMPLE: Final = np.dtype((np.void, len(CHANNELS) * np.dtype(np.float32).itemsize))
"""A sample as one item of 36 bytes: as such they are picked and put in half the time"""
_BLOCK: Final = 512
"""Phones whose samples are copied at once: the numbers of their places stay in the cache"""
_FEW: Final = 33
"""Samples that come at once, up to which windows are cut from the rings: a message of 25, and some
more"""


@dataclass(frozen=True, eq=False)
class WindowPlaces:
    """Where windows begin."""

    phones: NDArray[np.intp]
    """``(n_windows,)``: index into the phones that are pushed"""
    first_samples: NDArray[np.int64]
    """``(n_windows,)``: each window's first sample, counted from the beginning of its section"""

    def chosen(self, which: NDArray[np.bool_]) -> "WindowPlaces":
        """Return those of which ``which`` ``(n_windows,)`` says so."""
        return WindowPlaces(self.phones[which], self.first_samples[which])

    def are(self, others: "WindowPlaces") -> bool:
        """Return whether these are the others, in the same order."""
        return np.array_equal(self.phones, others.phones) and np.array_equal(
            self.first_samples, others.first_samples
        )


@dataclass(frozen=True, eq=False)
class Cut(WindowPlaces):
    """Windows cut from several phones."""

    windows: NDArray[np.float32]
    """``(n_windows, 128, 9)``"""


class Windower:
    """The last samples of all phones."""

    def __init__(self, n_slots: int, *, hop: int, other_hop: int | None = None) -> None:
        """Make room for ``n_slots`` phones; a window begins every ``hop`` samples.

        Those that begin every ``other_hop`` samples can be cut, too, also after a restart.

        Raises:
            ValueError: ``hop`` is not 1 to 128; with a longer hop some samples would be in no
                window.
        """
        if not 1 <= hop <= WINDOW_LENGTH:
            raise ValueError(f"hop must be 1 to {WINDOW_LENGTH} samples, not {hop}")
        self._hop = hop
        self._hops = (hop,) if other_hop is None else (hop, other_hop)
        self.count = np.zeros(n_slots, np.int64)  # samples since the section began
        self.ring = np.zeros((n_slots, _RING), _SAMPLE)  # sample n at n % _RING
        self._copies = Copies()

    def reset(self, slots: Sequence[int]) -> None:
        """Begin a new section for these phones."""
        self.count[slots] = 0

    def push(self, slots: NDArray[np.intp], samples: NDArray[np.float32]) -> Cut:
        """Return the windows that the new samples ``(n_phones, n_samples, 9)`` complete.

        ``slots`` ``(n_phones,)`` names each phone once; each phone's windows are in their order.
        """
        return self.push_and_cut(slots, samples, [self.complete(slots, samples.shape[1])])[0]

    def complete(
        self, slots: NDArray[np.intp], n_samples: int, *, hop: int | None = None
    ) -> WindowPlaces:
        """Return the windows that so many samples of each phone would complete.

        They begin every ``hop`` samples, by default that of the windows.
        """
        assert hop is None or hop in self._hops
        return _complete(self.count[slots], n_samples, hop or self._hop)

    def push_and_cut(
        self, slots: NDArray[np.intp], samples: NDArray[np.float32], wanted: Sequence[WindowPlaces]
    ) -> list[Cut]:
        """As `push`, but return those windows that are wanted, of those that are complete then."""
        n_samples = samples.shape[1]
        before = self.count[slots]
        self.count[slots] += n_samples
        if n_samples <= _FEW:
            new = _as_items(samples)
            cuts = [self._cut(slots, before, new, places) for places in wanted]
            self._append(slots, before, new)
            return cuts
        recent = _as_numbers(self.ring[slots[:, None], _PLACES[(before - _KEPT) % _RING, :_KEPT]])
        held = np.concatenate([recent, samples], axis=1)
        newest = samples[:, -_RING:]
        self._append(slots, before + n_samples - newest.shape[1], _as_items(newest))
        views = sliding_window_view(held, WINDOW_LENGTH, axis=1)  # (n_phones, places, 9, 128)
        return [
            Cut(
                places.phones,
                places.first_samples,
                np.ascontiguousarray(
                    views[
                        places.phones, places.first_samples - before[places.phones] + _KEPT
                    ].transpose(0, 2, 1)
                ),
            )
            for places in wanted
        ]

    def state(self, slots: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return the state of these phones, in copied arrays.

        ``count`` is ``(n_phones,)``, ``needed`` ``(n_samples, 9)`` the samples that windows to come
        can need, one phone's behind another's.
        """
        count = self.count[slots]
        numbers = self.ring.reshape(-1).view(np.float32).reshape(-1, len(CHANNELS))
        shape = int(self._n_needed(count).sum()), len(CHANNELS)
        needed = self._copies.room("needed", shape, np.float32, most_bytes=self.ring.nbytes)
        begin = 0
        for first in range(0, len(slots), _BLOCK):
            places = self._needed(slots[first : first + _BLOCK], count[first : first + _BLOCK])
            end = begin + len(places)
            numbers.take(places, axis=0, out=needed[begin:end], mode="clip")
            begin = end
        return {"count": count, "needed": needed}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self.count[slots] = state["count"]
        self.ring.reshape(-1)[self._needed(slots, state["count"])] = _as_items(state["needed"])

    def _n_needed(self, count: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many samples windows to come can need of phones that have had so many."""
        first = np.min([_first_window(count, hop) * hop for hop in self._hops], axis=0)
        n_needed: NDArray[np.int64] = count - first
        return n_needed

    def _needed(self, slots: NDArray[np.intp], count: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the samples that windows to come can need, of phones that have had so many.

        That is ``(n_samples,)`` the place of each in all rings, one behind another.
        """
        n_needed = self._n_needed(count)
        ends = np.cumsum(n_needed)
        places = np.arange(n_needed.sum())
        places += np.repeat(count - ends, n_needed)
        places %= _RING
        places += np.repeat(slots * _RING, n_needed)
        return places

    def _cut(
        self,
        slots: NDArray[np.intp],
        before: NDArray[np.int64],
        new: NDArray[np.void],
        wanted: WindowPlaces,
    ) -> Cut:
        """Return windows that new samples ``(n_phones, n_samples)`` complete.

        The samples are not in the rings yet; ``before`` ``(n_phones,)`` is what was counted before.
        """
        phones, first_samples = wanted.phones, wanted.first_samples
        places = _PLACES[first_samples % _RING]
        places += (slots[phones] * _RING)[:, None]
        windows = np.take(self.ring.reshape(-1), places)  # picked by one index they cost half
        # In place of the new samples the ring has some that are older than the window.
        n_new = (first_samples + WINDOW_LENGTH - before[phones])[:, None]
        windows[n_new > _TO_END] = new[phones][n_new > _NUMBERS[: new.shape[1]]]
        return Cut(phones, first_samples, _as_numbers(windows))

    def _append(
        self, slots: NDArray[np.intp], first: NDArray[np.int64], new: NDArray[np.void]
    ) -> None:
        """Write samples ``(n_phones, n_samples)``, of which the first has this number."""
        places = _PLACES[:, : new.shape[1]][first % _RING]
        places += (slots * _RING)[:, None]
        self.ring.reshape(-1)[places] = new


def _as_items(samples: NDArray[np.float32]) -> NDArray[np.void]:
    """Return samples ``(..., 9)`` as items of `_SAMPLE`, ``(...)``."""
    return np.ascontiguousarray(samples).view(_SAMPLE)[..., 0]


def _as_numbers(samples: NDArray[np.void]) -> NDArray[np.float32]:
    """Return items of `_SAMPLE` ``(...)`` as samples ``(..., 9)``."""
    return samples.view(np.float32).reshape(*samples.shape, len(CHANNELS))


def _complete(before: NDArray[np.int64], n_samples: int, hop: int) -> WindowPlaces:
    """Return the windows that new samples complete.

    ``before`` ``(n_phones,)`` says how many samples each phone had before.
    """
    new_windows = np.arange(n_samples // hop + 1)[:, None]
    numbers = _first_window(before, hop) + new_windows  # (most, n_phones)
    first_samples = numbers * hop
    complete = first_samples + WINDOW_LENGTH <= before + n_samples
    return WindowPlaces(np.nonzero(complete)[1], first_samples[complete])


def _first_window(count: NDArray[np.int64], hop: int) -> NDArray[np.int64]:
    """Return ``(n,)`` which window is the first that so many samples do not complete."""
    number: NDArray[np.int64] = -(-np.maximum(count - _KEPT, 0) // hop)
    return number


def rotate(windows: NDArray[np.float32], rotations: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)``, all sensors of each rotated by its rotation ``(3, 3)``.

    That is rotating the phone, but for the median of three: the other filters are linear, and the
    same on all axes.
    """
    vectors = windows.reshape(len(windows), -1, 3)  # (n, 384, 3): each sample's three sensors
    result: NDArray[np.float32] = vectors @ rotations.transpose(0, 2, 1).astype(np.float32)
    return result.reshape(windows.shape)
