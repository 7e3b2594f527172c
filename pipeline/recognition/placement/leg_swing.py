"""Whether a phone swings with a leg, as in a trouser pocket; seen while its wearer walks.

A thigh swings forth and back once a stride, two steps; a trunk leans forth and back a little with
each step. So angular velocity about level axes, at the frequency of strides, tells one from the
other, however the phone is worn.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import SAMPLING_RATE_HZ

LEG_SWING_RAD_S: Final = 0.55
"""From so much on it is a leg. In walks of ten steps it is 0.50 at most at the waist (88 walks of
21 people) and 0.31 at the chest (48 people), but more than this for 96 of 109 people with a phone
in a trouser pocket."""
_STRIDES_HZ: Final = (0.5, 1.3)


def leg_swing_rad_s(walked: NDArray[np.float64]) -> float:
    """Return how fast a phone swings about level axes in time with its wearer's strides.

    It is the root mean square of angular velocity there, in rad/s; ``walked`` ``(n_rows, 6)`` are
    steps in a row at 50 Hz, in m/s² and rad/s, in any axes.
    """
    gravity = walked[:, :3].mean(axis=0)
    up = gravity / np.linalg.norm(gravity)
    gyro = walked[:, 3:]
    level = gyro - np.outer(gyro @ up, up)
    taper = np.hanning(len(level))[:, np.newaxis]
    spectrum = np.fft.rfft((level - level.mean(axis=0)) * taper, axis=0)
    frequencies_hz = np.fft.rfftfreq(len(level), 1 / SAMPLING_RATE_HZ)
    of_strides = (frequencies_hz >= _STRIDES_HZ[0]) & (frequencies_hz < _STRIDES_HZ[1])
    power = 2 * np.sum(np.abs(spectrum[of_strides]) ** 2) / len(level)
    return float(np.sqrt(power / np.sum(taper**2)))
