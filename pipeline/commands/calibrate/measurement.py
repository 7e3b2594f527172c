"""The progress of a wearer who is to stand still and then to walk.

What the samples mean is decided in `recognition.placement.calibration`.
"""

from collections.abc import Sequence
from typing import Final, Literal, NoReturn

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.readings import Convention, Readings
from pipeline.recognition.placement.calibration import (
    LEAST_STEPS,
    STANDING_SAMPLES,
    Calibration,
    CalibrationError,
    calibrate,
    check_gravity,
    still_windows,
    walk,
)
from pipeline.recognition.placement.leg_swing import LEG_SWING_RAD_S, leg_swing_rad_s
from pipeline.recognition.placement.sign import ACCELERATION_SIGN
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.recognition.preparation.resampler import Resampler

STILL: Final = 150
"""Samples, 3 s, for which the wearer is asked to stand still."""
ASKED_STEPS: Final = 10
PAUSE: Final = 75
"""Samples, 1.5 s, without a step that end a walk."""

Phase = Literal["stand", "walk", "done"]


class Measurement:
    """The samples of a wearer who stands and then walks, and the phase reached."""

    def __init__(self, convention: Convention) -> None:
        """Begin without samples; accelerations have the signs of ``convention``."""
        self._sign = np.array([ACCELERATION_SIGN[convention]] * 3 + [1.0] * 3)
        self._resampler = Resampler(1)
        self._rows = np.empty((0, 6))
        self._longest = 0  # samples without a pause
        self.phase: Phase = "stand"
        """The phase that the wearer is in"""
        self.n_steps = 0
        """Steps walked so far"""

    def push(self, readings: Sequence[Readings]) -> None:
        """Take the samples of a message, and update the phase.

        Raises:
            CalibrationError: the phone cannot be calibrated as it is.
        """
        pieces, _ = self._resampler.push(0, readings)
        for piece in pieces:
            if piece.rows.shape[1] != 6:
                raise CalibrationError("the phone sends prepared samples, which cannot be rotated")
            if piece.origin is not None:  # samples were lost
                self._rows = np.empty((0, 6))
                self.phase = "stand"
            self._rows = np.concatenate([self._rows, piece.rows * self._sign])
            self._longest = max(self._longest, len(self._rows))
        if self.phase == "stand":
            self._check_standing()
        if self.phase == "walk":
            self._check_walking()

    def give_up(self) -> NoReturn:
        """Raise an error that says what was missing.

        Raises:
            CalibrationError: always.
        """
        if lacks := self._resampler.lacks(0):
            raise CalibrationError(f"the phone does not send {' and '.join(lacks)}")
        if self._longest < STILL:
            raise CalibrationError(
                "no three seconds of samples came without a pause: let the app send "
                f"{NEEDED_RATE_HZ:.0f} or more a second, and see what har-stream says of the phone"
            )
        if self.phase == "stand":
            raise CalibrationError(
                "you never stood still for three seconds: fasten the phone, then stand still"
            )
        raise CalibrationError(
            f"you never walked {LEAST_STEPS} steps at once ({self.n_steps} counted): walk ten "
            "steps straight ahead, at your usual pace"
        )

    @property
    def swings_with_leg(self) -> bool:
        """Whether the phone swings with a leg; known when the wearer has walked."""
        steps = walk(self._rows)
        return leg_swing_rad_s(self._rows[steps[0] : steps[-1]]) >= LEG_SWING_RAD_S

    def result(self) -> Calibration:
        """Return the calibration.

        Raises:
            CalibrationError: the samples do not show it; it says what to do.
        """
        return calibrate(self._rows)

    def _check_standing(self) -> None:
        if len(self._rows) < STILL:
            return
        check_gravity(self._rows)
        still = still_windows(self._rows)
        stands = np.flatnonzero(
            sliding_window_view(still, STILL - STANDING_SAMPLES + 1).all(axis=1)
        )
        if len(stands):
            self._rows = self._rows[stands[0] :]
            self.phase = "walk"
        else:
            self._rows = self._rows[1 - STILL :]

    def _check_walking(self) -> None:
        steps = walk(self._rows)
        self.n_steps = len(steps)
        over = len(steps) > 0 and len(self._rows) - steps[-1] > PAUSE
        if len(steps) >= ASKED_STEPS or (len(steps) >= LEAST_STEPS and over):
            self.phase = "done"
