import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.recognition.preparation.windows import rotate
from pipeline.recognition.wearer.frame import COLUMNS, FORWARD, STRENGTH, UPRIGHT
from trainer.networks.wearer_views import inputs, views

pytestmark = pytest.mark.train

IN_FRAME = slice(14, 29)
"""Channels that depend on the wearer's frame"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that gives both views."""
    window, wearer = inputs()
    return keras.Model([window, wearer], list(views(window, wearer)))


def some_windows(n: int = 30) -> NDArray[np.float32]:
    """Return windows ``(n, 128, 9)`` of people who move, who rest, and of a phone in free fall."""
    rng = np.random.default_rng(0)
    windows = rng.normal(scale=[0.2] * 3 + [0.5] * 3 + [0.2] * 3, size=(n, 128, 9))
    windows[10:] *= 0.01
    windows[:-1, :, 6:] += [0.9, -0.2, 0.1]
    windows[-1] = 0.0
    return windows.astype(np.float32)


def some_frames(n: int = 30) -> NDArray[np.float32]:
    """Return frames ``(n, 10)`` of which all is known."""
    axes = Rotation.random(n, rng=np.random.default_rng(1)).as_matrix()
    frames = np.zeros((n, len(COLUMNS)), np.float32)
    frames[:, UPRIGHT], frames[:, FORWARD] = axes[:, 0], axes[:, 1]
    frames[:, 6:8], frames[:, STRENGTH] = 1, [-0.7, -1.8]
    return frames


def test_views_are_the_same_however_the_phone_is_rotated(network: keras.Model) -> None:
    """If the wearer's frame is rotated with the phone, or nothing is known of it."""
    windows, known = some_windows(), some_frames()
    rotations = Rotation.random(len(windows), rng=np.random.default_rng(2)).as_matrix()
    rotated = known.copy()
    for axis in (UPRIGHT, FORWARD):
        rotated[:, axis] = np.einsum("nij,nj->ni", rotations, known[:, axis])
    for before, after in ((known, rotated), (np.zeros_like(known), np.zeros_like(known))):
        channels, features = network.predict([windows, before], verbose=0)
        for expected, found in zip(
            (channels, features),
            network.predict([rotate(windows, rotations), after], verbose=0),
            strict=True,
        ):
            assert np.isfinite(expected).all()
            # What has no direction, as a resting body's stride, has any: rounding decides.
            some = slice(0, 10) if found.ndim == 2 else slice(0, -1)
            np.testing.assert_allclose(expected[some], found[some], atol=2e-3)


def test_nothing_of_a_frame_is_shown_while_it_is_unknown(network: keras.Model) -> None:
    """Then all channels that depend on it are zero; and none of the others depends on it."""
    windows, frames = some_windows(), some_frames()
    known, features = network.predict([windows, frames], verbose=0)
    unknown, without = network.predict([windows, np.zeros_like(frames)], verbose=0)
    assert known[:, :, IN_FRAME].any()
    assert not unknown[:, :, IN_FRAME].any()
    np.testing.assert_array_equal(known[:, :, : IN_FRAME.start], unknown[:, :, : IN_FRAME.start])
    np.testing.assert_array_equal(features[:, :68], without[:, :68])


def test_signals_lie_along_the_frame(network: keras.Model) -> None:
    """A steady pull forward, left and up is shown there, and so is a steady rotation about them."""
    frames = some_frames(3)
    left = np.cross(frames[:, UPRIGHT], frames[:, FORWARD])
    axes = np.stack([frames[:, FORWARD], left, frames[:, UPRIGHT]], axis=1)  # (3, 3, 3)
    windows = np.zeros((3, 128, 9), np.float32)
    windows[:, :, 3:6] = np.einsum("j,njk->nk", [0.5, 1.0, -0.5], axes)[:, np.newaxis]
    windows[:, :, 6:9] = np.einsum("j,njk->nk", [0.6, 0.0, 0.8], axes)[:, np.newaxis]
    channels, _ = network.predict([windows, frames], verbose=0)
    gyro, acc, total, up = (channels[:, 50, first : first + 3] for first in (14, 17, 20, 23))
    np.testing.assert_allclose(3 * [[0.6, 0.0, 0.8]], total, atol=1e-4)
    np.testing.assert_allclose(np.zeros((3, 3)), acc, atol=1e-4)
    np.testing.assert_allclose(3 * [[1.0, 2.0, -1.0]], gyro, atol=1e-4)
    np.testing.assert_allclose(3 * [[0.6, 0.0, 0.8]], up, atol=1e-4)


def test_frequencies_above_those_of_slow_sensors_are_not_seen_in_the_frame(
    network: keras.Model,
) -> None:
    """A tremor of 15 Hz is shown a hundredth as strong as one of 3 Hz."""
    frames = some_frames(2)
    windows = np.zeros((2, 128, 9), np.float32)
    windows[:, :, 6:9] = frames[:, np.newaxis, UPRIGHT]
    for window, frequency in zip(windows, (3, 15), strict=True):
        wave = 0.2 * np.sin(2 * np.pi * frequency * np.arange(128) / 50)
        window[:, 6:9] *= 1 + wave[:, np.newaxis]
    slow, fast = network.predict([windows, frames], verbose=0)[0][:, :, 19].std(axis=1)
    assert fast < slow / 100
