"""What a recording is: the samples of one device over time, as replay and training take them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class DataError(Exception):
    """A data set is missing or not what its publishers wrote; whoever supplied it can mend it."""


@dataclass(frozen=True)
class Stretch:
    """Evenly spaced samples (50 Hz) without a break."""

    start: float
    """Seconds after the start of the recording"""
    samples: NDArray[np.floating]
    """Prepared ``(n_samples, 9)`` in g and rad/s, or raw ``(n_samples, 6)``: accelerometer with
    gravity in m/s², then gyroscope in rad/s"""
    labels: NDArray[np.int8]
    """``(n_samples,)``: index into `ACTIVITIES`, or -1 where none of them was going on"""


@dataclass(frozen=True)
class Recording:
    """All that one device recorded; between two stretches nothing was recorded."""

    device: str
    stretches: tuple[Stretch, ...]
