"""Readings: samples of any phone, in SI units, the form in which formats hand them on.

Each `Readings` is complete and physically possible; its place in time is decided later.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import STANDARD_GRAVITY

Sensor = Literal[
    "motion",
    "prepared",
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
    "gyroscope",
    "gyroscope_uncalibrated",
]
"""Where samples come from. ``motion`` is accelerometer and gyroscope sampled together, six columns;
``prepared`` the nine `CHANNELS`, in g and rad/s; the others have three columns, x, y and z:
accelerations in m/s² (with gravity; ``linear_acceleration`` and ``gravity`` are its two parts) and
angular velocities in rad/s."""

Convention = Literal["android", "ios"]
"""The sign of accelerations: at rest the axis that points up reads +1 g on Android, -1 g on iOS."""

BodyPlace = Literal["waist", "any"]
"""Where on the body a phone is worn: at the waist, as in training, or anywhere."""

Clock = Literal["epoch", "boot"]
"""Where a phone's time begins: in 1970, or when it was switched on (or the like)."""

MAX_PAYLOAD_BYTES: Final = 1 << 20
HARMLESS_PAYLOAD_BYTES: Final = 8_192
"""A payload up to this length takes neither long nor much memory, whatever it holds."""
MAX_ROWS: Final = 10_000
"""Samples in a message."""
MAX_VALUES: Final = 12 * MAX_ROWS
"""Values in a message, which may take thirty times the memory of their JSON: nine prepared
channels, their list and their time make eleven a row."""
MAX_OBJECTS: Final = 3 * MAX_ROWS
"""Objects in a message: a reading of Sensor Logger is two."""
MAX_EXTREME_NUMBERS: Final = 500
"""Numbers in a message with an exponent from 10 on or below -99, or of a hundred digits: below
1e-290 or from 1e289 on, msgspec takes ten microseconds for a number, 200 times the usual."""
MAX_NAME: Final = 64
"""Characters of a sensor's name or a key that may be known, with separators"""
MAX_RECORDING: Final = 256
"""Characters of a recording's name, which is kept for as long as its phone is known"""
MAX_TOTAL_ACC_G: Final = 40.0
"""Phones measure up to 16 g; more than twice that is not a motion."""
MAX_GYRO_RAD_S: Final = 100.0
"""Phones measure up to 4,000 deg/s = 70 rad/s."""
MAX_EXPLANATION: Final = 500
"""Characters of an error's explanation, which may quote the sender at any length."""
LATEST_TIME_S: Final = 1e11
"""The year 5138: larger times are in milliseconds or nanoseconds by mistake."""
ACC_UNITS: Final = {"m/s2": 1.0, "g": STANDARD_GRAVITY}
GYRO_UNITS: Final = {"rad/s": 1.0, "deg/s": np.pi / 180}
"""The units that messages may name, and what values in them are multiplied by"""

_ACC: Final = [MAX_TOTAL_ACC_G * STANDARD_GRAVITY] * 3
_GYRO: Final = [MAX_GYRO_RAD_S] * 3
_LIMITS: Final[dict[Sensor, NDArray[np.float64]]] = {
    "motion": np.array(_ACC + _GYRO),
    "prepared": np.array([MAX_TOTAL_ACC_G] * 3 + _GYRO + [MAX_TOTAL_ACC_G] * 3),
    "accelerometer": np.array(_ACC),
    "accelerometer_uncalibrated": np.array(_ACC),
    "linear_acceleration": np.array(_ACC),
    "gravity": np.array(_ACC),
    "gyroscope": np.array(_GYRO),
    "gyroscope_uncalibrated": np.array(_GYRO),
}
_SMALLEST_LIMIT: Final = {sensor: float(limits.min()) for sensor, limits in _LIMITS.items()}
# Brokers end the connection of a client that publishes on a topic with one of these: controls,
# halves of characters, and code points that never become characters (MQTT 5, 1.5.4).
_NOT_IN_TOPICS: Final = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_LONG_NUMBER: Final = b"0" * 100
_ANY_DIGIT_AS_ZERO: Final = bytes.maketrans(b"123456789", b"0" * 9)
_EXTREME_NUMBER: Final = re.compile(
    rb"[eE](?<=\d[eE])(?:\+?0*[1-9]\d|-0*[1-9]\d\d)\d*[\s,\]}]"  # and not within a text
)
_DEVICE: Final = re.compile(f"[^{_NOT_IN_TOPICS}/+#$][^{_NOT_IN_TOPICS}/+#]{{0,63}}")


Reason = Literal[
    "calibration",
    "device",
    "devices",
    "field",
    "format",
    "json",
    "label",
    "length",
    "magnitude",
    "options",
    "recording",
    "sensor",
    "size",
    "time",
]
"""Why a message cannot be used, in a word"""
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class MessageError(Exception):
    """A message cannot be used; its sender can mend it.

    `reason` is one word of a small fixed set, by which rejected messages are counted.
    """

    def __init__(self, reason: Reason, explanation: str) -> None:
        """Keep the reason's word and the explanation for the log.

        Characters of the sender that would begin a line there, or control a terminal, are escaped.
        """
        explanation = explanation[:MAX_EXPLANATION]
        if not explanation.isprintable():
            explanation = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in explanation)
        super().__init__(explanation)
        self.reason = reason
        self.device: str | None = None
        """Who sent it, where only the message itself says so"""


class _DecodingErrors:
    """The context of `reading_json`: a class, because a generator would cost four times as much."""

    __slots__ = ("_language",)

    def __init__(self, language: Literal["JSON", "MessagePack"]) -> None:
        """Name what is read."""
        self._language = language

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, msgspec.ValidationError):
            raise MessageError("field", str(error)) from error
        if isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
            if self._language == "JSON":
                raise MessageError("json", f"not JSON: {error}") from error
            raise MessageError("format", f"not MessagePack: {error}") from error


_JSON_ERRORS: Final = _DecodingErrors("JSON")
_MESSAGEPACK_ERRORS: Final = _DecodingErrors("MessagePack")
_MESSAGEPACK_MAPS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
"""First bytes of a map; no JSON, and no text, begins with one"""


def reading_json() -> AbstractContextManager[None]:
    """Raise errors of a sender's JSON, within the context, as `MessageError`.

    Raises:
        MessageError: within, the JSON was none, or did not fit.
    """
    return _JSON_ERRORS


def reading_messagepack() -> AbstractContextManager[None]:
    """Raise errors of a sender's MessagePack, within the context, as `MessageError`.

    Raises:
        MessageError: within, the MessagePack was none, or did not fit.
    """
    return _MESSAGEPACK_ERRORS


def is_messagepack(payload: bytes) -> bool:
    """Return whether a payload begins as a map of MessagePack, which no JSON does."""
    return bool(payload) and payload[0] in _MESSAGEPACK_MAPS


def largest_value(sensor: Sensor) -> float:
    """Return the limit of the size of a sensor's values, in m/s² or rad/s."""
    return _SMALLEST_LIMIT[sensor]


def limits(sensor: Sensor) -> NDArray[np.float64]:
    """Return the limits ``(n_columns,)`` of the size of a sensor's values, column by column."""
    return _LIMITS[sensor]


class Readings(msgspec.Struct, frozen=True, eq=False):
    """Samples of one sensor of one device, out of one message.

    A frozen dataclass would take a microsecond more to make, in a dozen for the whole message.
    """

    device: str
    times: NDArray[np.float64]
    """``(n_samples,)``: seconds on the device's `clock`, in any order"""
    values: NDArray[np.float64]
    """``(n_samples, n_columns)``, as `Sensor` says"""
    sensor: Sensor = "motion"
    recording: str = ""
    """The sender's name for the recording that the samples belong to. When it changes, the
    device's clock and signals start anew."""
    clock: Clock = "epoch"
    convention: Convention | None = None
    """The sign of accelerations if the message proves it, None if it does not say"""
    worn_at: BodyPlace | None = None
    """Where the phone is worn if the message states it, None if it does not say"""

    def __post_init__(self) -> None:
        """Reject values that no phone can have measured.

        Raises:
            MessageError: a name, a time or a value is out of its bounds; none may be NaN.
        """
        check_device(self.device)
        if len(self.recording) > MAX_RECORDING:
            raise MessageError(
                "length", f"the recording's name has over {MAX_RECORDING} characters"
            )
        if not 1 <= len(self.times) <= MAX_ROWS:
            raise MessageError("length", f"{len(self.times)} rows; 1 to {MAX_ROWS} are taken")
        limits = _LIMITS[self.sensor]
        if self.values.shape != (len(self.times), len(limits)):
            raise MessageError(
                "length", f"{self.sensor}: {self.values.shape} values for {len(self.times)} times"
            )
        # A NaN is neither within bounds nor beyond them, so it fails the quick checks too.
        # argmin and argmax take a quarter of the time of min and max, and find NaN as well.
        times = self.times
        if not (times[times.argmin()] >= 0 and times[times.argmax()] < LATEST_TIME_S):
            dated = (self.times >= 0) & (self.times < LATEST_TIME_S)
            raise MessageError(
                "time",
                f"times must be in seconds, since 1970, but one is {self.times[~dated][0]:g}",
            )
        # None is larger than the root of the sum of all squares, which is had in a fifth the time.
        if np.vdot(self.values, self.values) <= _SMALLEST_LIMIT[self.sensor] ** 2:
            return
        size = np.abs(self.values)
        within = size <= limits
        if not within.all():
            column = int(np.argmin(within.all(axis=0)))
            largest = size[:, column].max()  # NaN if one is
            unit = "rad/s" if limits[column] == MAX_GYRO_RAD_S else "g"
            if unit == "g" and self.sensor != "prepared" and not np.isnan(largest):
                largest /= STANDARD_GRAVITY
            what, limit = (
                ("an angular velocity", MAX_GYRO_RAD_S)
                if unit == "rad/s"
                else ("an acceleration", MAX_TOTAL_ACC_G)
            )
            if np.isnan(largest):
                raise MessageError("magnitude", f"{what} is no number (NaN)")
            raise MessageError(
                "magnitude",
                f"{what} of {largest:.4g} {unit} (at most {limit:g}): is the unit right?",
            )


@dataclass(frozen=True, eq=False, slots=True)
class Delivery:
    """The samples of one device that one message brings."""

    readings: Sequence[Readings]
    """One sensor's each, at least one"""
    received: float = 0.0
    """Epoch seconds when the message came; dates samples of devices without a clock of the epoch"""

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.readings[0].device

    @property
    def newest(self) -> float:
        """Time of the newest sample, in seconds on the device's clock."""
        return max([float(part.times[part.times.argmax()]) for part in self.readings])

    @property
    def oldest(self) -> float:
        """Time of the oldest sample, in seconds on the device's clock."""
        return min([float(part.times[part.times.argmin()]) for part in self.readings])


@dataclass(frozen=True)
class Label:
    """The activity of a device's wearer from a time on, as its message names it."""

    device: str
    time: float
    """Seconds since the epoch"""
    text: str
    """The activity's name; empty for no activity. It ends the label before"""


def check_payload(payload: bytes) -> None:
    """Reject a payload that is too long, or would take too long or too much memory to decode.

    MessagePack declares its lengths, so who reads it counts what it holds; nobody else gets further
    than its first byte.

    Raises:
        MessageError: it has too many bytes, values, objects or extreme numbers.
    """
    if len(payload) <= HARMLESS_PAYLOAD_BYTES:
        return
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("size", f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    if is_messagepack(payload):
        return
    if len(payload) > MAX_VALUES:
        n_objects = payload.count(b"{")
        # Every value but a list's or object's only one has a comma or an opening bracket.
        n_values = payload.count(b",") + payload.count(b"[") + n_objects
        if n_values > MAX_VALUES or n_objects > MAX_OBJECTS:
            raise MessageError(
                "length",
                f"{n_values} values, {n_objects} objects; at most {MAX_VALUES}, {MAX_OBJECTS}",
            )
        if payload.translate(_ANY_DIGIT_AS_ZERO).count(_LONG_NUMBER) > MAX_EXTREME_NUMBERS:
            raise MessageError(
                "magnitude", f"more than {MAX_EXTREME_NUMBERS} numbers of 100 digits"
            )
    if payload.count(b"e") + payload.count(b"E") > MAX_EXTREME_NUMBERS:
        extreme = _EXTREME_NUMBER.finditer(payload)
        if next(islice(extreme, MAX_EXTREME_NUMBERS, None), None) is not None:
            raise MessageError(
                "magnitude", f"more than {MAX_EXTREME_NUMBERS} numbers like 1e10 or 1e-100"
            )


def plain(name: str) -> str:
    """Return a name's letters and digits in lower case, nothing if it is too long to be known."""
    return "".join(filter(str.isalnum, name)).lower() if len(name) <= MAX_NAME else ""


def check_unit(key: str, unit: str | None, units: Mapping[str, float]) -> None:
    """Reject a unit that is none.

    Typed as `Literal` msgspec would do it, but quote the unit three times over, however long.

    Raises:
        ValueError: it is none; msgspec makes an error of the sender's of it.
    """
    if unit is not None and unit not in units:
        raise ValueError(f"{key} is {unit[:20]!r}, not {' or '.join(units)}")


def is_device(name: str) -> bool:
    """Return whether a device can have such a name."""
    return _DEVICE.fullmatch(name) is not None


@lru_cache(maxsize=4_096)
def check_device(device: str) -> None:
    """Reject a device's name that could not be used in the results' topics.

    Raises:
        MessageError: it is empty, too long, or holds a special character.
    """
    if not _DEVICE.fullmatch(device):
        raise MessageError(
            "device",
            "a device name has 1 to 64 characters, no /, +, # or control characters, no leading $",
        )
