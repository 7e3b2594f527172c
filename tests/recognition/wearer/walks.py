"""Looks at people who walk and rest, made up, and networks that take gaits for this or that."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings
from pipeline.recognition.network import Network
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.placement.frames import FORWARD_DEG
from pipeline.recognition.preparation.windows import rotate
from pipeline.recognition.wearer.wearers import LOOK_EVERY
from pipeline.recordings import simulated

FORWARD: Final = np.array([0, np.cos(np.radians(FORWARD_DEG)), np.sin(np.radians(FORWARD_DEG))])
"""``(3,)``: where people who walk go in the training frame"""

_N_FEATURES: Final = 40


def _always(log_odds: float) -> Network:
    """Return a network that always takes a gait for walking, or never."""
    return Network(
        np.zeros(_N_FEATURES),
        np.ones(_N_FEATURES),
        np.zeros((_N_FEATURES + 1, 1)),
        np.array([[0, 0], [0, log_odds]]),
    )


WALKING: Final = _always(9.0)
NO_WALKING: Final = _always(-9.0)


def rows_of(activity: str, *, seconds: float = 20.0, seed: int = 0) -> NDArray[np.float64]:
    """Return raw rows ``(n_rows, 6)`` of a simulated person, worn as in training."""
    (recording,) = simulated.recordings(1, seconds=seconds, seed=seed, activity=activity)
    rows: NDArray[np.float64] = recording.stretches[0].samples
    return rows


def looks_at(
    activity: str, *, n: int, seed: int = 0, rotation: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Return the first looks ``(n, 128, 9)`` at a simulated person whose phone is rotated."""
    rows = rows_of(activity, seconds=n * 0.64 + 3, seed=seed)
    phone = RecordedPhone(hop=LOOK_EVERY)
    looks = phone.push([Readings("phone", np.arange(len(rows)) / 50, rows)]).samples[:n]
    return looks if rotation is None else rotate(looks, np.tile(rotation, (n, 1, 1)))


def angle_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return the angle between two directions ``(3,)``."""
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
