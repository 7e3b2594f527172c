"""The choice of the decisions' weights: those that decide best about people held out.

One number is made as small as can be, the *loss*: what is wrong now and in the timeline, at a short
hop and a long one, and more for each reach that is missed. Of several data sets each counts alike.
From the given weights on, one weight after the other is tried somewhat larger and smaller, and kept
where that helps, with ever smaller steps. It is the same for the same tracks.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from pipeline.recognition.judgement.weights import Weights
from trainer.selection.decision_scores import DecisionScores, score
from trainer.selection.decision_tracks import MeasuredTracks

HOPS: Final = (16, 64)
"""The hops that are chosen for together, in samples"""

MOST_TAKEN: Final = 0.01
LEAST_SEEN_NOW: Final = 0.5
LEAST_SEEN_LATER: Final = 0.7
"""In the timeline"""
MOST_FALSE: Final = 0.3
"""False changes a minute"""

_MARGIN: Final = 0.03  # of each reach, so that it is still reached on other people
_UNSEEN_POINTS: Final = 10
_STEPS: Final = (1.4, 1.2, 1.1, 1.05)
"""Factors by which weights are changed, one after the other"""
_MOST_ROUNDS: Final = 4
"""Of one step"""
_PROBABILITIES: Final = frozenset(
    name for name in Weights.__struct_fields__ if name.startswith("confirmed")
)
_MOST_CONFIRMED: Final = 0.97
_DIGITS: Final = 3


def loss(scores: DecisionScores) -> float:
    """Return how bad the decisions are: percentage points wrong, and penalties."""
    now, timeline = scores.now, scores.timeline
    missed = [  # by so much, and points of the loss for each
        (now.wrong - (1 - _MARGIN) * scores.newest_wrong, 300),
        (now.taken - MOST_TAKEN * (1 - _MARGIN), 500),
        (timeline.taken - MOST_TAKEN * (1 - _MARGIN), 500),
        (scores.false_changes - MOST_FALSE * (1 - _MARGIN), 15),
    ]
    wrong = 50 * (now.wrong + now.unknown + timeline.unknown) + 100 * timeline.wrong
    return wrong + sum(max(0.0, by) * points for by, points in missed) + _unseen(scores)


def loss_together(several: Sequence[DecisionScores]) -> float:
    """Return the sum of the losses of several, of which at least one has changes of posture.

    For changes of posture, those that have none are as bad as the others in the mean: or the more
    sets there are without, the less it would count that changes are seen.
    """
    n_with_changes = sum(not np.isnan(scores.now.seen) for scores in several)
    unseen = sum(map(_unseen, several))
    return sum(map(loss, several)) + unseen * (len(several) - n_with_changes) / n_with_changes


def _unseen(scores: DecisionScores) -> float:
    """Return the penalty for changes of posture that are not seen, 0 if there are none."""
    if np.isnan(scores.now.seen):
        return 0.0
    now = LEAST_SEEN_NOW * (1 + _MARGIN) - scores.now.seen
    timeline = LEAST_SEEN_LATER * (1 + _MARGIN) - scores.timeline.seen
    return _UNSEEN_POINTS * (max(0.0, now) + max(0.0, timeline))


def choose(
    tracks: Sequence[MeasuredTracks], weights: Weights, *, progress: Callable[[str], None]
) -> Weights:
    """Return the weights with the least loss that were found, beginning with some.

    Args:
        tracks: of each data set the same ones at each hop.
        weights: to begin with.
        progress: takes a line a round.
    """

    def tried(weights: Weights) -> float:
        decided = [(one, one.decided(weights)) for one in tracks]
        return loss_together([score(one.tracks, by, one.states) for one, by in decided])

    least = tried(weights)
    for step in _STEPS:
        for number in range(_MOST_ROUNDS):
            before = least
            for name in Weights.__struct_fields__:
                for factor in (step, 1 / step):
                    other = _changed(weights, name, factor)
                    if other != weights and (found := tried(other)) < least:
                        least, weights = found, other
                        break
            progress(f"    step {step}, round {number + 1}: loss {least:.3f}")
            if least == before:
                break
    return weights


def _changed(weights: Weights, name: str, factor: float) -> Weights:
    """Return weights of which one is multiplied by a factor, as far as makes sense."""
    value = getattr(weights, name) * factor
    if name in _PROBABILITIES:
        value = min(value, _MOST_CONFIRMED)
    return replace(weights, **{name: float(f"{value:.{_DIGITS}g}")})


def as_text(weights: Weights) -> str:
    """Return weights as a line for people."""
    return ", ".join(f"{name} {value:g}" for name, value in msgspec.structs.asdict(weights).items())
