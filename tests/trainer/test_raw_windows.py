from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.preprocessing import SETTLING_ROWS
from pipeline.recordings.recording import Recording, Stretch
from pipeline.recordings.uci_har import Split
from pipeline.signals import ACTIVITIES, WINDOW_LENGTH
from trainer.raw_windows import (
    TRAINING_SUBJECTS,
    cut,
    prepare,
    raw_windows,
    training_windows,
    turned,
)

N_ROWS: Final = 900
GRAVITY: Final = np.array([9.8, 0, 0, 0, 0, 0])


def recording(labels: NDArray[np.int8], *, subject: int = 7, seed: int = 0) -> Recording:
    """Return raw noise about gravity with these labels."""
    rows = np.random.default_rng(seed).normal(size=(len(labels), 6)) + GRAVITY
    return Recording(f"subject-{subject:02d}", (Stretch(0.0, rows, labels),))


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


def test_windows_are_labelled_by_their_majority() -> None:
    """A window of which more than half has one label has that, others are left out."""
    labels = two_bouts()
    split = raw_windows([recording(labels)], hop=1, label="majority")
    expected = []
    for first in range(SETTLING_ROWS, N_ROWS - WINDOW_LENGTH):
        own = labels[first : first + WINDOW_LENGTH]
        expected += [label for label in range(6) if (own == label).sum() > WINDOW_LENGTH / 2]
    assert expected == split.labels.tolist()


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


def test_turned_windows_keep_what_is_vertical() -> None:
    """A turn about x keeps x, lengths, labels and subjects, and depends on the seed alone."""
    windows = np.random.default_rng(0).normal(size=(50, WINDOW_LENGTH, 9)).astype(np.float32)
    split = Split(windows, np.zeros(50, np.int8), np.ones(50, np.int8))
    one, again, other = (turned(split, degrees=12.0, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(windows[:, :, ::3], one.windows[:, :, ::3])
    lengths, found = (np.square(of.reshape(50, -1, 3)).sum(axis=2) for of in (windows, one.windows))
    np.testing.assert_allclose(lengths, found, rtol=1e-4)
    assert one.windows.tobytes() == again.windows.tobytes() != other.windows.tobytes()
    assert windows.dtype == one.windows.dtype


def test_turned_windows_turn_all_sensors_alike() -> None:
    """In each window the angle is the same for every sample and each of the three sensors."""
    windows = np.tile(np.array([0, 1, 0] * 3, np.float32), (20, WINDOW_LENGTH, 1))
    split = Split(windows, np.zeros(20, np.int8), np.ones(20, np.int8))
    found = turned(split, degrees=12.0, seed=3).windows
    angles = np.arctan2(found[:, :, 2::3], found[:, :, 1::3])  # (20, 128, 3)
    assert np.ptp(angles, axis=(1, 2)).max() < 1e-6
    assert 5 < np.rad2deg(np.median(np.abs(angles))) < 20


def test_training_windows_are_plain_ones_and_turned_ones() -> None:
    """The turned ones begin half a hop later."""
    one = recording(two_bouts())
    split = training_windows([one], hop=32, degrees=0.0, seed=1)
    plain, between = (raw_windows([one], hop=32, offset=offset) for offset in (0, 16))
    np.testing.assert_array_equal(np.concatenate([plain.windows, between.windows]), split.windows)
    assert [*plain.labels, *between.labels] == split.labels.tolist()
