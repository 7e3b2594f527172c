"""Made-up wearers, for the tests of har-calibrate."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings
from pipeline.recognition.placement.frames import rotation_onto_x
from pipeline.recordings import simulated
from pipeline.vocabulary import SAMPLING_RATE_HZ

EPOCH = 1.7e9

STRIDE_HZ = 0.9

Rows = NDArray[np.float64]

ASKEW = rotation_onto_x(np.array([0.2, -0.7, 0.6])) @ rotation_onto_x(np.array([0.1, 0.8, 0.3]))
"""A way to wear a phone that is none of the named placements."""


def perform(activity: str, seconds: float, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return what a phone measures that is turned by ``worn`` to the training frame."""
    (recording,) = simulated.recordings(1, seconds=seconds, activity=activity)
    rows = recording.stretches[0].samples.astype(np.float64)
    return np.hstack([rows[:, :3] @ worn, rows[:, 3:] @ worn])


def stand(seconds: float = 4.0, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return rows of somebody who stands."""
    return perform("STANDING", seconds, worn=worn)


def stroll(seconds: float = 8.0, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return rows of somebody who walks."""
    return perform("WALKING", seconds, worn=worn)


def stroll_with_the_leg(seconds: float = 8.0, *, worn: NDArray[np.float64] = ASKEW) -> Rows:
    """Return rows of somebody who walks, in a phone that swings with the thigh, once a stride."""
    rows = stroll(seconds, worn=worn)
    swing_rad_s = 2 * np.sin(2 * np.pi * STRIDE_HZ * np.arange(len(rows)) / SAMPLING_RATE_HZ)
    rows[:, 3:] += np.outer(swing_rad_s, worn[1])
    return rows


def motion(rows: Rows, *, first: int = 0) -> Readings:
    """Return rows as the samples of one message, from row ``first`` on."""
    return Readings("phone", EPOCH + (first + np.arange(len(rows))) / SAMPLING_RATE_HZ, rows)


def cut(rows: Rows, n_rows: int) -> Iterator[Readings]:
    """Yield rows as messages of so many."""
    for first in range(0, len(rows), n_rows):
        yield motion(rows[first : first + n_rows], first=first)
