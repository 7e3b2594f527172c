"""Means, powers and roughness of a window's spans: all that the decisions measure of a window.

A window is summed up over four spans, finer the newer they are; what is concluded from them is
decided in `motion`, `tilt` and `novelty`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import WINDOW_LENGTH

SPANS: Final = (slice(0, 64), slice(64, 96), slice(96, 112), slice(112, 128))
"""Samples of a window that are summed up together, finer the newer they are."""

_AVERAGES: Final = np.zeros((len(SPANS), WINDOW_LENGTH), np.float32)
"""Takes the samples of a window to the mean of each span."""
for _span, _row in zip(SPANS, _AVERAGES, strict=True):
    _row[_span] = 1 / (_span.stop - _span.start)

BODY_ACC: Final = slice(0, 3)
ANGULAR_VELOCITY: Final = slice(3, 6)
TOTAL_ACC: Final = slice(6, 9)
"""The sensors' channels"""

POWER_FLOOR: Final = 1e-7  # g² or rad²/s²
"""Added to a power before its logarithm is taken"""


@dataclass(frozen=True, eq=False)
class Summary:
    """Measurements of windows, for each span and channel; all arrays are ``(n, 4, 9)``."""

    mean: NDArray[np.float64]
    """In g and rad/s"""
    power: NDArray[np.float64]
    """Mean square, in g² and rad²/s²"""
    roughness: NDArray[np.float64]
    """Mean square of the steps from sample to sample, in g² and rad²/s²"""


def summarize(windows: NDArray[np.float32]) -> Summary:
    """Return the measurements of windows ``(n, 128, 9)`` in g and rad/s."""
    steps = windows[:, 1:] - windows[:, :-1]  # (n, 127, 9)
    np.square(steps, out=steps)
    # A product with each window by itself: its bits do not depend on how many windows there are.
    mean, power, roughness = (
        (_AVERAGES[:, -signal.shape[1] :] @ signal).astype(np.float64)  # (n, 4, 9)
        for signal in (windows, np.square(windows), steps)
    )
    return Summary(mean, power, roughness)
