"""Random rotations of windows, as if phones were worn slightly differently, or any way round."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

_DEGREES_OF_FREEDOM: Final = 2
"""Of Student's t: most phones sit where they usually do, few far from it."""


@dataclass(frozen=True)
class RandomRotation:
    """The spread of random rotations: no two people wear a phone in the same way."""

    around_deg: float = 12.0
    """Scale of the rotation about the vertical, x: around the waist"""
    tilt_deg: float = 22.0
    """Standard deviation of the rotation about any axis that comes before it"""
    any_way_round: bool = False
    """Whether all rotations are equally probable instead"""


NO_ROTATION: Final = RandomRotation(around_deg=0.0, tilt_deg=0.0)


def random_rotations(rng: np.random.Generator, n: int, how: RandomRotation) -> NDArray[np.float64]:
    """Return ``n`` rotations ``(n, 3, 3)``; the vertical is x."""
    if how.any_way_round:
        uniform: NDArray[np.float64] = Rotation.random(n, rng=rng).as_matrix()
        return uniform
    angles = np.deg2rad(how.around_deg) * rng.standard_t(_DEGREES_OF_FREEDOM, n)
    around = Rotation.from_rotvec(angles[:, np.newaxis] * np.array([1.0, 0.0, 0.0]))
    axes = rng.normal(size=(n, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    tilts = np.deg2rad(how.tilt_deg) * rng.normal(size=(n, 1))
    matrices: NDArray[np.float64] = (around * Rotation.from_rotvec(tilts * axes)).as_matrix()
    return matrices
