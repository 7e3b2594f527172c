from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from pipeline.recognition.placement.leg_swing import LEG_SWING_RAD_S, leg_swing_rad_s
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES, STANDARD_GRAVITY
from tests.recognition.placement.rotations import rotations

STEP_HZ = 1.8
N_ROWS = 300


def walked(*, swing_rad_s: float = 0.0, nod_rad_s: float = 0.0) -> NDArray[np.float64]:
    """Return rows of a walk, axes up, forward, left, in which the phone swings and nods."""
    rows = np.zeros((N_ROWS, 6))
    phase = 2 * np.pi * STEP_HZ * np.arange(N_ROWS) / 50
    rows[:, 0] = STANDARD_GRAVITY + 3 * np.cos(phase)
    rows[:, 5] = np.sqrt(2) * (swing_rad_s * np.sin(phase / 2) + nod_rad_s * np.sin(phase))
    return rows


@given(rotations)
def test_the_swing_of_a_leg(rotation: NDArray[np.float64]) -> None:
    """It is the root mean square of what swings with the strides, however the phone is worn."""
    rows = walked(swing_rad_s=1.2, nod_rad_s=0.5)
    rows = np.hstack([rows[:, :3] @ rotation.T, rows[:, 3:] @ rotation.T])
    assert leg_swing_rad_s(rows) == pytest.approx(1.2, rel=0.05)


def test_a_trunk() -> None:
    """What nods with each step, turns about the upright or has an offset is none."""
    rows = walked(nod_rad_s=2.0)
    rows[:, 3] = np.sin(np.pi * STEP_HZ * np.arange(N_ROWS) / 50)
    rows[:, 4] = 0.7
    assert leg_swing_rad_s(rows) < LEG_SWING_RAD_S / 5


def test_training_subjects(data_dir: Path) -> None:
    """The phones of real people at the waist swing with no leg."""
    try:
        recordings = hapt.recordings(data_dir, [1, 5, 11, 16], download=False)
    except DataError as error:
        pytest.skip(f"needs HAPT: {error}")
    for stretch in (part for recording in recordings for part in recording.stretches):
        walks = np.flatnonzero(stretch.labels == ACTIVITIES.index("WALKING"))
        for bout in np.split(walks, np.flatnonzero(np.diff(walks) > 1) + 1):
            assert leg_swing_rad_s(stretch.samples[bout].astype(np.float64)) < LEG_SWING_RAD_S
