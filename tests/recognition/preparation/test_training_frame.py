import numpy as np

from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.training_frame import TrainingFrame

ROWS = np.random.default_rng(0).normal(size=(3, 10, 6))
SLOTS = np.array([2, 0, 1])


def test_phones_worn_as_in_training() -> None:
    """Their rows stay as they are, and are not even copied."""
    assert TrainingFrame(3).rotated(SLOTS, ROWS) is ROWS


def test_a_phone_worn_otherwise() -> None:
    """Its rows are rotated and those of the others are not; accelerations have Android's sign."""
    frame = TrainingFrame(3)
    rotation = FRAMES["portrait"]
    before = ROWS.copy()
    assert frame.place(0, -1.0, rotation)

    rotated = frame.rotated(SLOTS, ROWS)

    np.testing.assert_array_equal(rotated[[0, 2]], ROWS[[0, 2]])
    np.testing.assert_allclose(rotated[1, :, :3], -ROWS[1, :, :3] @ rotation.T)
    np.testing.assert_allclose(rotated[1, :, 3:], ROWS[1, :, 3:] @ rotation.T)
    np.testing.assert_array_equal(ROWS, before)


def test_a_placement_that_is_no_change() -> None:
    """The same placement again is no change, nor is that of training at first."""
    frame = TrainingFrame(1)
    assert not frame.place(0, 1.0, np.eye(3))
    assert frame.place(0, 1.0, FRAMES["portrait"])
    assert not frame.place(0, 1.0, FRAMES["portrait"].copy())
    frame.reset([0])
    assert not frame.place(0, 1.0, np.eye(3))


def test_a_place_on_the_body_is_news() -> None:
    """So it is where only that changes; at first a phone is not known to be at the waist."""
    frame = TrainingFrame(2)
    assert not frame.place(0, 1.0, np.eye(3), at_waist=False)
    assert frame.place(0, 1.0, np.eye(3), at_waist=True)
    assert not frame.place(0, 1.0, np.eye(3), at_waist=True)
    assert [True, False] == frame.at_waist.tolist()
    frame.reset([0])
    assert not frame.at_waist.any()
