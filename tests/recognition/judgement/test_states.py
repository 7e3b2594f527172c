import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import ACTIVITIES, TRANSITION

STATES = States(ACTIVITIES)
PLACE = STATES.labels.index(TRANSITION)


@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_odds_of_a_transition_are_multiplied(seed: int, factor: float) -> None:
    """Odds of a change of posture are so many times what they were, all others as before."""
    rng = np.random.default_rng(seed)
    before = rng.dirichlet(np.ones(len(STATES.labels)), 3)
    after = before.copy()
    STATES.scale_transition(after, factor)
    np.testing.assert_allclose(1.0, after.sum(axis=1))
    np.testing.assert_allclose(
        factor * before[:, PLACE] / before[:, 0], after[:, PLACE] / after[:, 0]
    )
    np.testing.assert_allclose(before[:, 1] / before[:, 0], after[:, 1] / after[:, 0])


def test_a_factor_of_one_changes_no_bit() -> None:
    """Where nothing is chosen, probabilities stay what they are."""
    before = np.random.default_rng(0).dirichlet(np.ones(len(STATES.labels)), 50)
    after = before.copy()
    STATES.scale_transition(after, np.ones(50))
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("activities", [("ROWING", "SITTING"), (*ACTIVITIES, "RUNNING")])
def test_any_activities(activities: tuple[str, ...]) -> None:
    """The label of a change of posture follows those of the activities, however many."""
    states = States(activities)
    of_labels = np.full(len(states.labels), 1 / len(states.labels))
    states.scale_transition(of_labels, 4.0)
    assert TRANSITION == states.labels[of_labels.argmax()]
