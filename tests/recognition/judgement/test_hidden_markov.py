import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.hidden_markov import (
    KNOWN_FOR_S,
    UNKNOWN_FOR_S,
    transition_probabilities,
)
from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.judgement.drawings import PLAIN, WEIGHTS


@pytest.mark.parametrize(
    "activities", [ACTIVITIES, ("ROWING", "SITTING"), (*ACTIVITIES, "CYCLING")]
)
@pytest.mark.parametrize("hop_s", [0.02, 0.32, 2.56])
def test_transitions_are_probabilities(activities: tuple[str, ...], hop_s: float) -> None:
    """From each state the probabilities of the next add up to 1, for any activities."""
    states = States(activities)
    transition = transition_probabilities(states, shipped(), hop_s)
    assert (len(states), len(states)) == transition.shape
    assert (transition > 0).all()
    np.testing.assert_allclose(np.ones(len(states)), transition.sum(axis=1))
    # Hardly any stretch of unknown begins again within one hop.
    assert pytest.approx(np.exp(-hop_s / UNKNOWN_FOR_S), abs=0.01) == transition[-1, -1]


@pytest.mark.parametrize("haste", [1.0, 5.0])
def test_haste_shortens_what_lasts(haste: float) -> None:
    """Activities, which last 20 s, and changes of posture, 2 s, are left so many times sooner."""
    learnt = replace(PLAIN, weights=replace(WEIGHTS, haste=haste, change_haste=2 * haste))
    states, hop_s = States(ACTIVITIES), 0.01
    transition = transition_probabilities(states, learnt, hop_s)
    leaving = (1 - transition.diagonal()) / hop_s - 1 / KNOWN_FOR_S
    n = len(ACTIVITIES)
    learnt_leaving = PLAIN.rates.sum(axis=1)
    assert pytest.approx(haste * learnt_leaving[:n], rel=0.05) == leaving[:n]
    assert pytest.approx(2 * haste * learnt_leaving[n:], rel=0.1) == leaving[n:-1]
