"""Directions and rotations, drawn by hypothesis."""

from typing import Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

directions: Final = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


def rotation_about(axis: tuple[float, ...], degrees: float) -> NDArray[np.float64]:
    """Return a rotation ``(3, 3)`` about an axis (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    rotation: NDArray[np.float64] = (
        np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    )
    return rotation


rotations: Final = st.builds(rotation_about, directions, st.floats(0, 360))
