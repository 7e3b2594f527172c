"""The second of recognition's two machines: windows in; probabilities, changes, episodes out.

1. Each window by itself: its checks, the model's probabilities, the evidence for each state.
2. Each phone's windows in their order: the problems in force, the activity now, the episodes.

Windows that begin before the filters have settled have a prediction, but decide nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.model import Model
from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.judgement.sanity_checks.plausibility import Plausibility
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.judgement.sanity_checks.problems_in_force import ProblemsInForce
from pipeline.recognition.prepared import Part, Windows, settled_places
from pipeline.recognition.results import Change, Episode
from pipeline.recognition.rounds import rounds_of


@dataclass(frozen=True, eq=False)
class Judged:
    """The results of windows, each list ordered in time for each phone."""

    model: Model
    windows: Windows
    """As the model classified them"""
    probabilities: NDArray[np.float32]
    """``(n, n_activities)``: the model's, NaN for windows that it gave no numbers for"""
    changes: list[Change]
    episodes: list[Episode]
    changed: list[int]
    """Slots whose problems have changed, also in between"""


class Judgement:
    """The problems and activities of all phones, and the model that they share."""

    def __init__(self, n_slots: int, model: Model, *, hop: int) -> None:
        """Make room for ``n_slots`` phones, whose windows are ``hop`` samples apart."""
        self._model = model
        self._plausibility = Plausibility(
            n_slots, hop=hop, any_way_round=model.orientation == "any"
        )
        self._decider = Decider(n_slots, model.activities, hop=hop, learnt=model.learnt)
        self._problems = ProblemsInForce(n_slots)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones."""
        for part in self._parts.values():
            part.reset(slots)

    def place_anew(self, slots: Sequence[int]) -> None:
        """Forget the state of these phones that depends on how they were worn."""
        self._plausibility.reset(slots)

    def push(self, parts: Sequence[Part]) -> Judged:
        """Return the results of a tick's windows."""
        windows = Windows.joined([part.windows for part in parts])
        if len(windows) == 0:
            episodes = [episode for part in parts for episode in self._begin(part)]
            probabilities = self._model.classify(windows.samples)
            return Judged(self._model, windows, probabilities, [], episodes, [])
        is_settled = ~windows.settling
        settled = windows.chosen(is_settled)
        checks = check(settled.samples)
        probabilities = (
            self._model.classify(windows.samples)
            if self._model.gait is None
            else self._model.classify(windows.samples, windows.wearer_frames)
        )
        unanswered = np.isnan(probabilities[:, 0])
        known = np.where(unanswered[:, np.newaxis], 0.0, probabilities)
        evidence = self._decider.evidence(settled.samples, known[is_settled])
        doubtful = settled.doubtful | unanswered[is_settled]

        judged = Judged(self._model, windows, probabilities, [], [], [])
        for part, place in zip(parts, settled_places(parts), strict=True):
            judged.episodes.extend(self._begin(part))
            rounds = rounds_of(settled.slots[place])
            problems = self._plausibility.problems_after(
                rounds, checks.between(place.start, place.stop)
            )
            judged.changed.extend(self._problems.note(rounds, problems))
            decided = self._decider.decide(
                rounds,
                settled.starts[place],
                evidence.between(place.start, place.stop),
                problems.any(axis=1) | doubtful[place],
            )
            judged.changes.extend(decided.changes)
            judged.episodes.extend(decided.episodes)
        return judged

    def finish(self, slots: Sequence[int]) -> list[Episode]:
        """Return the last episodes of these phones, which have fallen silent."""
        return self._decider.interrupt(slots)

    def leave(self, slots: Sequence[int]) -> Judged:
        """Forget these phones, whose windows go elsewhere; return their last results."""
        windows = Windows.joined([])
        episodes = self.finish(slots)
        had_problems = [slot for slot in slots if self.problems(slot)]
        self.reset(slots)
        return Judged(
            self._model, windows, self._model.classify(windows.samples), [], episodes, had_problems
        )

    def problems(self, slot: int) -> tuple[str, ...]:
        """Return those of `PROBLEMS` that are in force for a phone."""
        return tuple(PROBLEMS[i] for i in np.flatnonzero(self._problems.in_force[slot]))

    def state(self, slots: NDArray[np.intp]) -> dict[str, Any]:
        """Return the state of these phones, in copied arrays."""
        return {name: part.state(slots) for name, part in self._parts.items()}

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        for name, part in self._parts.items():
            part.restore(slots, state[name])

    @property
    def _parts(self) -> "dict[str, _Part]":
        return {
            "plausibility": self._plausibility,
            "decider": self._decider,
            "problems": self._problems,
        }

    def _begin(self, part: Part) -> list[Episode]:
        """Apply what precedes a part's windows; return the episodes that it ends."""
        self._plausibility.reset(part.new_recordings)
        return self._decider.interrupt(part.interrupted)


_Part = Plausibility | Decider | ProblemsInForce
