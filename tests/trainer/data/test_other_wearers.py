from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import COLUMNS, FORWARD, STRENGTH, UPRIGHT
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from trainer.data.other_wearers import OtherWearers, changed
from trainer.data.signals import Signals

WALKING, SITTING, LAYING = (
    PLACEMENT_ACTIVITIES.index(name) for name in ("WALKING", "SITTING", "LAYING")
)
SAME = OtherWearers(
    slowest=1.0,
    fastest=1.0,
    clean=1.0,
    frame_known=1.0,
    forward_unknown=0.0,
    tilt_deg=0.0,
    yaw_deg=0.0,
    flipped=0.0,
    strength_error=0.0,
    lying_otherwise=0.0,
)
"""Changes nothing"""
N = 400


def signals_like(label: int, *, on_leg: bool = False, data_set: str = "Made") -> Signals:
    """Return windows of one activity: gravity up along z, upright along z, forward along x."""
    rng = np.random.default_rng(label)
    rows = rng.normal(size=(300, 6)).astype(np.float32) * 0.1
    rows[:, 5] += 1
    frames = np.zeros((N, len(COLUMNS)), np.float32)
    frames[:, [2, 3, 6, 7]] = 1
    frames[:, STRENGTH] = [-1.0, -2.0]
    return Signals(
        rows,
        PLACEMENT_ACTIVITIES,
        (data_set,),
        ("p",),
        first=np.full(N, 80),
        bounds=np.tile([0, 300], (N, 1)),
        labels=np.full(N, label, np.int8),
        is_stairs=np.zeros(N, np.bool_),
        is_settled=np.ones(N, np.bool_),
        frames=frames,
        sets=np.zeros(N, np.intp),
        persons=np.zeros(N, np.intp),
        on_leg=np.full(N, on_leg),
    )


def of_all(
    signals: Signals, how: OtherWearers, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return all windows and frames, changed."""
    return changed(signals, np.arange(N), how, np.random.default_rng(seed))


@pytest.mark.parametrize("label", range(len(PLACEMENT_ACTIVITIES)))
def test_nothing_is_changed_without_changes(label: int) -> None:
    """What is left alone is what was measured."""
    signals = signals_like(label)
    windows, frames = of_all(signals, SAME)
    np.testing.assert_allclose(signals.windows(np.arange(N)), windows, atol=1e-6)
    np.testing.assert_allclose(signals.frames, frames, atol=1e-6)


def test_the_seed_decides() -> None:
    """The same seed gives the same, another one something else."""
    signals = signals_like(WALKING)
    first, again, other = (of_all(signals, OtherWearers(), seed)[0] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_speed_changes_movements_alone() -> None:
    """Twice as fast: rotation doubles, gravity stays; who sits stays as he is."""
    twice = replace(SAME, slowest=2.0, fastest=2.0)
    signals = signals_like(WALKING)
    windows, _ = of_all(signals, twice)
    positions = np.tile(64 + (np.arange(128) - 64) * 2.0, (1, 1)).astype(np.float32)
    expected = signals.samples(np.array([0]), positions)[0]
    np.testing.assert_allclose(2 * expected[:, :3], windows[0, :, :3], rtol=1e-4)
    np.testing.assert_allclose(
        expected[:, 3:].mean(axis=0), windows[0, :, 3:].mean(axis=0), rtol=1e-4
    )
    assert windows[0, :, 3:].std() < 1.1**2 * expected[:, 3:].std() * 1.01
    still = signals_like(SITTING)
    np.testing.assert_allclose(still.windows(np.arange(N)), of_all(still, twice)[0], atol=1e-6)


def test_sensors_of_some_sets_are_left_alone() -> None:
    """Of the named sets nothing but the speed is changed; of others about the share that is not."""
    how = replace(OtherWearers(), slowest=1.0, fastest=1.0, clean=0.4)
    for data_set, share in (("UCI HAR", 1.0), ("Made", 0.4)):
        signals = signals_like(WALKING, data_set=data_set)
        difference = np.abs(of_all(signals, how)[0] - signals.windows(np.arange(N)))
        same = difference.max(axis=(1, 2)) < 1e-6
        assert share == pytest.approx(same.mean(), abs=0.08)


def test_frames_are_held_back() -> None:
    """Of as many windows as said: then all of the frame is zeros, or forward and strength are."""
    signals = signals_like(WALKING)
    _, frames = of_all(signals, replace(SAME, frame_known=0.5, forward_unknown=0.2))
    is_known, is_ahead = frames[:, 6] > 0, frames[:, 7] > 0
    assert pytest.approx(0.5, abs=0.08) == is_known.mean()
    assert pytest.approx(0.8, abs=0.08) == is_ahead[is_known].mean()
    assert not frames[~is_known].any()
    assert not frames[~is_ahead][:, [3, 4, 5, 7, 8, 9]].any()
    assert frames[is_ahead].all(axis=0)[[2, 3, 6, 7, 8, 9]].all()


def test_frames_stay_frames() -> None:
    """However a phone has shifted, upright and forward are unit vectors at a right angle."""
    _, frames = of_all(signals_like(LAYING, on_leg=True), replace(OtherWearers(), frame_known=1.0))
    upright, forward = frames[:, UPRIGHT], frames[frames[:, 7] > 0][:, FORWARD]
    np.testing.assert_allclose(1, np.linalg.norm(upright, axis=1), rtol=1e-5)
    np.testing.assert_allclose(1, np.linalg.norm(forward, axis=1), rtol=1e-5)
    dots = (frames[:, UPRIGHT] * frames[:, FORWARD]).sum(axis=1)
    np.testing.assert_allclose(0, dots, atol=1e-5)
    tilts = np.degrees(np.arccos(np.clip(upright[:, 2], -1, 1)))
    assert pytest.approx(8 * np.sqrt(2 / np.pi) * 2 / np.sqrt(3), rel=0.35) == tilts.mean()


def test_who_lies_on_another_side() -> None:
    """With a phone on a leg gravity then comes from 45 to 180 degrees beside forward."""
    signals = signals_like(LAYING, on_leg=True)
    signals.rows[:, 3:] = [0.6, 0.0, 0.1]  # g: on the back, forward is up
    _, frames = of_all(signals, replace(SAME, lying_otherwise=1.0))
    forward = frames[:, FORWARD]
    aside = np.degrees(np.arctan2(forward[:, 1], forward[:, 0]))
    assert 45 - 1e-3 <= np.abs(aside).min()
    assert 30 < aside[aside > 0].size * 100 / N < 70
    _, unchanged = of_all(signals_like(SITTING, on_leg=True), replace(SAME, lying_otherwise=1.0))
    np.testing.assert_allclose(signals.frames, unchanged, atol=1e-6)
