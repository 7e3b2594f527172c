"""The axes of the training data, and the rotations to them from a phone's axes.

The phones that made the training data hung on the belt in landscape, right edge up: gravity's
reaction is on +x, and their wearers walked between +y and +z (measured). The rows of a phone worn
otherwise are rotated there, both sensors alike.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAMES: Final[dict[str, NDArray[np.float64]]] = {
    "landscape": np.eye(3),
    "landscape-upside-down": np.diag([-1.0, -1.0, 1.0]),
    "portrait": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "portrait-upside-down": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
}
"""Rotations ``(3, 3)`` from a phone's axes (Android) to the training frame, by placement.
``landscape`` is that of the training data: the right edge is up. The screen faces as it did
there."""

UP: Final = np.array([0.984, -0.169, -0.049])
"""Mean direction of gravity's reaction in the training frame, standing and walking alike: the
phones leant by 10 degrees (21 training subjects of HAPT, two recordings each; without any one
subject it is at most a degree off)."""

FORWARD_DEG: Final = 39.7
"""Mean direction of walking in the training frame, about the vertical, from y towards z (as `UP`;
without any one subject it is less than two degrees off)."""


def in_training_frame(
    rows: NDArray[np.float64], signs: NDArray[np.float64], rotations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return raw rows ``(n_phones, n_rows, 6)`` in the training frame.

    ``signs`` ``(n_phones,)`` and ``rotations`` ``(n_phones, 3, 3)`` are those of `Placement`. The
    result of a row does not depend on the rows beside it.
    """
    result = np.empty_like(rows)
    # Products and sums written out: a matrix product may round otherwise for other shapes.
    for columns, factor in ((slice(0, 3), signs), (slice(3, 6), np.ones_like(signs))):
        matrices = factor[:, np.newaxis, np.newaxis] * rotations
        vectors = rows[:, :, np.newaxis, columns]  # (n_phones, n_rows, 1, 3)
        terms = matrices[:, np.newaxis] * vectors  # (n_phones, n_rows, 3, 3)
        result[:, :, columns] = terms[..., 0] + terms[..., 1] + terms[..., 2]
    return result


def rotation_onto_x(gravity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest rotation ``(3, 3)`` that takes a direction ``(3,)`` to +x.

    Raises:
        ValueError: the direction has no length.
    """
    length = np.linalg.norm(gravity)
    if not 0 < length < np.inf:
        raise ValueError(f"{gravity} has no direction")
    x, y, z = gravity / length
    across = np.hypot(y, z)
    if across == 0:  # it is +x, or opposite: then a half turn about any axis across
        return np.diag([x, x, 1.0])
    # Rodrigues' formula; the part across is kept as a direction, so that nothing cancels.
    v, w = y / across, z / across
    return np.array(
        [
            [x, y, z],
            [-y, 1 - v * v * (1 - x), -v * w * (1 - x)],
            [-z, -v * w * (1 - x), 1 - w * w * (1 - x)],
        ]
    )


def nearest_frame(rotation: NDArray[np.float64]) -> tuple[str, float]:
    """Return the named placement that a rotation ``(3, 3)`` is nearest to, and degrees from it."""
    cosines = {name: (np.sum(rotation * frame) - 1) / 2 for name, frame in FRAMES.items()}
    nearest = max(cosines, key=lambda name: cosines[name])
    return nearest, float(np.degrees(np.arccos(np.clip(cosines[nearest], -1, 1))))


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the angle between two directions ``(3,)`` in degrees, 0 to 180."""
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
