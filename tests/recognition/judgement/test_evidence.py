import numpy as np
import pytest

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.decisions import Decider
from pipeline.vocabulary import ACTIVITIES, UNKNOWN, WINDOW_LENGTH
from tests.recognition.judgement.drawings import PLAIN, push_window, timeline_of


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1.0, 1e6])
def test_any_size_of_samples(scale: float) -> None:
    """Whatever a phone sends, beliefs stay probabilities."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=shipped())
    rng = np.random.default_rng(0)
    for step in range(40):
        window = (rng.normal(size=(WINDOW_LENGTH, 9)) * scale).astype(np.float32)
        push_window(decider, window, np.full(6, 1 / 6), 0.32 * step)
        [belief] = decider.state(np.array([0]))["belief"]
        assert pytest.approx(1.0) == belief.sum()
    assert UNKNOWN == decider.interrupt([0])[-1].activity


def test_a_model_that_gives_no_probabilities() -> None:
    """Numbers below 0 and above 1, which some model may give, are cut to that."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=PLAIN)
    probabilities = [-3.0, 7.0, 0.0, -1.0, 0.1, 0.0]
    assert ["WALKING_UPSTAIRS"] == timeline_of(decider, [probabilities] * 20)
