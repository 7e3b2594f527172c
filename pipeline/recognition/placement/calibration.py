"""How a phone is worn: the map from its own axes to the axes of the training data.

The phones that made the training data hung on the belt in landscape, right edge up: gravity's
reaction is on +x, and their wearers walked between +y and +z (measured). A phone worn otherwise is
turned there, both sensors alike, by the rotation of a named placement or by one that `calibrate`
measures while its wearer stands and walks. Whose rotation is used when is not decided here.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Convention, MessageError
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY

ACCELERATION_SIGN: Final[dict[Convention, float]] = {"android": 1.0, "ios": -1.0}
"""What accelerations, on all three axes, are multiplied by to be Android's; angular velocities
are the same on both (Sensor Logger, COORDINATES.md)."""

FRAMES: Final[dict[str, NDArray[np.float64]]] = {
    "landscape": np.eye(3),
    "landscape-upside-down": np.diag([-1.0, -1.0, 1.0]),
    "portrait": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "portrait-upside-down": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
}
"""Rotations ``(3, 3)`` from a phone's axes (Android) to the training frame, by placement.
``landscape`` is the training data's own: the right edge is up. The screen faces as it did there."""

UP: Final = np.array([0.984, -0.169, -0.049])
"""Mean direction of gravity's reaction in the training frame, standing and walking alike: the
phones leant by 10 degrees (21 training subjects of HAPT, two recordings each; without any one
subject it is at most a degree off)."""

FORWARD_DEG: Final = 39.7
"""Mean direction of walking in the training frame, about the vertical, from y towards z (as `UP`;
without any one subject it is less than two degrees off)."""

STANDING: Final = 125
"""Samples of standing that are needed: 2.5 s."""
STILL_ACC_G: Final = 0.06
STILL_GYRO_RAD_S: Final = 0.2
"""Standing still: the standard deviation over all axes in 2.5 s stays below both. So it does in
93 % of the standing and in none of the walking of the training subjects."""

STEPS: Final = 8
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
STEP_INTERVAL_S: Final = (0.33, 0.85)
"""From one step to the next; 1.2 to 3 steps a second."""
STEP: Final = 28
"""Samples of a usual step."""
STRIDE_RATIO: Final = 1.2
"""From one stride, two steps, to the next: 99.5 % of the strides of the training subjects differ
by less."""

GRAVITY_TOLERANCE: Final = 0.1
"""How far a phone at rest may measure from 1 g: 4 % in the training data, which nobody had
calibrated."""
NO_GRAVITY_G: Final = 0.05
"""What is left at rest where gravity was taken out; g taken for m/s² gives 0.1."""
MAX_LEAN_DEG: Final = 40.0
"""Gravity's direction in the phone changes by less from standing to walking: 18 degrees at most in
the training data."""

ROTATION_TOLERANCE: Final = 1e-3
"""How far a rotation in a message may be from one, in each entry of the product with its transpose;
four digits after the point will do."""


class CalibrationError(Exception):
    """The samples do not show how the phone is worn; its wearer can do it again."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a phone is worn, as it was measured."""

    rotation: NDArray[np.float64]
    """``(3, 3)``: from the phone's axes (Android) to the training frame"""
    gravity: NDArray[np.float64]
    """``(3,)``: m/s², what the accelerometer read while its wearer stood still"""
    forward: NDArray[np.float64]
    """``(3,)``: where its wearer walked to, a direction in the phone's axes"""
    n_steps: int
    """Steps walked"""


def rotation_onto_x(gravity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest rotation ``(3, 3)`` that turns a direction ``(3,)`` onto +x.

    Raises:
        ValueError: the direction has no length.
    """
    length = np.linalg.norm(gravity)
    if not 0 < length < np.inf:
        raise ValueError(f"{gravity} has no direction")
    x, y, z = gravity / length
    across = np.hypot(y, z)
    if across == 0:  # there already, or opposite: then any half turn about an axis across will do
        return np.diag([x, x, 1.0])
    # Rodrigues' formula; the part across is kept as a direction, so that nothing cancels.
    v, w = y / across, z / across
    return np.array(
        [
            [x, y, z],
            [-y, 1 - v * v * (1 - x), -v * w * (1 - x)],
            [-z, -v * w * (1 - x), 1 - w * w * (1 - x)],
        ]
    )


def nearest_frame(rotation: NDArray[np.float64]) -> tuple[str, float]:
    """Return the named placement that a rotation ``(3, 3)`` is nearest to, and degrees from it."""
    cosines = {name: (np.sum(rotation * frame) - 1) / 2 for name, frame in FRAMES.items()}
    nearest = max(cosines, key=lambda name: cosines[name])
    return nearest, float(np.degrees(np.arccos(np.clip(cosines[nearest], -1, 1))))


def angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the angle between two directions ``(3,)`` in degrees, 0 to 180."""
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


# The message on har/<device>/calibration

MAX_CALIBRATION_BYTES: Final = 4_096
"""Ten times what har-calibrate writes"""

Triple = Annotated[list[float], msgspec.Meta(min_length=3, max_length=3)]


class _Message(msgspec.Struct):
    v: Literal[1]
    rotation: Annotated[list[Triple], msgspec.Meta(min_length=3, max_length=3)]


_decoder = msgspec.json.Decoder(_Message)


def encode_calibration(calibration: Calibration, *, created: float) -> bytes:
    """Return the message that tells har-stream of a calibration; ``created`` is epoch seconds."""
    return msgspec.json.encode(
        {
            "v": 1,
            "rotation": calibration.rotation.tolist(),
            "created": created,
            "gravity": calibration.gravity.tolist(),
            "forward": calibration.forward.tolist(),
            "steps": calibration.n_steps,
        }
    )


def decode_calibration(payload: bytes) -> NDArray[np.float64] | None:
    """Return the rotation ``(3, 3)`` that a message holds, None if it takes the calibration back.

    It turns the phone's axes (Android) to the training frame. What is a rotation but for rounding
    becomes the nearest that is one exactly.

    Raises:
        MessageError: the message holds no rotation.
    """
    if not payload:
        return None
    if len(payload) > MAX_CALIBRATION_BYTES:
        raise MessageError("size", f"{len(payload)} bytes; at most {MAX_CALIBRATION_BYTES}")
    try:
        rotation = np.array(_decoder.decode(payload).rotation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(
            "calibration", f"no calibration ({error}): let har-calibrate write it"
        ) from error
    if not np.abs(rotation).max() <= 1 + ROTATION_TOLERANCE:
        raise MessageError("calibration", "no rotation: it has an entry beyond 1")
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise MessageError("calibration", "no rotation: its rows are not at right angles, 1 long")
    u, _, v = np.linalg.svd(rotation)
    nearest: NDArray[np.float64] = u @ v
    if np.linalg.det(nearest) < 0:
        raise MessageError("calibration", "a reflection, not a rotation: one axis has a wrong sign")
    return nearest


# The measurement


def calibrate(rows: NDArray[np.float64]) -> Calibration:
    """Return how a phone is worn, from its wearer's standing still and then walking.

    ``rows`` ``(n_rows, 6)`` are evenly spaced at 50 Hz, in m/s² and rad/s, Android signs, in the
    phone's axes; before and after there may be anything. Standing and walking tell where up is;
    walking tells where forward is, in a phone worn on the belt.

    Raises:
        CalibrationError: standing or walking is not to be found; it says what to do.
    """
    if len(rows) < STANDING:
        raise CalibrationError(
            f"only {len(rows) / SAMPLING_RATE_HZ:.1f} s of samples: "
            "stand still for three seconds, then walk ten steps"
        )
    check_gravity(rows)
    still = still_windows(rows)
    steps = walk(rows)
    if len(steps) < STEPS:
        raise CalibrationError(
            f"no walk of {STEPS} steps ({len(steps)} counted): walk ten steps straight ahead, "
            "at your usual pace"
        )
    before = np.flatnonzero(still[: max(steps[0] - STEP - STANDING, 0)])
    if len(before) == 0:
        raise CalibrationError(
            "no three seconds of standing still before the walk: fasten the phone, "
            "then stand still until you are told to walk"
        )
    standing = rows[before[-1] : before[-1] + STANDING, :3].mean(axis=0)
    walked = rows[steps[0] : steps[-1]]
    lean = angle_deg(standing, walked[:, :3].mean(axis=0))
    if lean > MAX_LEAN_DEG:
        raise CalibrationError(
            f"the phone turned by {lean:.0f} degrees between standing and walking: "
            "fasten it, then begin again"
        )
    # Nearer to the training data in all activities than the direction of either alone.
    up = _unit(_unit(standing) + _unit(walked[:, :3].mean(axis=0)))
    forward = _forward(walked[:, :3], up)
    lateral = np.cross(up, forward)
    worn = np.stack([up, forward, lateral], axis=1)  # (3, 3): columns in the phone's axes
    return Calibration(_TRAINING @ worn.T, standing, forward, len(steps))


def check_gravity(rows: NDArray[np.float64]) -> None:
    """Refuse ``rows`` ``(n_rows, 6)`` of a phone that does not feel 1 g where it turns least.

    At least `STANDING` rows are needed.

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
        if measured_g < NO_GRAVITY_G
        else "check the unit of its acceleration"
    )
    raise CalibrationError(f"at rest the phone measures {measured_g:.3g} g, not 1 g: {remedy}")


def still_windows(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for every window of `STANDING` rows ``(n_rows, 6)``, by its first, if it is still.

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
    the pace of walking, in even strides, are a walk.
    """
    swing = _swing(rows[:, :3])
    crests = (swing[1:-1] > swing[:-2]) & (swing[1:-1] >= swing[2:]) & (swing[1:-1] > STEP_HEIGHT_G)
    steps = np.flatnonzero(crests) + 1
    shortest_s, longest_s = STEP_INTERVAL_S
    intervals_s = np.diff(steps) / SAMPLING_RATE_HZ
    out_of_pace = np.flatnonzero((intervals_s < shortest_s) | (intervals_s > longest_s)) + 1
    strides_s = intervals_s[1:] + intervals_s[:-1]
    uneven = np.abs(np.diff(np.log(strides_s))) > np.log(STRIDE_RATIO)
    breaks = np.union1d(out_of_pace, np.flatnonzero(uneven) + 3)  # before a stride's last step
    return max(np.split(steps, breaks), key=len)


def _moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of every window of `STANDING` rows."""
    offset = rows.mean(axis=0)  # else squares of large sums would cancel
    sums = np.cumsum(np.pad(rows - offset, ((1, 0), (0, 0))), axis=0)
    squares = np.cumsum(np.pad((rows - offset) ** 2, ((1, 0), (0, 0))), axis=0)
    mean = (sums[STANDING:] - sums[:-STANDING]) / STANDING
    variance = (squares[STANDING:] - squares[:-STANDING]) / STANDING - mean**2
    return mean + offset, np.sqrt(np.maximum(variance, 0))


def _swing(acc: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what steps make of the size of the acceleration ``(n_rows, 3)``, in g."""
    size = np.linalg.norm(acc, axis=1) / STANDARD_GRAVITY
    spectrum = np.fft.rfft(size - size.mean())
    frequencies_hz = np.fft.rfftfreq(len(size), 1 / SAMPLING_RATE_HZ)
    off = (frequencies_hz - STEP_RATE_HZ) / STEP_RATE_SPREAD_HZ
    return np.fft.irfft(spectrum * np.exp(-(off**2) / 2), len(size))


def _forward(acc: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the direction of walking ``(3,)`` from its accelerations ``(n_rows, 3)``.

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
    if np.linalg.norm(thrust) < MIN_COHERENCE * np.linalg.norm(rise) * np.linalg.norm(level):
        raise CalibrationError(
            "the walk does not show where forward is: walk straight ahead on level ground"
        )
    return _unit(thrust)


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
