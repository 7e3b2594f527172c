"""Raw recordings of HAPT with all their labels, the changes of posture included."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.recording import Recording
from pipeline.vocabulary import ACTIVITIES, TRANSITION
from trainer.data.raw_windows import prepare


@dataclass(frozen=True, eq=False)
class LabelledStretch:
    """Raw rows with the labels of the HAPT data set, transitions included."""

    subject: int
    rows: NDArray[np.float64]
    """``(n_samples, 6)`` in m/s² and rad/s"""
    samples: NDArray[np.float32]
    """``(n_samples - 1, 9)`` in g and rad/s: what the filters make of it"""
    labels: NDArray[np.int8]
    """``(n_samples - 1,)``: index into `ACTIVITIES` and then `hapt.TRANSITIONS`, or -1"""


def labelled_stretches(
    recordings: Sequence[Recording], segments: NDArray[np.int64]
) -> list[LabelledStretch]:
    """Return the stretches of raw recordings with the labels of `hapt.label_segments`."""
    stretches = []
    for recording in recordings:
        subject = int(recording.person)
        of_subject = segments[segments[:, 1] == subject]
        for experiment, stretch in zip(
            np.unique(of_subject[:, 0]), recording.stretches, strict=True
        ):
            labels = np.full(len(stretch.samples) - 1, -1, np.int8)
            for _, _, label, first, last in of_subject[of_subject[:, 0] == experiment].tolist():
                labels[first - 1 : last] = label - 1
            rows = np.asarray(stretch.samples, np.float64)
            stretches.append(LabelledStretch(subject, rows, prepare(stretch), labels))
    return stretches


def with_transitions(recording: Recording, segments: NDArray[np.int64]) -> Recording:
    """Return a recording in which all postural transitions are labelled, as one more activity."""
    stretches = labelled_stretches([recording], segments)
    return replace(
        recording,
        stretches=tuple(
            replace(
                whole, labels=np.append(np.minimum(labelled.labels, len(ACTIVITIES)), np.int8(-1))
            )
            for whole, labelled in zip(recording.stretches, stretches, strict=True)
        ),
        activities=(*ACTIVITIES, TRANSITION),
    )
