import numpy as np

from pipeline.recognition.judgement.decisions import Decider
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.judgement.drawings import push_window, still_windows, tilting_learnt


def test_a_persons_tilt_is_learnt_from_clear_postures() -> None:
    """The boundary moves to below where somebody sits, and later decides where the model cannot."""
    decider = Decider(1, ACTIVITIES, hop=16, learnt=tilting_learnt())
    upright, tilted = still_windows(2)
    upright[:, 7], tilted[:, 7] = 0.1, 0.3
    sitting = np.array([0.0, 0.0, 0.0, 0.99, 0.01, 0.0])
    either = np.array([0.0, 0.0, 0.0, 0.5, 0.5, 0.0])
    for step in range(120):
        push_window(decider, tilted, sitting, 0.32 * step)
    [boundary] = decider.state(np.array([0]))["boundary"]
    assert 1.0 < boundary < 2.5  # of a person who sits at about 2.9
    decider.interrupt([0])
    for window, activity in ((tilted, "SITTING"), (upright, "STANDING")):
        for step in range(30):
            push_window(decider, window, either, 0.32 * step)
        assert activity == decider.interrupt([0])[-1].activity
