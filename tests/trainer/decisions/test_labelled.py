import numpy as np

from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES
from tests.trainer.decisions.protocol import PROTOCOL, SUBJECTS, made_up_stretches


def test_stretches_have_the_labels_of_transitions() -> None:
    """The published labels are all there, one for each sample that the filters give out."""
    stretches = made_up_stretches()
    assert list(SUBJECTS) == [stretch.subject for stretch in stretches]
    names = (*ACTIVITIES, *hapt.TRANSITIONS)
    for stretch in stretches:
        assert len(stretch.samples) == len(stretch.labels) == len(stretch.rows) - 1
        changes = np.flatnonzero(np.diff(stretch.labels)) + 1
        assert PROTOCOL == tuple(names[stretch.labels[at]] for at in [0, *changes])
