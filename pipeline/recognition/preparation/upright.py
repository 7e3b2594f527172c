"""Each wearer's upright direction, learnt while walking, and the correction of windows by it.

Sitting and standing differ by some degrees of the phone's tilt, and two wearers by as many. But a
wearer who walks is upright. So all windows are rotated such that gravity, while the wearer walks,
has the direction that it had in the training subjects' phones.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.placement.frames import UP
from pipeline.recognition.preparation.windows import rotate
from pipeline.recognition.rounds import rounds_of
from pipeline.vocabulary import SAMPLING_RATE_HZ

PRIOR_S: Final = 10.0
"""Seconds of walking with gravity along `UP` that each wearer begins with"""
MEMORY_S: Final = 120.0
"""Seconds of walking after which earlier walking counts for little. With 40 or 120, and with
2 to 30 seconds before, the training subjects were recognised about alike."""

_UP: Final = UP / np.linalg.norm(UP)
_SHORTEST: Final = 1e-9


class Baseline(PerPhone):
    """The upright directions of all wearers."""

    _per_phone = ("upright",)

    def __init__(self, n_slots: int, *, hop: int) -> None:
        """Make room for ``n_slots`` phones, whose windows are ``hop`` samples apart."""
        self._hop_s = hop / SAMPLING_RATE_HZ
        # Sums of gravity's direction over seconds of walking.
        self.upright = np.tile(PRIOR_S * _UP, (n_slots, 1))

    def reset(self, slots: Sequence[int]) -> None:
        """Forget these wearers."""
        self.upright[slots] = PRIOR_S * _UP

    def rotate(
        self, slots: NDArray[np.intp], windows: NDArray[np.float32], walking: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return windows rotated from their wearers' upright direction to the training subjects'.

        Each window is rotated by what was learnt up to and with it, from its phone's windows alone.

        Args:
            slots: ``(n,)``, the windows' phones, each phone's windows in their order.
            windows: ``(n, 128, 9)`` in g and rad/s.
            walking: ``(n,)``, in which of them somebody walks, about upright.
        """
        rounds = rounds_of(slots)
        gravity = windows[:, :, 6:].mean(axis=1, dtype=np.float64)  # (n, 3)
        direction = rounds.ordered(_unit(gravity))
        learnt = rounds.ordered(walking)
        upright = np.empty((len(slots), 3))
        known = self.upright[rounds.slots]
        for n_phones, places in rounds:
            of_round = known[:n_phones]
            walks = learnt[places]
            of_round[walks] *= 1 - self._hop_s / MEMORY_S
            of_round[walks] += self._hop_s * direction[places][walks]
            upright[places] = of_round
        self.upright[rounds.slots] = known
        return rotate(windows, _onto_up(_unit(rounds.restored(upright))))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    unit: NDArray[np.float64] = vectors / np.maximum(length, _SHORTEST)
    return unit


def _onto_up(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest rotations ``(n, 3, 3)`` that take directions ``(n, 3)`` to `UP`.

    Rodrigues' formula; no direction is opposite to `UP`.
    """
    axes = np.cross(directions, _UP)  # as long as the sine of the angle
    cosines = (directions * _UP).sum(axis=1)
    x, y, z = axes.T
    zero = np.zeros(len(x))
    across = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    rotations: NDArray[np.float64] = (
        np.eye(3) + across + across @ across / (1 + cosines)[:, np.newaxis, np.newaxis]
    )
    return rotations
