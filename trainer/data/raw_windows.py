"""Training windows cut from raw recordings, as a live phone's are.

The published windows each show one activity. Those cut here also run across changes, and are
labelled by their newest samples, so that a model learns to recognise a change when it comes.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recordings.recording import Recording, Stretch
from pipeline.recordings.uci_har import Split
from pipeline.vocabulary import WINDOW_LENGTH

TRAINING_SUBJECTS: Final = (
    *(1, 3, 5, 6, 7, 8, 11, 14, 15, 16, 17),
    *(19, 21, 22, 23, 25, 26, 27, 28, 29, 30),
)
"""The subjects of UCI HAR's training split; the other nine are for the test alone"""

_ONE_PHONE: Final = np.array([0])


def raw_windows(recordings: Sequence[Recording], *, hop: int, whole: bool = False) -> Split:
    """Return the windows of raw recordings whose newest sample has a label, in their order.

    Args:
        recordings: of persons with a number, 50 samples a second.
        hop: samples between the starts of neighbouring windows.
        whole: leave out those whose samples have not all the same label.
    """
    windows, labels, subjects = [], [], []
    for recording in recordings:
        for stretch in recording.stretches:
            samples = prepare(stretch)
            of_windows = cut(stretch.labels[: len(samples), np.newaxis], hop=hop)[:, :, 0]
            newest = of_windows[:, -1]
            # Live, the windows in which the filters settle decide nothing.
            settled = hop * np.arange(len(newest)) >= SETTLING_ROWS
            chosen = settled & (newest >= 0)
            if whole:
                chosen &= (of_windows == newest[:, np.newaxis]).all(axis=1)
            windows.append(cut(samples, hop=hop)[chosen])
            labels.append(newest[chosen].astype(np.int8))
            subjects.append(np.full(np.count_nonzero(chosen), int(recording.person), np.int8))
    return Split(np.concatenate(windows), np.concatenate(labels), np.concatenate(subjects))


def prepare(stretch: Stretch) -> NDArray[np.float32]:
    """Return raw samples after the filters, ``(n_samples - 1, 9)`` in g and rad/s."""
    rows = np.asarray(stretch.samples, np.float64)[None]
    samples: NDArray[np.float32] = Preprocessor(1).push(_ONE_PHONE, rows)[0]
    return samples


def cut(samples: NDArray[Any], *, hop: int, offset: int = 0) -> NDArray[Any]:
    """Return the windows ``(n_windows, 128, n)`` of samples ``(n_samples, n)``."""
    if len(samples) < WINDOW_LENGTH + offset:
        return np.empty((0, WINDOW_LENGTH, samples.shape[1]), samples.dtype)
    views = sliding_window_view(samples, WINDOW_LENGTH, axis=0)[offset::hop]
    return np.ascontiguousarray(views.transpose(0, 2, 1))
