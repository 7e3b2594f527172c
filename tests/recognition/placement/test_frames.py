import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.placement.frames import (
    FRAMES,
    angle_deg,
    in_training_frame,
    nearest_frame,
    rotation_onto_x,
)
from tests.recognition.placement.rotations import directions, rotation_about


@pytest.mark.parametrize(
    ("frame", "up"),
    [
        ("landscape", (1, 0, 0)),
        ("landscape-upside-down", (-1, 0, 0)),
        ("portrait", (0, 1, 0)),
        ("portrait-upside-down", (0, -1, 0)),
    ],
)
def test_placements(frame: str, up: tuple[int, int, int]) -> None:
    """A placement turns the edge that is up onto +x and lets the screen face as it did."""
    assert [1, 0, 0] == (FRAMES[frame] @ up).tolist()
    assert [0, 0, 1] == (FRAMES[frame] @ (0, 0, 1)).tolist()


@pytest.mark.parametrize("frame", FRAMES)
def test_placements_are_rotations(frame: str) -> None:
    """No placement is a reflection, so that it fits both sensors."""
    np.testing.assert_array_equal(np.eye(3), FRAMES[frame] @ FRAMES[frame].T)
    assert 1 == np.linalg.det(FRAMES[frame])


@pytest.mark.parametrize("frame", FRAMES)
def test_nearest_placement(frame: str) -> None:
    """A rotation is named after the placement it is near to, with the angle between."""
    name, degrees = nearest_frame(rotation_about((1, 2, 3), 20) @ FRAMES[frame])
    assert frame == name
    assert degrees == pytest.approx(20)


@given(directions)
def test_onto_x(direction: tuple[float, ...]) -> None:
    """Any direction is turned onto +x, by a rotation, about an axis across both."""
    rotation = rotation_onto_x(np.array(direction))
    turned_direction = rotation @ direction / np.linalg.norm(direction)
    np.testing.assert_allclose(turned_direction, [1, 0, 0], atol=1e-14)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1)
    angle = angle_deg(np.array(direction), np.array([1.0, 0, 0]))
    assert np.trace(rotation) == pytest.approx(1 + 2 * np.cos(np.radians(angle)), abs=1e-6)


def test_onto_x_from_the_other_side() -> None:
    """What points exactly along -x is turned by half a turn."""
    np.testing.assert_array_equal([1, 0, 0], rotation_onto_x(np.array([-9.8, 0, 0])) @ (-1, 0, 0))


def test_onto_x_from_nowhere() -> None:
    """A vector without length has no direction to turn."""
    with pytest.raises(ValueError, match="no direction"):
        rotation_onto_x(np.zeros(3))


def test_turning() -> None:
    """Both sensors are turned, and the sign is of accelerations alone."""
    rows = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]])

    found = in_training_frame(rows, np.array([-1.0]), FRAMES["portrait"][np.newaxis])

    np.testing.assert_array_equal([[[-2.0, 1.0, -3.0, 5.0, -4.0, 6.0]]], found)


@given(n_phones=st.integers(1, 5), n_rows=st.integers(1, 40), seed=st.integers(0, 1000))
def test_turning_does_not_depend_on_company(n_phones: int, n_rows: int, seed: int) -> None:
    """A row comes out bit for bit the same alone as among others."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_phones, n_rows, 6))
    signs = rng.choice([-1.0, 1.0], n_phones)
    rotations = np.linalg.qr(rng.normal(size=(n_phones, 3, 3)))[0]

    together = in_training_frame(rows, signs, rotations)

    phone, row = n_phones - 1, n_rows // 2
    alone = in_training_frame(rows[phone:, row : row + 1], signs[phone:], rotations[phone:])
    assert together[phone, row].tobytes() == alone[0, 0].tobytes()
