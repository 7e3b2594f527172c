"""The evidence of a window, by itself: how likely it is in each hidden state.

Strategy: four kinds of evidence are added as weighted log likelihoods.

* The classifier's probabilities, for the activities; it does not know changes of posture.
* The motion of the newest samples (`motion`), for activities and changes of posture.
* The novelty (`novelty`), for unknown; and a classifier that prefers no activity.
* The tilt (`tilt`), for sitting and standing. It depends on the wearer, so that only the number is
  measured here.

The weights (`weights`) are those of windows at a hop of `REFERENCE_HOP`; windows farther apart
share less and count more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import (
    motion_log_likelihoods,
    motion_probabilities,
    motions_of,
)
from pipeline.recognition.judgement.novelty import novelty
from pipeline.recognition.judgement.states import States
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.vocabulary import ACTIVITIES

REFERENCE_HOP: Final = 16  # samples
NOVELTY_WEIGHT: Final = 0.6
"""Weight of the novelty score"""
LEAST_NOVELTY: Final = -2.0
"""Most that a window's novelty score counts against unknown"""
MOST_NOVELTY: Final = 4.0
"""Most that it counts for unknown"""
UNCLEAR: Final = 0.3
"""If the classifier gives no activity a higher probability, novelty is maximal; also the likelihood
of unknown"""

_LEAST_PROBABILITY: Final = 1e-6  # of a change of posture
_AVERAGE_LOG_PROBABILITY: Final = np.log(1 / len(ACTIVITIES))
"""The classifier's, for a change of posture"""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence of windows, each by itself."""

    log_likelihoods: NDArray[np.float64]
    """``(n, n_states)``: of the states, without the tilt"""
    tilts: NDArray[np.float64]
    """``(n,)``: as `Learnt.tilt` measures them"""
    changing: NDArray[np.float64]
    """``(n,)``: log odds of a change of posture in the newest samples, by their motion"""

    def between(self, first: int, end: int) -> "Evidence":
        """Return the evidence of the windows from ``first`` to before ``end``."""
        return Evidence(
            self.log_likelihoods[first:end], self.tilts[first:end], self.changing[first:end]
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of windows, each by itself, before it is weighted."""

    probabilities: NDArray[np.floating[Any]]
    """``(n, n_activities)``: the classifier's"""
    motions: NDArray[np.float64]
    """``(n, n_motions)``: probabilities of `MOTIONS`"""
    novelties: NDArray[np.float64]
    """``(n,)``: scores of `novelty`"""
    tilts: NDArray[np.float64]
    """``(n,)``"""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return what is known of several windows' parts, one after the other."""
        names = ("probabilities", "motions", "novelties", "tilts")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def window_weight(hop: int, largest: float) -> float:
    """Return how much a window counts at a hop of so many samples, against the reference hop."""
    return min(hop / REFERENCE_HOP, largest)


class EvidenceModel:
    """Computes the log likelihoods of windows; it holds no state of the phones."""

    def __init__(self, states: States, learnt: Learnt, *, weight: float) -> None:
        """Use the learnt numbers; ``weight`` is that of `window_weight`."""
        self._states, self._learnt, self._weight = states, learnt, weight
        self._motion_of = motions_of(states.activities)

    def of(
        self, windows: NDArray[np.float32], probabilities: NDArray[np.floating[Any]]
    ) -> Evidence:
        """Return the evidence of windows ``(n, 128, 9)``, in g and rad/s.

        ``probabilities`` ``(n, n_activities)`` are the classifier's.
        """
        return self.weigh(self.measure(windows, probabilities))

    def measure(
        self, windows: NDArray[np.float32], probabilities: NDArray[np.floating[Any]]
    ) -> Measured:
        """Return what is known of windows, for which the arguments are those of `of`."""
        summary = summarize(windows)
        tilts = np.zeros(len(windows))
        if self._states.postures is not None:
            tilts = (tilt_features(summary) * self._learnt.tilt).sum(axis=1)
        return Measured(
            probabilities,
            motion_probabilities(self._learnt.motion, summary),
            novelty(self._learnt.novelty, summary),
            tilts,
        )

    def weigh(self, measured: Measured) -> Evidence:
        """Return the evidence that measurements are."""
        n, weights = self._states.n_activities, self._learnt.weights
        probabilities, motions = measured.probabilities, measured.motions
        classifier = _log_probabilities(probabilities, weights.classifier_error)
        if self._states.postures is not None:
            _scale_odds(classifier, self._states.postures, weights.posture_factor)
        # The classifier was trained on activities only, not on changes of posture.
        changing = motions[:, 2:].sum(axis=1)
        discount = weights.change_discount * changing[:, None]
        classifier += discount * (_AVERAGE_LOG_PROBABILITY - classifier)
        motion = motion_log_likelihoods(motions, self._learnt.motion_shares)
        novelties = np.clip(measured.novelties, LEAST_NOVELTY, MOST_NOVELTY)
        novelties[probabilities.max(axis=1) <= UNCLEAR] = MOST_NOVELTY

        result = np.empty((len(classifier), len(self._states)))
        result[:, :n] = weights.classifier * classifier
        result[:, :n] += weights.motion * motion[:, self._motion_of]
        result[:, n:-1] = weights.classifier * _AVERAGE_LOG_PROBABILITY
        result[:, n:-1] += weights.change * motion[:, 2:-1]
        result[:, -1] = weights.classifier * np.log(UNCLEAR) + NOVELTY_WEIGHT * novelties
        result *= self._weight
        return Evidence(result, measured.tilts, _log_odds(changing))


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of probabilities ``(n,)``, none infinite."""
    cut = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    odds: NDArray[np.float64] = np.log(cut / (1 - cut))
    return odds


def _log_probabilities(
    probabilities: NDArray[np.floating[Any]], error: float
) -> NDArray[np.float64]:
    """Return logarithms of the classifier's probabilities ``(n, n_activities)``, none infinite."""
    cut = np.clip(probabilities.astype(np.float64), 0, 1)  # a user's model may give anything
    n_activities = probabilities.shape[1]
    logs: NDArray[np.float64] = np.log((1 - error) * cut + error / n_activities)
    return logs


def _scale_odds(log_probabilities: NDArray[np.float64], pair: list[int], factor: float) -> None:
    """Multiply the log odds between two activities by a factor; both together stay as likely."""
    first, second = log_probabilities[:, pair].T.copy()
    both = np.logaddexp(first, second)
    odds = factor * (first - second)
    log_probabilities[:, pair[0]] = both - np.logaddexp(0, -odds)
    log_probabilities[:, pair[1]] = both - np.logaddexp(0, odds)
