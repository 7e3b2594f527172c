import numpy as np

from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES, TRANSITION
from tests.trainer.decisions.protocol import PROTOCOL, SUBJECTS, made_up, made_up_stretches
from trainer.decisions.labelled import with_transitions


def test_stretches_have_the_labels_of_transitions() -> None:
    """The published labels are all there, one for each sample that the filters give out."""
    stretches = made_up_stretches()
    assert list(SUBJECTS) == [stretch.subject for stretch in stretches]
    names = (*ACTIVITIES, *hapt.TRANSITIONS)
    for stretch in stretches:
        assert len(stretch.samples) == len(stretch.labels) == len(stretch.rows) - 1
        changes = np.flatnonzero(np.diff(stretch.labels)) + 1
        assert PROTOCOL == tuple(names[stretch.labels[at]] for at in [0, *changes])


def test_transitions_as_one_more_activity() -> None:
    """All changes of posture have one name; the activities keep theirs."""
    recording, segments = made_up(1)
    labelled = with_transitions(recording, np.array(segments))
    (stretch,) = labelled.stretches
    bounds = [0, *(np.flatnonzero(np.diff(stretch.labels)) + 1).tolist()]
    *names, without = [(*labelled.activities, "")[stretch.labels[at]] for at in bounds]
    expected = [TRANSITION if "_TO_" in name else name for name in PROTOCOL]
    assert (expected, "") == (names, without)
    assert len(stretch.samples) == len(stretch.labels)
