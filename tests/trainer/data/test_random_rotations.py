import numpy as np
import pytest

from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings.recording import Stretch, grid_times
from pipeline.vocabulary import WINDOW_LENGTH
from trainer.data.random_rotations import RandomRotation, random_rotations
from trainer.data.raw_windows import cut, prepare


def test_rotated_windows_keep_lengths_and_dtype() -> None:
    """A rotation keeps the lengths of all vectors; none keeps the windows."""
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(50, WINDOW_LENGTH, 9)).astype(np.float32)
    found = rotate(windows, random_rotations(rng, 50, RandomRotation()))
    lengths, kept = (np.square(of.reshape(50, -1, 3)).sum(axis=2) for of in (windows, found))
    np.testing.assert_allclose(lengths, kept, rtol=1e-4)
    assert not np.allclose(windows, found, atol=1e-2)
    assert windows.dtype == found.dtype
    np.testing.assert_array_equal(windows, rotate(windows, np.tile(np.eye(3), (50, 1, 1))))


def test_a_rotation_is_of_all_sensors_alike() -> None:
    """In each window the rotation is the same for every sample and each of the three sensors."""
    windows = np.tile(np.array([0, 1, 0] * 3, np.float32), (20, WINDOW_LENGTH, 1))
    rotations = random_rotations(np.random.default_rng(3), 20, RandomRotation())
    found = rotate(windows, rotations).reshape(20, -1, 3)
    np.testing.assert_array_equal(found[:, :1].repeat(found.shape[1], axis=1), found)
    np.testing.assert_allclose(rotations[:, :, 1], found[:, 0], atol=1e-6)


def test_rotating_windows_is_rotating_the_phone() -> None:
    """What the filters make of rotated samples is what they make of the samples, rotated.

    Where the median of three has nothing to do, as in a slow movement.
    """
    seconds = np.arange(900)[:, None] / 50
    rows = np.array([9.8, 0, 0, 0, 0, 0]) + np.sin(seconds * [0.5, 0.7, 0.9, 1.1, 1.3, 1.5])
    rotation = random_rotations(np.random.default_rng(1), 1, RandomRotation())[0]
    other_rows = (rows.reshape(-1, 3) @ rotation.T).reshape(-1, 6)
    labels = np.zeros(900, np.int8)
    times = grid_times(0.0, 900)
    before, after = (prepare(Stretch(times, one, labels)) for one in (rows, other_rows))
    windows = cut(before, hop=16)
    expected = rotate(windows, np.tile(rotation, (len(windows), 1, 1)))
    np.testing.assert_allclose(expected, cut(after, hop=16), atol=2e-3)


def test_rotations_have_the_sizes_asked_for() -> None:
    """About the vertical they follow Student's t, about any axis a normal distribution."""
    rng = np.random.default_rng(5)
    around = random_rotations(rng, 4000, RandomRotation(around_deg=12.0, tilt_deg=0.0))
    np.testing.assert_allclose(around[:, 0, 0], 1, atol=1e-12)
    angles = np.rad2deg(np.arctan2(around[:, 2, 1], around[:, 1, 1]))
    assert np.median(np.abs(angles)) == pytest.approx(12.0 * 0.816, rel=0.1)  # t, 2 degrees

    tilts = random_rotations(rng, 4000, RandomRotation(around_deg=0.0, tilt_deg=10.0))
    angles = np.rad2deg(np.arccos((np.trace(tilts, axis1=1, axis2=2) - 1) / 2))
    assert np.sqrt(np.mean(angles**2)) == pytest.approx(10.0, rel=0.1)


def test_any_way_round_all_directions_are_alike() -> None:
    """The vertical goes everywhere, and the rotation about it has all angles."""
    rotations = random_rotations(np.random.default_rng(5), 4000, RandomRotation(any_way_round=True))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (4000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.square(rotations).mean(axis=0), 1 / 3, atol=0.02)
