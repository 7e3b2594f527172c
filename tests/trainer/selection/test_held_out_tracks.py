from typing import Final

import numpy as np

from tests.trainer.decisions.protocol import SUBJECTS, made_up_stretches
from trainer.selection.cross_validation import groups
from trainer.selection.held_out_tracks import rotated, worn

TRANSITION: Final = 6  # behind the six activities
UPSIDE_DOWN: Final = np.diag([-1.0, -1.0, 1.0])


def test_samples_are_of_the_group_that_holds_their_person_out() -> None:
    """Each recording is judged by the model that does not know its person; transitions are one."""
    stretches = made_up_stretches()
    sent = list(worn(stretches))
    for one, stretch, subject in zip(sent, stretches, SUBJECTS, strict=True):
        assert subject in groups()[one.group]
        assert one.rows is stretch.rows
        assert TRANSITION == one.labels.max()
        np.testing.assert_array_equal(stretch.labels >= TRANSITION, one.labels == TRANSITION)


def test_samples_are_rotated_as_the_frame_says() -> None:
    """Both sensors' axes are rotated alike."""
    stretches = made_up_stretches()
    for one, stretch in zip(rotated(stretches, UPSIDE_DOWN), stretches, strict=True):
        np.testing.assert_array_equal(stretch.rows * [-1, -1, 1, -1, -1, 1], one.rows)


def test_a_random_frame_is_far_from_upright() -> None:
    """No random frame leaves the phone's x within 45 degrees of where it was."""
    stretches = made_up_stretches()
    for one, stretch in zip(rotated(stretches, None), stretches, strict=True):
        rotation, *_ = np.linalg.lstsq(stretch.rows[:, :3], one.rows[:, :3], rcond=None)
        assert rotation[0, 0] < np.cos(np.pi / 4)
        np.testing.assert_allclose(np.eye(3), rotation @ rotation.T, atol=1e-9)
