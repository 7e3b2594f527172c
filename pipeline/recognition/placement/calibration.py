"""How a phone is worn, measured while its wearer stands still and then walks.

Strategy: standing and walking show where up is; walking shows where forward is, in a phone worn on
the belt, because a walker's body slows down as it rises and gains speed as it falls. Up and forward
of the phone and of the training data give the rotation from one to the other. Whose rotation is
used when is decided in `placements`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.placement.frames import FORWARD_DEG, UP, angle_deg, rotation_onto_x
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY

STANDING_SAMPLES: Final = 125
"""Samples of standing that are needed: 2.5 s."""
STILL_ACC_G: Final = 0.06
STILL_GYRO_RAD_S: Final = 0.2
"""Standing still: the standard deviation over all axes in 2.5 s stays below both. So it does in
93 % of the standing and in none of the walking of the training subjects."""

LEAST_STEPS: Final = 8
"""Steps of walking that are needed."""
STEP_RATE_HZ: Final = 1.8
STEP_RATE_SPREAD_HZ: Final = 0.6
"""Middle and standard deviation of the filter, a Gaussian, that leaves steps of the movement."""
STEP_HEIGHT_G: Final = 0.05
"""A step swings by more, after that filter."""
GAIT_BAND_HZ: Final = (0.7, 3.0)
"""Where a walker's rise and fall is: strides and steps."""
MIN_COHERENCE: Final = 0.2
"""Share of the horizontal movement that goes with the vertical, as a correlation: 0.22 at least in
six seconds of level walking of the training subjects, 0.72 in the median."""
STEP_INTERVAL_S: Final = (0.33, 0.95)
"""From one step to the next, in the mean of a stride's two; 1.05 to 3 steps a second. Neither step
is shorter than the first, but in a pocket the steps of one leg may come late after the other's."""
STEP_SAMPLES: Final = 28
"""Samples of a usual step."""
STRIDE_RATIO: Final = 1.2
"""From one stride, two steps, to the next: 99.5 % of the strides of the training subjects differ
by less."""

GRAVITY_TOLERANCE: Final = 0.1
"""How far a phone at rest may measure from 1 g: 4 % in the training data, which nobody had
calibrated."""
MOST_WITHOUT_GRAVITY_G: Final = 0.05
"""Upper limit at rest where gravity was taken out; g given as m/s² measures 0.1."""
MAX_LEAN_DEG: Final = 40.0
"""Gravity's direction in the phone changes by less from standing to walking: 18 degrees at most in
the training data."""


class CalibrationError(Exception):
    """The samples do not show how the phone is worn; its wearer can do it again."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a phone is worn, as it was measured."""

    rotation: NDArray[np.float64]
    """``(3, 3)``: from the phone's axes (Android) to the training frame"""
    gravity: NDArray[np.float64]
    """``(3,)``: m/s², the accelerometer's reading while the wearer stood still"""
    forward: NDArray[np.float64]
    """``(3,)``: the direction of walking in the phone's axes"""
    n_steps: int
    """Steps walked"""
    coherence: float
    """Share of the walk's horizontal movement that went with the vertical, as a correlation"""


def calibrate(rows: NDArray[np.float64]) -> Calibration:
    """Return how a phone is worn, from its wearer's standing still and then walking.

    ``rows`` ``(n_rows, 6)`` are evenly spaced at 50 Hz, in m/s² and rad/s, Android signs, in the
    phone's axes; before and after there may be anything. Standing and walking show where up is;
    walking shows where forward is, in a phone worn on the belt.

    Raises:
        CalibrationError: the rows hold no standing or no walking; it says what to do.
    """
    if len(rows) < STANDING_SAMPLES:
        raise CalibrationError(
            f"only {len(rows) / SAMPLING_RATE_HZ:.1f} s of samples: "
            "stand still for three seconds, then walk ten steps"
        )
    check_gravity(rows)
    still = still_windows(rows)
    steps = walk(rows)
    if len(steps) < LEAST_STEPS:
        raise CalibrationError(
            f"no walk of {LEAST_STEPS} steps ({len(steps)} counted): walk ten steps straight "
            "ahead, at your usual pace"
        )
    before = np.flatnonzero(still[: max(steps[0] - STEP_SAMPLES - STANDING_SAMPLES, 0)])
    if len(before) == 0:
        raise CalibrationError(
            "no three seconds of standing still before the walk: fasten the phone, "
            "then stand still until you are told to walk"
        )
    standing = rows[before[-1] : before[-1] + STANDING_SAMPLES, :3].mean(axis=0)
    walked = rows[steps[0] : steps[-1]]
    lean = angle_deg(standing, walked[:, :3].mean(axis=0))
    if lean > MAX_LEAN_DEG:
        raise CalibrationError(
            f"the phone turned by {lean:.0f} degrees between standing and walking: "
            "fasten it, then begin again"
        )
    # Nearer to the training data in all activities than the direction of either alone.
    up = _unit(_unit(standing) + _unit(walked[:, :3].mean(axis=0)))
    forward, coherence = _forward(walked[:, :3], up)
    lateral = np.cross(up, forward)
    worn = np.stack([up, forward, lateral], axis=1)  # (3, 3): columns in the phone's axes
    return Calibration(_TRAINING @ worn.T, standing, forward, len(steps), coherence)


def check_gravity(rows: NDArray[np.float64]) -> None:
    """Reject ``rows`` ``(n_rows, 6)`` of a phone that does not feel 1 g where it turns least.

    At least `STANDING_SAMPLES` rows are needed.

    Raises:
        CalibrationError: it says what is wrong with the samples.
    """
    mean, deviation = _moments(rows)
    turning = np.linalg.norm(deviation[:, 3:], axis=1)
    stillest = int(turning.argmin())
    measured_g = float(np.linalg.norm(mean[stillest, :3])) / STANDARD_GRAVITY
    if turning[stillest] > STILL_GYRO_RAD_S or abs(measured_g - 1) <= GRAVITY_TOLERANCE:
        return
    remedy = (
        "send the acceleration with gravity"
        if measured_g < MOST_WITHOUT_GRAVITY_G
        else "check the unit of its acceleration"
    )
    raise CalibrationError(f"at rest the phone measures {measured_g:.3g} g, not 1 g: {remedy}")


def still_windows(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which windows of `STANDING_SAMPLES` rows ``(n_rows, 6)`` are still, by their first.

    At least one window is needed. Whatever the accelerometer's unit, it is measured in g.
    """
    mean, deviation = _moments(rows)
    gravity = np.linalg.norm(mean[:, :3], axis=1)
    acc = np.linalg.norm(deviation[:, :3], axis=1)
    gyro = np.linalg.norm(deviation[:, 3:], axis=1)
    still: NDArray[np.bool_] = (acc < STILL_ACC_G * gravity) & (gyro < STILL_GYRO_RAD_S)
    return still


def walk(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where the steps are in the longest walk in ``rows`` ``(n_rows, 6)``.

    A step is a crest of the acceleration's size, filtered; steps that follow each other at
    the pace of walking, in even strides, are a walk. The two steps of a stride may be uneven.
    """
    swing = _swing(rows[:, :3])
    crests = (swing[1:-1] > swing[:-2]) & (swing[1:-1] >= swing[2:]) & (swing[1:-1] > STEP_HEIGHT_G)
    steps = np.flatnonzero(crests) + 1
    shortest_s, longest_s = STEP_INTERVAL_S
    intervals_s = np.diff(steps) / SAMPLING_RATE_HZ
    strides_s = intervals_s[1:] + intervals_s[:-1]
    uneven = np.abs(np.diff(np.log(strides_s))) > np.log(STRIDE_RATIO)
    breaks = [  # before the last step of each
        np.flatnonzero(intervals_s < shortest_s) + 1,
        np.flatnonzero(strides_s > 2 * longest_s) + 2,
        np.flatnonzero(uneven) + 3,
    ]
    return max(np.split(steps, np.unique(np.concatenate(breaks))), key=len)


def _moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of every window of `STANDING_SAMPLES` rows."""
    offset = rows.mean(axis=0)  # else squares of large sums would cancel
    sums = np.cumsum(np.pad(rows - offset, ((1, 0), (0, 0))), axis=0)
    squares = np.cumsum(np.pad((rows - offset) ** 2, ((1, 0), (0, 0))), axis=0)
    n = STANDING_SAMPLES
    mean = (sums[n:] - sums[:-n]) / n
    variance = (squares[n:] - squares[:-n]) / n - mean**2
    return mean + offset, np.sqrt(np.maximum(variance, 0))


def _swing(acc: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what steps make of the size of the acceleration ``(n_rows, 3)``, in g."""
    size = np.linalg.norm(acc, axis=1) / STANDARD_GRAVITY
    spectrum = np.fft.rfft(size - size.mean())
    frequencies_hz = np.fft.rfftfreq(len(size), 1 / SAMPLING_RATE_HZ)
    off = (frequencies_hz - STEP_RATE_HZ) / STEP_RATE_SPREAD_HZ
    return np.fft.irfft(spectrum * np.exp(-(off**2) / 2), len(size))


def _forward(
    acc: NDArray[np.float64], up: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the direction of walking ``(3,)`` from its accelerations ``(n_rows, 3)``.

    Returned is also its coherence, see `Calibration`.

    A walker is an inverted pendulum: the body slows down as it rises over the foot and gains speed
    as it falls (Cavagna, Heglund & Taylor 1977). So the horizontal acceleration that goes with
    sinking points forward. With the training subjects' phones on the belt, six to ten seconds of
    walking agree with the direction that faced up when they lay on their back: 5 degrees in the
    median, 15 in nine of ten, 20 at most.

    Raises:
        CalibrationError: horizontal and vertical movement have too little to do with each other.
    """
    taper = np.hanning(len(acc))[:, np.newaxis]
    spectrum = np.fft.rfft((acc - acc.mean(axis=0)) * taper, axis=0)  # (n_frequencies, 3)
    frequencies_hz = np.fft.rfftfreq(len(acc), 1 / SAMPLING_RATE_HZ)
    in_band = (frequencies_hz >= GAIT_BAND_HZ[0]) & (frequencies_hz <= GAIT_BAND_HZ[1])
    spectrum, frequencies_hz = spectrum[in_band], frequencies_hz[in_band]
    rise = spectrum @ up / (2j * np.pi * frequencies_hz)  # vertical velocity
    level = spectrum - np.outer(spectrum @ up, up)
    thrust: NDArray[np.float64] = -np.real(rise.conj() @ level)
    moved = float(np.linalg.norm(rise) * np.linalg.norm(level))
    coherence = float(np.linalg.norm(thrust)) / moved if moved else 0.0
    if coherence < MIN_COHERENCE:
        raise CalibrationError(
            "the walk does not show where forward is: walk straight ahead on level ground"
        )
    return _unit(thrust), coherence


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _training_directions() -> NDArray[np.float64]:
    """Return up, forward and across ``(3, 3)``, columns in the training frame."""
    up = _unit(UP)
    level = rotation_onto_x(up)
    angle = np.radians(FORWARD_DEG)
    forward = level.T @ np.array([0.0, np.cos(angle), np.sin(angle)])
    return np.stack([up, forward, np.cross(up, forward)], axis=1)


_TRAINING: Final = _training_directions()
