from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.windows import turned
from pipeline.recordings.recording import Recording, Stretch
from pipeline.vocabulary import ACTIVITIES, WINDOW_LENGTH
from trainer.data.raw_windows import (
    TRAINING_SUBJECTS,
    Turns,
    cut,
    prepare,
    random_turns,
    raw_windows,
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


def test_turned_windows_keep_lengths_and_dtype() -> None:
    """A turn keeps the lengths of all vectors; no turn keeps the windows."""
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(50, WINDOW_LENGTH, 9)).astype(np.float32)
    found = turned(windows, random_turns(rng, 50, Turns()))
    lengths, kept = (np.square(of.reshape(50, -1, 3)).sum(axis=2) for of in (windows, found))
    np.testing.assert_allclose(lengths, kept, rtol=1e-4)
    assert not np.allclose(windows, found, atol=1e-2)
    assert windows.dtype == found.dtype
    np.testing.assert_array_equal(windows, turned(windows, np.tile(np.eye(3), (50, 1, 1))))


def test_turned_windows_turn_all_sensors_alike() -> None:
    """In each window the turn is the same for every sample and each of the three sensors."""
    windows = np.tile(np.array([0, 1, 0] * 3, np.float32), (20, WINDOW_LENGTH, 1))
    rotations = random_turns(np.random.default_rng(3), 20, Turns())
    found = turned(windows, rotations).reshape(20, -1, 3)
    np.testing.assert_array_equal(found[:, :1].repeat(found.shape[1], axis=1), found)
    np.testing.assert_allclose(rotations[:, :, 1], found[:, 0], atol=1e-6)


def test_turning_windows_is_turning_the_phone() -> None:
    """What the filters make of turned samples is what they make of the samples, turned.

    Where the median of three has nothing to do, as in a slow movement.
    """
    seconds = np.arange(N_ROWS)[:, None] / 50
    rows = GRAVITY + np.sin(seconds * [0.5, 0.7, 0.9, 1.1, 1.3, 1.5])
    rotation = random_turns(np.random.default_rng(1), 1, Turns())[0]
    other_rows = (rows.reshape(-1, 3) @ rotation.T).reshape(-1, 6)
    labels = np.zeros(N_ROWS, np.int8)
    here, there = (prepare(Stretch(0.0, one, labels)) for one in (rows, other_rows))
    windows = cut(here, hop=16)
    expected = turned(windows, np.tile(rotation, (len(windows), 1, 1)))
    np.testing.assert_allclose(expected, cut(there, hop=16), atol=2e-3)


def test_turns_have_the_sizes_asked_for() -> None:
    """About the vertical they follow Student's t, about any axis a normal distribution."""
    rng = np.random.default_rng(5)
    around = random_turns(rng, 4000, Turns(around_deg=12.0, tilt_deg=0.0))
    np.testing.assert_allclose(around[:, 0, 0], 1, atol=1e-12)
    angles = np.rad2deg(np.arctan2(around[:, 2, 1], around[:, 1, 1]))
    assert np.median(np.abs(angles)) == pytest.approx(12.0 * 0.816, rel=0.1)  # t, 2 degrees

    tilts = random_turns(rng, 4000, Turns(around_deg=0.0, tilt_deg=10.0))
    angles = np.rad2deg(np.arccos((np.trace(tilts, axis1=1, axis2=2) - 1) / 2))
    assert np.sqrt(np.mean(angles**2)) == pytest.approx(10.0, rel=0.1)


def test_any_way_round_all_directions_are_alike() -> None:
    """The vertical goes everywhere, and so does the turn about it."""
    rotations = random_turns(np.random.default_rng(5), 4000, Turns(any_way_round=True))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (4000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.square(rotations).mean(axis=0), 1 / 3, atol=0.02)
