"""The sanity checks of a window, by itself: units, gravity, placement.

Each check is evidence for a problem, against it, or neither. The figures in this module are of the
21 training subjects of HAPT, over all that was recorded, labelled or not. When a problem is in
force is decided in `plausibility`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.sanity_checks.axes import turn_sums
from pipeline.recognition.judgement.sanity_checks.problems import WRONG_FRAME
from pipeline.vocabulary import WINDOW_LENGTH

GRAVITY_G: Final = (0.8, 1.25)
"""Mean total acceleration of a window, as a vector, if its unit is right: 0.91 to 1.07 g in the six
activities, less only while the phone turns over."""
LEAST_GRAVITY_G: Final = 0.3
"""Below it gravity is missing: a phone that turns over still has 0.53 g."""
TOO_SMALL_G: Final = (0.08, 0.13)
"""Around 0.102: 1 g if g is taken for m/s²."""
STEADY: Final = 0.7
"""Least ratio of the mean total acceleration to its root mean square if there is gravity in it:
0.77 at least in the six activities, near 0 in movement without gravity."""
TOO_LARGE_G: Final = 5.0
"""Above it m/s² is taken for g."""

MOVING_G: Final = 0.09
"""Standard deviation of the total acceleration's size that walking exceeds: 0.091 at least."""
CALM_G: Final = 0.08
"""The same up to which the acceleration's direction is taken for gravity's."""
TURNING_RAD_S: Final = (0.05, 10.0)
"""Standard deviation of the angular velocity, all axes together, in a phone that moves: 0.4 to 2.0
in walking, 8.7 at most. In degrees it is 57 times as much."""
WALKING_RAD_S: Final = 0.3
STEP_SHARE: Final = 0.5
"""Share of the variance of the acceleration's size that steps have, at 1.2 to 3.1 Hz: at least so
much in 99 % of the windows of walking and of stairs."""
UPRIGHT: Final = 0.7
"""Cosine of the angle from +x to gravity's reaction: 0.73 at least in walking and on stairs."""

STIRRING_G: Final = 0.05
"""Standard deviation of the total acceleration's size from which a wearer stirs: getting up,
sitting down, turning over, walking."""
NOT_UPRIGHT: Final = 0.6
"""As `UPRIGHT`, below which a wearer who stirs is not upright."""
_STEPS: Final = slice(2, 8)  # of a window's spectrum without its mean, 0.39 Hz apart
_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class CheckResults:
    """Results of the checks of windows, each by itself."""

    verdicts: NDArray[np.int8]
    """``(n, n_problems - 1)``, of all problems but the last: 1 for the problem, -1 against it, 0
    for neither"""
    stirs: NDArray[np.bool_]
    """``(n, 2)``: whether the wearer stirs upright, and otherwise"""
    place: NDArray[np.intp]
    """``(n,)``: where in `rotations` a calm window's are, -1 if it turns too little"""
    rotations: NDArray[np.float32]
    """``(n_turning, 55)``, as `turn_sums` returns them"""

    @property
    def walking(self) -> NDArray[np.bool_]:
        """``(n,)``: whether somebody walks, on the level or on stairs, in the model's frame."""
        upright: NDArray[np.bool_] = self.verdicts[:, WRONG_FRAME] < 0
        return upright

    def between(self, first: int, end: int) -> "CheckResults":
        """Return the results of the windows from ``first`` to before ``end``."""
        part = slice(first, end)
        return CheckResults(self.verdicts[part], self.stirs[part], self.place[part], self.rotations)


def check(windows: NDArray[np.float32]) -> CheckResults:
    """Return the results of windows ``(n, 128, 9)`` in g and rad/s, each by itself."""
    signals = np.ascontiguousarray(windows.transpose(0, 2, 1))  # (n, 9, 128)
    mean = signals.mean(axis=2)  # (n, 9)
    power = np.einsum("ncs,ncs->nc", signals, signals) / WINDOW_LENGTH  # (n, 9)
    size = np.sqrt(np.square(signals[:, 6:]).sum(axis=1))  # (n, 128)
    unsteady = size.std(axis=1)
    gravity = np.sqrt(np.square(mean[:, 6:]).sum(axis=1))
    turning = np.sqrt(np.maximum(power[:, 3:6] - np.square(mean[:, 3:6]), 0).sum(axis=1))

    right = (gravity >= GRAVITY_G[0]) & (gravity <= GRAVITY_G[1])
    steady = gravity >= STEADY * np.sqrt(power[:, 6:].sum(axis=1))
    too_small = (gravity >= TOO_SMALL_G[0]) & (gravity <= TOO_SMALL_G[1]) & steady
    moving = right & (unsteady > MOVING_G)
    sized = (turning >= TURNING_RAD_S[0]) & (turning <= TURNING_RAD_S[1])
    walking = moving & (turning > WALKING_RAD_S)
    walking[walking] = _step_share(size[walking]) > STEP_SHARE
    upright = mean[:, 6] > UPRIGHT * gravity
    for_it = [
        too_small | (gravity > TOO_LARGE_G),
        (gravity < LEAST_GRAVITY_G) & ~too_small,
        (turning > TURNING_RAD_S[1]) | (moving & ~sized),
        walking & ~upright,
    ]
    against_it = [right, right | too_small, moving & sized, walking & upright]
    verdicts = (np.stack(for_it).view(np.int8) - np.stack(against_it).view(np.int8)).T
    stirring = right & (unsteady > STIRRING_G)
    otherwise = mean[:, 6] < NOT_UPRIGHT * gravity
    stirs = np.column_stack([stirring & upright, stirring & otherwise])

    calm = np.flatnonzero(right & (unsteady < CALM_G))
    turning_windows, rotations = turn_sums(signals, calm)
    place = np.full(len(windows), -1)
    place[calm[turning_windows]] = np.arange(len(rotations))
    return CheckResults(verdicts, stirs, place, rotations)


def _step_share(size: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of steps in the variance of ``size`` ``(n, 128)``."""
    power = np.abs(np.fft.rfft(size, axis=1)[:, 1:]) ** 2  # (n, 64)
    share: NDArray[np.float32] = power[:, _STEPS].sum(axis=1) / (power.sum(axis=1) + _TINY)
    return share
