import numpy as np
import pytest

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.hidden_markov import (
    UNKNOWN_FOR_S,
    transition_probabilities,
)
from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import ACTIVITIES


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
