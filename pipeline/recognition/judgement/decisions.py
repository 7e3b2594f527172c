"""Probabilities over time to the activity now, and to a timeline of episodes.

Strategy: each window's evidence (`evidence`) goes through a hidden Markov model (`hidden_markov`)
over the activities, the changes of posture towards one of them, and unknown (`states`). Forward in
time it gives the activity now; looking back over a few seconds, the episodes (`timeline`).

Rules:

* A phone's decisions depend on its settled windows alone, not on how they were divided among calls,
  nor on the other phones.
* The first window of a section is believed at once; after that another activity is shown only from
  a probability on that depends on what is shown (`confirmations`): of what resembles it, doubt is
  usual, and most changes are none.
* A window of an implausible phone is unknown, whatever its evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.confirmations import confirmations
from pipeline.recognition.judgement.evidence import Evidence, EvidenceModel, window_weight
from pipeline.recognition.judgement.hidden_markov import HiddenMarkov
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.states import States
from pipeline.recognition.judgement.tilt import WearersTilts
from pipeline.recognition.judgement.timeline import SHIFT_S, Timeline
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.results import Change, Episode
from pipeline.recognition.rounds import Rounds
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

_CERTAIN: Final = 30.0
"""Log odds that stand for certainty"""

_NO_LABEL: Final = -1  # nothing is shown for this phone yet


@dataclass(frozen=True)
class Decisions:
    """Changes and episodes, each list ordered in time for each phone."""

    changes: list[Change]
    episodes: list[Episode]


class Decider(PerPhone):
    """The activities of all phones, now and over time."""

    _per_phone = ("now",)

    def __init__(
        self, n_slots: int, activities: Sequence[str], *, hop: int, learnt: Learnt
    ) -> None:
        """Make room for ``n_slots`` phones.

        Args:
            n_slots: phones at once.
            activities: names of the model's probabilities; those of which nothing was learnt count
                as average ones.
            hop: samples between the starts of neighbouring windows.
            learnt: the learnt numbers.

        Raises:
            ValueError: ``hop`` is not 1 to 128 samples.
        """
        if not 1 <= hop <= WINDOW_LENGTH:
            raise ValueError(f"hop must be 1 to {WINDOW_LENGTH} samples, not {hop}")
        self._hop_s = hop / SAMPLING_RATE_HZ
        weight = window_weight(hop, learnt.weights.largest)
        self._states = States(activities)
        self._evidence = EvidenceModel(self._states, learnt, weight=weight)
        self._tilts = WearersTilts(n_slots, learnt, hop_s=self._hop_s, weight=weight)
        self._markov = HiddenMarkov(n_slots, self._states, learnt, self._tilts, hop_s=self._hop_s)
        self._timeline = Timeline(
            n_slots, self._states, self._markov, learnt.weights, hop_s=self._hop_s
        )
        self._now_transition = learnt.weights.now_transition
        self._newest_change = learnt.weights.newest_change
        self._confirmed = confirmations(self._states, learnt.weights)
        self.now = np.full(n_slots, _NO_LABEL, np.int64)  # the label that is shown

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these phones and their wearers."""
        self._begin_anew(slots)
        self._tilts.reset(slots)

    def state(self, slots: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return the state of these phones, in copied arrays ``(n_phones, ...)``."""
        state = super().state(slots)
        for part in (self._tilts, self._markov, self._timeline):
            state |= part.state(slots)
        return state

    def restore(self, slots: NDArray[np.intp], state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what `state` returned; a phone's slot may be another than it was."""
        super().restore(slots, state)
        for part in (self._tilts, self._markov, self._timeline):
            part.restore(slots, state)

    def evidence(
        self, windows: NDArray[np.float32], probabilities: NDArray[np.floating[Any]]
    ) -> Evidence:
        """Return the evidence of settled windows ``(n, 128, 9)``, each by itself.

        The windows, in g and rad/s, are as the model got them, its probabilities of them
        ``(n, n_activities)``.
        """
        return self._evidence.of(windows, probabilities)

    def decide(
        self,
        rounds: Rounds,
        starts: NDArray[np.float64],
        evidence: Evidence,
        implausible: NDArray[np.bool_],
    ) -> Decisions:
        """Return the changes and the finished episodes that settled windows lead to.

        Args:
            rounds: those of the windows' phones.
            starts: ``(n,)`` epoch seconds of the windows' first samples.
            evidence: of the windows, as `evidence` returned it.
            implausible: ``(n,)``, where a sanity check of the phone fails.
        """
        if len(starts) == 0:
            return Decisions([], [])
        starts = rounds.ordered(starts)
        ends = starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
        begins = ends - self._hop_s / 2 - SHIFT_S
        first = np.flatnonzero(self.now[rounds.slots] == _NO_LABEL)  # of a section, in round 0
        begins[first] = starts[first]
        self._markov.begin(rounds.slots[first])
        log_likelihoods = rounds.ordered(evidence.log_likelihoods).copy()
        unknown = rounds.ordered(implausible)
        log_likelihoods[unknown, -1] = 0.0
        log_likelihoods[unknown, :-1] = -_CERTAIN
        beliefs, likelihoods = self._markov.forward(
            rounds, log_likelihoods, rounds.ordered(evidence.tilts)
        )
        changes = self._show(rounds, begins, beliefs, rounds.ordered(evidence.changing))
        return Decisions(changes, self._timeline.push(rounds, begins, ends, beliefs, likelihoods))

    def interrupt(self, slots: Sequence[int]) -> list[Episode]:
        """Return the last episodes of phones whose windows end here: a gap, or silence.

        The windows that follow begin a new section; what is known of the wearer's tilt is kept.
        """
        episodes = self._timeline.close(slots)
        self._begin_anew(slots)
        return episodes

    def _begin_anew(self, slots: Sequence[int]) -> None:
        """Let these phones begin a new section."""
        self.now[slots] = _NO_LABEL
        self._markov.reset(slots)
        self._timeline.reset(slots)

    def _show(
        self,
        rounds: Rounds,
        begins: NDArray[np.float64],
        beliefs: NDArray[np.float64],
        changing: NDArray[np.float64],
    ) -> list[Change]:
        """Return the changes of the activity now; ``changing`` is that of `Evidence`."""
        of_labels = self._states.label_probabilities(beliefs)
        self._states.scale_transition(
            of_labels, self._now_transition * np.exp(self._newest_change * changing)
        )
        best = of_labels.argmax(axis=1)
        probability = np.take_along_axis(of_labels, best[:, None], axis=1)[:, 0]
        now = self.now[rounds.slots]
        changes: list[Change] = []
        for n_phones, windows in rounds:
            before = now[:n_phones]
            enough = self._confirmed[before, best[windows]]
            believed = (before == _NO_LABEL) | (probability[windows] >= enough)
            changed = np.flatnonzero((best[windows] != before) & believed)
            before[changed] = best[windows][changed]
            changes += [
                Change(slot, self._states.labels[label], since, p)
                for slot, label, since, p in zip(
                    rounds.slots[changed].tolist(),
                    best[windows][changed].tolist(),
                    begins[windows][changed].tolist(),
                    probability[windows][changed].tolist(),
                    strict=True,
                )
            ]
        self.now[rounds.slots] = now
        return changes
