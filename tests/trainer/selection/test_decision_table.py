import numpy as np

from trainer.selection.decision_scores import DecisionScores, Shares
from trainer.selection.decision_table import table


def test_a_line_for_each_set_and_hop() -> None:
    """Shares are percent; where nobody changes posture, nothing is to be seen."""
    scores = DecisionScores(
        newest_wrong=0.031,
        now=Shares(0.0251, 0.002, 0.004, 0.05, 0.512),
        timeline=Shares(0.0149, 0.001, 0.003, 0.03, 0.734),
        delays=(),
        false_changes=0.278,
    )
    nowhere = DecisionScores(
        newest_wrong=0.1,
        now=Shares(0.2, 0.0, 0.0, 0.2, np.nan),
        timeline=Shares(0.3, 0.0, 0.0, 0.3, np.nan),
        delays=(),
        false_changes=0.0,
    )
    _, names, first, second = table({("HAPT", 16): scores, ("Made", 64): nowhere}).splitlines()
    assert "HAPT 16 3.10 2.51 0.20 51 0.28 1.49 0.10 73".split() == first.split()
    assert "Made 64 10.00 20.00 0.00 - 0.00 30.00 0.00 -".split() == second.split()
    assert len(names) <= len(first) == len(second)
