"""The judgements of one model or two, and which of them has which phone's windows.

Rules:

* With two models, the windows of phones known to be worn at the waist are the first one's, all
  others the second one's. A single model has them all.
* A phone's state is with one judgement at most. When its windows come to be the other's, its last
  episode ends, nothing is left of it here, and it begins there anew.
* The windows of a tick are judged together, unless a phone moves in between.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.judgement import Judged, Judgement
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.prepared import Part, Windows
from pipeline.recognition.results import Episode

_NO_JUDGEMENT: Final = -1  # no window of this phone has come yet


class Judgements:
    """The judgement of each model, and that of each phone."""

    def __init__(self, n_slots: int, models: Sequence[Model], *, hop: int) -> None:
        """Make room for ``n_slots`` phones, whose windows are ``hop`` samples apart.

        Args:
            n_slots: phones at once.
            models: one for all phones; or one for those at the waist and one for the others.
            hop: samples between the starts of neighbouring windows.
        """
        self._models = models
        self._each = [Judgement(n_slots, model, hop=hop) for model in models]
        self._of_slot = np.full(n_slots, _NO_JUDGEMENT, np.int8)  # index into both

    @property
    def depends_on_placement(self) -> bool:
        """Whether the phones at the waist have another model than the others."""
        return len(self._models) > 1

    def model(self, *, at_waist: bool) -> Model:
        """Return the model of phones that are known to be worn at the waist, or of the others."""
        return self._models[0 if at_waist else -1]

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        for number, judgement in enumerate(self._each):
            judgement.reset(self._among(slots, number))
        self._of_slot[slots] = _NO_JUDGEMENT

    def place_anew(self, slots: Sequence[int]) -> None:
        """Forget the state of these phones that depends on how they were worn."""
        for number, judgement in enumerate(self._each):
            judgement.place_anew(self._among(slots, number))

    def push(self, parts: Sequence[Part]) -> list[Judged]:
        """Return the results of a tick's windows, one after the other for each phone."""
        results: list[Judged] = []
        begin = 0
        for number, part in enumerate(parts):
            slots, judgements = self._dealt(part.windows)
            before = self._of_slot[slots]
            moves = (before != judgements) & (before != _NO_JUDGEMENT)
            if moves.any():
                results += self._judged(parts[begin:number])
                begin = number
                results += self._leave(np.unique(slots[moves]).tolist())
            self._of_slot[slots] = judgements
        return results + self._judged(parts[begin:])

    def finish(self, slots: Sequence[int]) -> list[Episode]:
        """Return the last episodes of these phones, which have fallen silent."""
        return [
            episode
            for number, judgement in enumerate(self._each)
            for episode in judgement.finish(self._among(slots, number))
        ]

    def problems(self, slot: int) -> tuple[str, ...]:
        """Return those of `PROBLEMS` that are in force for a phone."""
        number = self._of_slot[slot]
        return () if number == _NO_JUDGEMENT else self._each[number].problems(slot)

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays: each with its judgement."""
        of_slot = self._of_slot[slots]
        return {
            "of_phone": of_slot,
            "each": [
                judgement.state(slots[of_slot == number])
                for number, judgement in enumerate(self._each)
            ],
        }

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        of_slot = self._of_slot[slots] = state["of_phone"]
        for number, (judgement, saved) in enumerate(zip(self._each, state["each"], strict=True)):
            judgement.restore(slots[of_slot == number], saved)

    def _among(self, slots: Sequence[int], number: int) -> list[int]:
        """Return those of some phones that a judgement has."""
        return [slot for slot in slots if self._of_slot[slot] == number]

    def _dealt(self, windows: Windows) -> tuple[NDArray[np.intp], NDArray[np.int8]]:
        """Return the phones ``(n,)`` of windows, and the judgement that each window is for."""
        if self.depends_on_placement:
            return windows.slots, np.where(windows.at_waist, 0, 1).astype(np.int8)
        return windows.slots, np.zeros(len(windows), np.int8)

    def _leave(self, slots: Sequence[int]) -> list[Judged]:
        """Forget phones that another judgement gets; return their last results."""
        return [
            judgement.leave(self._among(slots, number))
            for number, judgement in enumerate(self._each)
        ]

    def _judged(self, parts: Sequence[Part]) -> list[Judged]:
        """Return the results of windows between which no phone moves."""
        results = []
        for number, judgement in enumerate(self._each):
            own = [
                Part(
                    self._among(part.interrupted, number),
                    self._among(part.new_recordings, number),
                    part.windows.chosen(self._of_slot[part.windows.slots] == number),
                )
                for part in parts
            ]
            results.append(judgement.push(own))
        return results
