import numpy as np
import pytest

from pipeline.recognition.wearer.frame import FORWARD_KNOWN, UPRIGHT, UPRIGHT_KNOWN
from pipeline.recordings.recording import Stretch
from pipeline.recordings.uci_har import Split
from tests.recognition.wearer.walks import rows_of
from trainer.data.published_wearers import frames_of
from trainer.data.raw_windows import cut, prepare


@pytest.fixture
def walkers() -> Split:
    """Two subjects who walk in two bouts each, the second of whom has the lower number."""
    bouts = []
    for seed in range(4):
        rows = rows_of("WALKING", seconds=12.0, seed=seed)
        stretch = Stretch(np.arange(len(rows)) / 50, rows, np.zeros(len(rows), np.int8))
        bouts.append(cut(prepare(stretch), hop=64))
    n = len(bouts[0])
    return Split(
        np.concatenate(bouts), np.zeros(4 * n, np.int8), np.repeat([7, 7, 2, 2], n).astype(np.int8)
    )


def test_frames_are_learnt_from_the_windows(walkers: Split) -> None:
    """Nothing is known at first; from ten steps on all is, also in the subject's next bout."""
    frames = frames_of(walkers)
    n = len(walkers.labels) // 4
    for first in (0, 2 * n):
        known = frames[first : first + 2 * n, [UPRIGHT_KNOWN, FORWARD_KNOWN]]
        assert not known[0].any()
        assert known[n - 1 :].all()


def test_frames_are_in_the_axes_of_the_windows(walkers: Split) -> None:
    """Upright points where gravity is."""
    frames = frames_of(walkers)
    gravity = walkers.windows[:, :, 6:].mean(axis=1)
    is_known = frames[:, UPRIGHT_KNOWN] == 1
    cosines = (frames[:, UPRIGHT] * gravity).sum(axis=1) / np.linalg.norm(gravity, axis=1)
    assert (cosines[is_known] > 0.97).all()


def test_frames_do_not_depend_on_the_other_subjects(walkers: Split) -> None:
    """Each subject's are its own, in whatever order subjects are."""
    is_2 = walkers.subjects == 2
    frames = frames_of(walkers)
    np.testing.assert_array_equal(frames[is_2], frames_of(walkers.chosen(is_2)))
    np.testing.assert_array_equal(frames[~is_2], frames_of(walkers.chosen(~is_2)))
