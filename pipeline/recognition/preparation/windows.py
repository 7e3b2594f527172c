"""Each phone's last samples, and the windows cut from them.

Window ``k`` of a section without a gap is its samples ``[k * hop, k * hop + 128)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH

_KEPT: Final = WINDOW_LENGTH - 1
_SPARE: Final = 33
"""Samples that can come at once without overwriting those that their windows need: a message of 25
on its usual way, and some more"""
_RING: Final = _KEPT + _SPARE
_PLACES: Final = (np.arange(_RING)[:, None] + np.arange(_RING)) % _RING
"""``(160, 160)``: the places in a ring from each on; read here they cost a quarter of computed ones
"""


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

    def __init__(self, n_slots: int, *, hop: int) -> None:
        """Make room for ``n_slots`` phones; a window begins every ``hop`` samples.

        Raises:
            ValueError: ``hop`` is not 1 to 128; with a longer hop some samples would be in no
                window.
        """
        if not 1 <= hop <= WINDOW_LENGTH:
            raise ValueError(f"hop must be 1 to {WINDOW_LENGTH} samples, not {hop}")
        self._hop = hop
        self.count = np.zeros(n_slots, np.int64)  # samples since the section began
        self.ring = np.zeros((n_slots, _RING, len(CHANNELS)), np.float32)  # sample n at n % _RING

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
        return _complete(self.count[slots], n_samples, hop or self._hop)

    def push_and_cut(
        self, slots: NDArray[np.intp], samples: NDArray[np.float32], wanted: Sequence[WindowPlaces]
    ) -> list[Cut]:
        """As `push`, but return those windows that are wanted, of those that are complete then."""
        n_samples = samples.shape[1]
        before = self.count[slots]
        self.count[slots] += n_samples
        if n_samples <= _SPARE:
            self._append(slots, before, samples)
            return [
                Cut(
                    places.phones,
                    places.first_samples,
                    self._rows(slots[places.phones], places.first_samples),
                )
                for places in wanted
            ]
        held = np.concatenate([self._recent(slots, before), samples], axis=1)
        newest = samples[:, -_RING:]
        self._append(slots, before + n_samples - newest.shape[1], newest)
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
        """Return the state of these phones, in copied arrays ``(n_phones, ...)``."""
        count = self.count[slots]
        return {"count": count, "recent": self._recent(slots, count)}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self.count[slots] = state["count"]
        self._append(slots, state["count"] - _KEPT, state["recent"])

    def _recent(self, slots: NDArray[np.intp], count: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the last samples ``(n_phones, 127, 9)`` of phones that have had so many."""
        place = _PLACES[:, :_KEPT][(count - _KEPT) % _RING]
        recent: NDArray[np.float32] = self.ring[slots[:, None], place]
        return recent

    def _rows(
        self, slots: NDArray[np.intp], first_samples: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the samples ``(n_windows, 128, 9)`` of windows that are in the rings."""
        places = _PLACES[:, :WINDOW_LENGTH][first_samples % _RING]
        places += (slots * _RING)[:, None]
        rows = self.ring.reshape(-1, len(CHANNELS))  # picked by one index they cost half
        return np.take(rows, places, axis=0)

    def _append(
        self, slots: NDArray[np.intp], first: NDArray[np.int64], samples: NDArray[np.float32]
    ) -> None:
        """Write samples ``(n_phones, n_samples, 9)``, of which the first has this number."""
        place = _PLACES[:, : samples.shape[1]][first % _RING]
        self.ring[slots[:, None], place] = samples


def _complete(before: NDArray[np.int64], n_samples: int, hop: int) -> WindowPlaces:
    """Return the windows that new samples complete.

    ``before`` ``(n_phones,)`` says how many samples each phone had before.
    """
    first_window = -(-np.maximum(before - _KEPT, 0) // hop)  # first one not complete yet
    numbers = first_window + np.arange(n_samples // hop + 1)[:, None]  # (most, n_phones)
    first_samples = numbers * hop
    complete = first_samples + WINDOW_LENGTH <= before + n_samples
    return WindowPlaces(np.nonzero(complete)[1], first_samples[complete])


def rotate(windows: NDArray[np.float32], rotations: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)``, all sensors of each rotated by its rotation ``(3, 3)``.

    That is rotating the phone, but for the median of three: the other filters are linear, and the
    same on all axes.
    """
    vectors = windows.reshape(len(windows), -1, 3)  # (n, 384, 3): each sample's three sensors
    result: NDArray[np.float32] = vectors @ rotations.transpose(0, 2, 1).astype(np.float32)
    return result.reshape(windows.shape)
