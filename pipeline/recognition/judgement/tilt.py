"""How a phone is tilted while its wearer sits and stands, which differs from person to person.

Strategy: a window's tilt is one number, higher in sitting than in standing by about the same in
everyone. The *boundary* halfway between the two differs between wearers: it begins as the mean over
people, and moves, by a Kalman filter for either posture, towards the tilts of windows whose posture
is clear. Then the tilt decides where the classifier cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.summary import POWER_FLOOR, Summary
from pipeline.recognition.per_phone import PerPhone

CLEAREST_TILT: Final = 2.0
"""Largest log odds of sitting against standing that the tilt gives"""
TILT_MEMORY_S: Final = 10.0
"""Seconds of one posture that count as one observation of its tilt"""

_NEWER: Final = np.array([0.5, 0.25, 0.25])
"""Shares of the spans after the first in the newer half of a window"""

_LENGTH_FLOOR: Final = 1e-6  # g


def tilt_features(summary: Summary) -> NDArray[np.float64]:
    """Return the features in which sitting and standing differ, ``(n, 15)``: gravity and sway."""
    mean, power, roughness = (
        (spans[:, 1:] * _NEWER[:, None]).sum(axis=1)  # (n, 9)
        for spans in (summary.mean, summary.power, summary.roughness)
    )
    gravity = mean[:, 6:]
    length = np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), _LENGTH_FLOOR)
    return np.concatenate(
        [
            gravity / length,
            np.log(power[:, :6] + POWER_FLOOR),
            np.log(roughness[:, :6] + POWER_FLOOR),
        ],
        axis=1,
    )


@dataclass(frozen=True, eq=False)
class Boundaries:
    """Boundaries between sitting and standing of some phones' wearers, normally distributed."""

    mean: NDArray[np.float64]
    """``(n,)``"""
    variance: NDArray[np.float64]
    """``(n,)``"""

    def first(self, n: int) -> "Boundaries":
        """Return a view of the first ``n`` of them."""
        return Boundaries(self.mean[:n], self.variance[:n])


class WearersTilts(PerPhone):
    """The boundaries of all phones' wearers."""

    _per_phone = ("boundary", "boundary_variance")

    def __init__(self, n_slots: int, learnt: Learnt, *, hop_s: float, weight: float) -> None:
        """Begin with everyone's mean.

        Args:
            n_slots: phones at once.
            learnt: the learnt numbers.
            hop_s: seconds between the starts of neighbouring windows.
            weight: how much a window counts, in windows at the reference hop.
        """
        self._learnt = learnt
        self._weight = learnt.weights.tilt * weight
        self._noise = learnt.tilt_sd**2 * TILT_MEMORY_S / hop_s
        self.boundary = np.full(n_slots, learnt.boundary)
        self.boundary_variance = np.full(n_slots, learnt.boundary_sd**2)

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these wearers."""
        self.boundary[slots] = self._learnt.boundary
        self.boundary_variance[slots] = self._learnt.boundary_sd**2

    def boundaries(self, slots: NDArray[np.intp]) -> Boundaries:
        """Return copies of the boundaries of phones ``(n,)``."""
        return Boundaries(self.boundary[slots], self.boundary_variance[slots])

    def keep(self, slots: NDArray[np.intp], boundaries: Boundaries) -> None:
        """Put the boundaries of phones ``(n,)`` back."""
        self.boundary[slots] = boundaries.mean
        self.boundary_variance[slots] = boundaries.variance

    def log_likelihoods(
        self, boundaries: Boundaries, tilts: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return how well tilts ``(n,)`` fit their wearers' sitting and standing, ``(n, 2)``.

        They are logarithms of the odds against a posture of which nothing is known, weighted.
        """
        variance = boundaries.variance + self._learnt.tilt_sd**2
        # The difference of two normal log densities, half a gap above and below the boundary.
        odds = 2 * self._learnt.half_gap * (tilts - boundaries.mean) / variance
        odds = np.clip(odds, -CLEAREST_TILT, CLEAREST_TILT)
        sitting, standing = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
        fits: NDArray[np.float64] = np.stack([sitting, standing], axis=1) + np.log(2)
        return self._weight * fits

    def learn(
        self, boundaries: Boundaries, tilts: NDArray[np.float64], beliefs: NDArray[np.float64]
    ) -> None:
        """Move boundaries, in place, by a window each, whose tilts are ``(n,)``.

        A Kalman filter for either posture, mixed by the beliefs ``(n, 2)`` in sitting and standing
        into one normal distribution again: where the posture is doubtful, little is learnt.
        """
        before, variance = boundaries.mean, boundaries.variance
        gain = variance / (variance + self._noise)
        moves = [gain * (tilts - side * self._learnt.half_gap - before) for side in (1, -1)]
        mean = beliefs[:, 0] * moves[0] + beliefs[:, 1] * moves[1]
        square = beliefs[:, 0] * moves[0] ** 2 + beliefs[:, 1] * moves[1] ** 2
        variance = variance * (1 - gain * beliefs.sum(axis=1)) + square - mean**2
        boundaries.mean[:] = before + mean
        boundaries.variance[:] = np.minimum(variance, self._learnt.boundary_sd**2)
