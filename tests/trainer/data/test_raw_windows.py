from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import ACTIVITIES, WINDOW_LENGTH
from trainer.data.raw_windows import (
    TRAINING_SUBJECTS,
    cut,
    prepare,
    raw_windows,
)

N_ROWS: Final = 900
GRAVITY: Final = np.array([9.8, 0, 0, 0, 0, 0])


def recording(labels: NDArray[np.int8], *, subject: int = 7, seed: int = 0) -> Recording:
    """Return raw noise about gravity with these labels."""
    rows = np.random.default_rng(seed).normal(size=(len(labels), 6)) + GRAVITY
    stretch = Stretch(grid_times(0.0, len(rows)), rows, labels)
    return Recording(f"subject-{subject:02d}", (stretch,), person=str(subject))


def two_bouts() -> NDArray[np.int8]:
    """Return labels: WALKING, then nothing for 100 samples, then SITTING."""
    labels = np.zeros(N_ROWS, np.int8)
    labels[500:600] = -1
    labels[600:] = ACTIVITIES.index("SITTING")
    return labels


def test_there_are_21_training_subjects() -> None:
    """They are those of UCI HAR's training split."""
    assert 21 == len(set(TRAINING_SUBJECTS))


@pytest.mark.parametrize("hop", [1, 16, 64])
def test_windows_are_labelled_by_their_newest_sample(hop: int) -> None:
    """A window across a change has the label of its end; none ends where there is none."""
    labels = two_bouts()
    split = raw_windows([recording(labels)], hop=hop)
    ends = [
        first + WINDOW_LENGTH - 1
        for first in range(0, N_ROWS - WINDOW_LENGTH, hop)
        if first >= SETTLING_ROWS and labels[first + WINDOW_LENGTH - 1] >= 0
    ]
    assert labels[ends].tolist() == split.labels.tolist()
    assert {7} == set(split.subjects.tolist())
    samples = prepare(recording(labels).stretches[0])
    for window, end in zip(split.windows, ends, strict=True):
        np.testing.assert_array_equal(samples[end - WINDOW_LENGTH + 1 : end + 1], window)


def test_windows_of_one_label() -> None:
    """If asked for, windows across a change are left out; the others are the same."""
    labels = np.repeat(np.array([0, 3], np.int8), 600)
    every, whole = (
        raw_windows([recording(labels)], hop=16, whole=whole) for whole in (False, True)
    )
    assert 0 < len(every.labels) - len(whole.labels) <= WINDOW_LENGTH // 16
    kept = {window.tobytes() for window in whole.windows}
    assert kept < {window.tobytes() for window in every.windows}
    assert {0, 3} == set(whole.labels.tolist())


def test_a_recording_without_labels_gives_nothing() -> None:
    """Where nothing is labelled, or all is too short, there are no windows."""
    short = recording(np.zeros(SETTLING_ROWS, np.int8))
    unlabelled = recording(np.full(N_ROWS, -1, np.int8))
    assert (0, WINDOW_LENGTH, 9) == raw_windows([short, unlabelled], hop=16).windows.shape


@given(n=st.integers(0, 300), hop=st.integers(1, 128), offset=st.integers(0, 200))
def test_cut(n: int, hop: int, offset: int) -> None:
    """There are as many windows as fit, each in its place."""
    samples = np.arange(n)[:, None]
    windows = cut(samples, hop=hop, offset=offset)
    firsts = list(range(offset, n - WINDOW_LENGTH + 1, hop))
    assert (len(firsts), WINDOW_LENGTH, 1) == windows.shape
    for first, window in zip(firsts, windows, strict=True):
        assert list(range(first, first + WINDOW_LENGTH)) == window[:, 0].tolist()
