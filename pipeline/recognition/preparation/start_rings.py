"""The starts of the last messages of all grids that just continue, in 4 bytes each instead of 8.

Strategy: float64 numbers of one sign, taken as integers by their bits, are in the same order, one
after the other. The starts of a phone's last messages are mostly so close together that the steps
from one number between them to each of them fit into 32 bits: some 1,000 s at present epoch times.
So nothing of them is lost. Where they do not fit, after a long silence say, those that came before
are kept whole for as long as they are remembered.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.copies import Copies
from pipeline.recognition.preparation.starts import N_STARTS, Starts

_HALF: Final = 1 << 31
"""Half of the steps that fit into 32 bits"""


class StartRings:
    """Of each phone what `Starts` has of one sensor."""

    def __init__(self, n_slots: int) -> None:
        """Make room for ``n_slots`` phones."""
        self.base = np.zeros(n_slots, np.int64)  # bits of the number from which steps are counted
        self.steps = np.zeros((n_slots, N_STARTS), np.int32)  # to each start, at n % N_STARTS
        self.count = np.zeros(n_slots, np.int64)  # of all there ever were
        self._copies = Copies()
        self._whole: dict[int, tuple[NDArray[np.float64], int]] = {}
        """Rings of phones whose starts did not fit, and how many starts there had been then: in
        `steps` are only those that came later"""

    def begin(self, slots: NDArray[np.intp], starts: NDArray[np.float64]) -> None:
        """Make room for phones of whose first messages these are the starts, ``(n_phones,)``."""
        self.reset(slots.tolist())
        self.base[slots] = starts.view(np.int64) + _HALF
        self.steps[slots] = 0

    def append(
        self, slots: NDArray[np.intp], n_messages: NDArray[np.intp], starts: NDArray[np.float64]
    ) -> None:
        """Remember messages of some phones, each phone's in their order.

        ``slots`` ``(n_phones,)`` names each phone once, ``n_messages`` ``(n_phones,)`` says how
        many of the ``starts`` ``(n,)`` are its.
        """
        of_starts, places = slots, self.count[slots]
        if len(starts) > len(slots):
            of_starts = np.repeat(slots, n_messages)
            before = places + n_messages - np.cumsum(n_messages)
            places = np.repeat(before, n_messages) + np.arange(len(starts))
        steps, fit = _steps(self.base[of_starts], starts.view(np.int64))
        self.steps[of_starts, places % N_STARTS] = steps
        self.count[slots] += n_messages
        if not fit.all():
            for slot in np.unique(of_starts[~fit]).tolist():
                self._append_anew(slot, starts[of_starts == slot])

    def keep(self, slot: int, starts: Starts) -> None:
        """Take over what is remembered of a phone's messages."""
        self._whole.pop(slot, None)
        bits, count = starts.ring.view(np.int64), starts.count
        self.count[slot] = count
        if count:
            self.base[slot] = bits[:count].min() + _HALF
        steps, fit = _steps(self.base[slot], bits[:count])
        if not fit.all():
            self._whole[slot] = starts.ring.copy(), count
            self.base[slot] = bits[(count - 1) % N_STARTS] + _HALF
            steps[:] = 0
        self.steps[slot] = 0
        self.steps[slot, :count] = steps

    def release(self, slot: int) -> Starts:
        """Return what is remembered of a phone's messages; it is no longer kept here."""
        starts = self._of(slot)
        self.reset([slot])
        return starts

    def reset(self, slots: Sequence[int]) -> None:
        """Forget the messages of these phones."""
        self.count[slots] = 0
        for slot in slots:
            self._whole.pop(slot, None)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays.

        Of the steps it has the differences, which are much alike and so pack small.
        """
        by_slot = [(i, slot) for i, slot in enumerate(slots.tolist()) if slot in self._whole]
        whole = [[i, *self._whole[slot]] for i, slot in by_slot if self._is_remembered(slot)]
        differences = self._copies.taken("differences", self.steps, slots)
        np.subtract(differences[:, 1:], differences[:, :-1], out=differences[:, 1:])
        return {
            "base": self.base[slots],
            "differences": differences,
            "count": self.count[slots],
            "whole": whole,
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        self.base[slots], self.count[slots] = state["base"], state["count"]
        self.steps[slots] = np.cumsum(state["differences"], axis=1, dtype=np.int32)
        for i, ring, count in state["whole"]:
            self._whole[int(slots[i])] = ring, count

    def _of(self, slot: int) -> Starts:
        starts = Starts()
        starts.count = int(self.count[slot])
        starts.ring = (self.base[slot] + self.steps[slot]).view(np.float64)
        if slot in self._whole and self._is_remembered(slot):
            ring, count = self._whole[slot]
            earlier = np.arange(starts.count - N_STARTS, count) % N_STARTS
            starts.ring[earlier] = ring[earlier]
        return starts

    def _is_remembered(self, slot: int) -> bool:
        """Return whether any start that was kept whole is still among the last ones."""
        return bool(self.count[slot] - self._whole[slot][1] < N_STARTS)

    def _append_anew(self, slot: int, starts: NDArray[np.float64]) -> None:
        """Append starts that did not fit, and were counted already."""
        self.count[slot] -= len(starts)
        remembered = self._of(slot)
        for start in starts.tolist():
            remembered.append(start)
        self.keep(slot, remembered)


def _steps(
    base: NDArray[np.int64], bits: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the steps from one number to others, and which of them fit."""
    steps = bits - base
    in_32_bits = steps.astype(np.int32)
    return in_32_bits, in_32_bits == steps
