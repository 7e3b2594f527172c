from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from msgspec.structs import replace as changed

from pipeline.recognition.judgement.weights import Weights
from tests.recognition.judgement.drawings import WEIGHTS
from trainer.selection import decision_weights
from trainer.selection.decision_scores import DecisionScores, Shares
from trainer.selection.decision_weights import choose, loss, loss_together

GOOD = DecisionScores(
    newest_wrong=0.03,
    now=Shares(0.025, 0.0, 0.005, 0.05, 0.6),
    timeline=Shares(0.015, 0.0, 0.005, 0.03, 0.8),
    delays=(0.1,),
    false_changes=0.2,
)


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, now=replace(GOOD.now, wrong=0.031)),
        replace(GOOD, now=replace(GOOD.now, seen=0.49)),
        replace(GOOD, now=replace(GOOD.now, taken=0.011)),
        replace(GOOD, timeline=replace(GOOD.timeline, wrong=0.02)),
        replace(GOOD, timeline=replace(GOOD.timeline, seen=0.69)),
        replace(GOOD, timeline=replace(GOOD.timeline, taken=0.011)),
        replace(GOOD, timeline=replace(GOOD.timeline, unknown=0.01)),
        replace(GOOD, false_changes=0.31),
    ],
)
def test_each_reach_that_is_missed_costs(worse: DecisionScores) -> None:
    """The loss is larger for each thing that is worse."""
    assert loss(GOOD) < loss(worse)


def test_more_than_a_reach_is_worth_nothing() -> None:
    """Transitions seen beyond the reach do not make up for what is wrong."""
    assert loss(GOOD) == loss(replace(GOOD, now=replace(GOOD.now, seen=0.9)))


def nowhere(scores: DecisionScores) -> DecisionScores:
    """Return scores as of a data set without changes of posture."""
    now, timeline = (replace(one, seen=np.nan) for one in (scores.now, scores.timeline))
    return replace(scores, now=now, timeline=timeline)


def test_where_nobody_changes_posture_nothing_is_missed() -> None:
    """Of a data set without changes of posture, the rest counts as of any other."""
    assert loss(GOOD) == loss(nowhere(GOOD))


def test_changes_of_posture_count_for_all_sets() -> None:
    """However many sets have none, what is not seen costs as if all were like those with some."""
    unseen = replace(GOOD, now=replace(GOOD.now, seen=0.3))
    assert loss_together([unseen]) == loss(unseen)
    expected = pytest.approx(loss_together([unseen] * 4))
    assert expected == loss_together([unseen, *[nowhere(GOOD)] * 3])


class Bowl:
    """Tracks of which the false changes grow with the distance of one weight from its best."""

    tracks: tuple[()] = ()
    states = None

    def __init__(self, best: Weights) -> None:
        """Make the tracks with these best weights."""
        self.best = best

    def decided(self, weights: Weights) -> float:
        """Return how far weights are from the best."""
        return sum(
            abs(getattr(weights, name) / getattr(self.best, name) - 1)
            for name in ("classifier", "tilt")
        )


@pytest.fixture
def in_a_bowl(monkeypatch: pytest.MonkeyPatch) -> Callable[[Weights], Weights]:
    """Return a function that chooses weights where given ones are the best."""
    monkeypatch.setattr(
        decision_weights,
        "score",
        lambda tracks, decided, states: replace(GOOD, false_changes=1 + decided),
    )
    return lambda best: choose([Bowl(best)], WEIGHTS, progress=lambda line: None)  # type: ignore[list-item]


def test_the_best_weights_are_found(in_a_bowl: Callable[[Weights], Weights]) -> None:
    """From the given weights on, those with less loss are found; what is worth nothing stays."""
    best = changed(WEIGHTS, classifier=0.5, tilt=0.7)
    found = in_a_bowl(best)
    assert pytest.approx(0.5, rel=0.05) == found.classifier
    assert pytest.approx(0.7, rel=0.05) == found.tilt
    assert WEIGHTS == changed(found, classifier=WEIGHTS.classifier, tilt=WEIGHTS.tilt)
