import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.recognition.placement.frames import UP, angle_deg
from pipeline.recognition.preparation.upright import MEMORY_S, Baseline

HOP = 64
HOP_S = HOP / 50


def windows_towards(directions: NDArray[np.float64], seed: int = 0) -> NDArray[np.float32]:
    """Return a window for each direction ``(n, 3)`` of gravity, with some movement about it."""
    windows = np.random.default_rng(seed).normal(scale=0.1, size=(len(directions), 128, 9))
    windows[:, :, 6:] -= windows[:, :, 6:].mean(axis=1, keepdims=True)
    windows[:, :, 6:] += (directions / np.linalg.norm(directions, axis=1, keepdims=True))[:, None]
    return windows.astype(np.float32)


def leaning(degrees: float) -> NDArray[np.float64]:
    """Return the training subjects' upright direction, rotated about z."""
    rotation = Rotation.from_rotvec(np.radians(degrees) * np.array([0.0, 0.0, 1.0]))
    return rotation.apply(UP)


def test_who_has_not_walked_is_not_rotated() -> None:
    """Standing, sitting and lying teach nothing."""
    windows = windows_towards(np.stack([leaning(angle) for angle in (0, 15, 90)]))
    rotated = Baseline(1, hop=HOP).rotate(np.zeros(3, int), windows, np.zeros(3, bool))
    np.testing.assert_allclose(rotated, windows, atol=1e-6)


def test_whose_phone_leans_is_rotated_upright() -> None:
    """After minutes of walking with a lean, gravity is where the training subjects had it."""
    n = int(MEMORY_S / HOP_S) * 4
    windows = windows_towards(np.tile(leaning(14.0), (n, 1)))
    rotated = Baseline(1, hop=HOP).rotate(np.zeros(n, int), windows, np.ones(n, bool))
    gravity = rotated[:, :, 6:].mean(axis=1)
    assert angle_deg(gravity[0], UP) > 11
    assert angle_deg(gravity[int(30 / HOP_S)], UP) < 5
    assert angle_deg(gravity[-1], UP) < 1
    lengths = np.linalg.norm(rotated.reshape(n, -1, 3), axis=2)
    np.testing.assert_allclose(
        lengths, np.linalg.norm(windows.reshape(n, -1, 3), axis=2), rtol=1e-5
    )


def test_the_rotation_is_the_shortest() -> None:
    """What is across the lean stays where it is."""
    n = 400
    windows = windows_towards(np.tile(leaning(14.0), (n, 1)))
    windows[-1, :, :3] = [0.0, 0.0, 1.0]  # the axis about which it leans, nearly
    rotated = Baseline(1, hop=HOP).rotate(np.zeros(n, int), windows, np.ones(n, bool))
    assert angle_deg(rotated[-1, 0, :3], np.array([0.0, 0.0, 1.0])) < 3


def test_another_wearer_begins_anew() -> None:
    """What was learnt of one is not held against the next."""
    n = 200
    leant = windows_towards(np.tile(leaning(20.0), (n, 1)))
    baseline = Baseline(2, hop=HOP)
    baseline.rotate(np.zeros(n, int), leant, np.ones(n, bool))
    upright = windows_towards(UP[np.newaxis])
    assert np.abs(baseline.rotate(np.array([0]), upright, np.array([False])) - upright).max() > 0.1
    baseline.reset([0])
    np.testing.assert_allclose(
        baseline.rotate(np.array([0]), upright, np.array([False])), upright, atol=1e-6
    )


@settings(deadline=None)
@given(
    slots=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    seed=st.integers(0, 2**16),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_how_windows_are_dealt_out_to_calls_does_not_matter(
    slots: list[int], seed: int, cuts: list[int]
) -> None:
    """Each phone's windows are rotated to the same bits, by whatever calls and among whomever."""
    rng = np.random.default_rng(seed)
    n = len(slots)
    directions = np.stack([leaning(angle) for angle in rng.uniform(-30, 30, n)])
    windows, walking = windows_towards(directions, seed), rng.random(n) < 0.6
    of_phone = np.array(slots)
    at_once = Baseline(4, hop=HOP).rotate(of_phone, windows, walking)
    bounds = sorted({0, n, *(cut for cut in cuts if cut < n)})
    baseline = Baseline(4, hop=HOP)
    for first, end in itertools.pairwise(bounds):
        part = slice(first, end)
        np.testing.assert_array_equal(
            baseline.rotate(of_phone[part], windows[part], walking[part]), at_once[part]
        )
    for phone in set(slots):
        own = of_phone == phone
        alone = Baseline(1, hop=HOP).rotate(
            np.zeros(np.count_nonzero(own), int), windows[own], walking[own]
        )
        np.testing.assert_array_equal(alone, at_once[own])
