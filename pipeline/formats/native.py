"""The project's own messages: JSON on ``har/<device>/samples``, raw or prepared samples.

Three forms: ``acc`` and ``gyro`` row by row; ``sensors``, each at its own times; and the nine
prepared ``channels``.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import LATEST_TIME_S, MAX_ROWS, MessageError, Readings, Sensor, reading_json
from pipeline.signals import CHANNELS, STANDARD_GRAVITY

TOPIC: Final = "har/+/samples"
SUMMARY: Final = "har-stream's own JSON: raw or prepared samples, Android axes"

MAX_RATE_HZ: Final = 1_000.0

Triple = tuple[float, float, float]
Nine = Annotated[list[float], msgspec.Meta(min_length=9, max_length=9)]

_SI: Final = ("m/s2", "rad/s")
_SI_UNITS: Final = {"g": STANDARD_GRAVITY, "deg/s": np.pi / 180}
"""What other units are multiplied by"""


class _Acceleration(msgspec.Struct):
    time: list[float]
    values: list[Triple]
    unit: Literal["m/s2", "g"]


class _AngularVelocity(msgspec.Struct):
    time: list[float]
    values: list[Triple]
    unit: Literal["rad/s", "deg/s"]


class _Sensors(msgspec.Struct, forbid_unknown_fields=True):
    accelerometer: _Acceleration | None = None
    accelerometer_uncalibrated: _Acceleration | None = None
    linear_acceleration: _Acceleration | None = None
    gravity: _Acceleration | None = None
    gyroscope: _AngularVelocity | None = None
    gyroscope_uncalibrated: _AngularVelocity | None = None


_SEPARATE_SENSORS: Final[tuple[Sensor, ...]] = (
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
    "gyroscope",
    "gyroscope_uncalibrated",
)
"""The fields of `_Sensors`."""


class _Message(msgspec.Struct):
    v: Literal[1] = 1
    start: float | None = None
    rate: Annotated[float, msgspec.Meta(gt=0, le=MAX_RATE_HZ)] | None = None
    time: list[float] | None = None
    acc: list[Triple] | None = None
    acc_unit: Literal["m/s2", "g"] | None = None
    gyro: list[Triple] | None = None
    gyro_unit: Literal["rad/s", "deg/s"] | None = None
    sensors: _Sensors | None = None
    channels: list[str] | None = None
    samples: list[Nine] | None = None
    recording: str = ""


_decoder = msgspec.json.Decoder(_Message)


def decode(payload: bytes, device: str | None) -> Sequence[Readings]:
    """Return the samples that a message holds.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    if device is None:
        raise MessageError("device", "the topic names no device: subscribe to har/+/samples")
    with reading_json():
        message = _decoder.decode(payload)
    raw, prepared = message.acc is not None or message.gyro is not None, message.samples is not None
    if raw + prepared + (message.sensors is not None) > 1:
        raise MessageError("field", "has more than one of acc and gyro, sensors, samples")
    if message.sensors is not None:
        return _separate(message, message.sensors, device)
    if message.samples is not None:
        values = _prepared(message, message.samples)
        sensor: Sensor = "prepared"
    else:
        values = _raw(message)
        sensor = "motion"
    return [Readings(device, _times(message, len(values)), values, sensor, message.recording)]


def _raw(message: _Message) -> NDArray[np.float64]:
    """Return ``(n_rows, 6)`` in m/s² and rad/s."""
    acc, gyro = message.acc, message.gyro
    if acc is None or gyro is None:
        raise MessageError("field", "needs acc and gyro, or sensors, or channels and samples")
    if message.acc_unit is None or message.gyro_unit is None:
        raise MessageError("field", "needs acc_unit (m/s2 or g) and gyro_unit (rad/s or deg/s)")
    if len(acc) != len(gyro):
        raise MessageError("length", f"acc has {len(acc)} rows, gyro {len(gyro)}")
    _check_rows(len(acc))
    values = _flat(chain.from_iterable(zip(acc, gyro, strict=True)), 6 * len(acc)).reshape(-1, 6)
    _scale(values[:, :3], message.acc_unit)
    _scale(values[:, 3:], message.gyro_unit)
    return values


def _prepared(message: _Message, samples: list[Nine]) -> NDArray[np.float64]:
    """Return ``(n_rows, 9)`` in the order of `CHANNELS`."""
    channels = message.channels
    if channels is None or sorted(channels) != sorted(CHANNELS):
        raise MessageError("field", f"channels must name all nine: {', '.join(CHANNELS)}")
    _check_rows(len(samples))
    order = [channels.index(channel) for channel in CHANNELS]
    return np.array(samples, np.float64)[:, order]


def _separate(message: _Message, sensors: _Sensors, device: str) -> list[Readings]:
    """Return the readings of sensors that have times of their own."""
    if message.start is not None or message.rate is not None or message.time is not None:
        raise MessageError("field", "sensors have their own time; leave out start, rate and time")
    readings = []
    for name in _SEPARATE_SENSORS:
        sensor: _Acceleration | _AngularVelocity | None = getattr(sensors, name)
        if sensor is None:
            continue
        if len(sensor.time) != len(sensor.values):
            raise MessageError(
                "length", f"{name} has {len(sensor.time)} times, {len(sensor.values)} rows"
            )
        _check_rows(len(sensor.values))
        values = _flat(sensor.values, 3 * len(sensor.values)).reshape(-1, 3)
        _scale(values, sensor.unit)
        times = np.array(sensor.time, np.float64)
        readings.append(Readings(device, times, values, name, message.recording))
    if not readings:
        raise MessageError("field", "sensors is empty")
    return readings


def _times(message: _Message, n_rows: int) -> NDArray[np.float64]:
    """Return each row's time in seconds since the epoch."""
    if message.time is not None:
        if message.start is not None or message.rate is not None:
            raise MessageError("field", "has time and also start or rate; send one or the other")
        if len(message.time) != n_rows:
            raise MessageError("length", f"time has {len(message.time)} entries for {n_rows} rows")
        return np.array(message.time, np.float64)
    if message.start is None or message.rate is None:
        raise MessageError("field", "needs start and rate, or time")
    start, offsets_s = message.start, _offsets_s(n_rows, message.rate)
    if abs(start) < LATEST_TIME_S:
        return start + offsets_s
    with np.errstate(over="ignore"):  # Readings refuses what overflows
        return start + offsets_s


@lru_cache(maxsize=16)
def _offsets_s(n_rows: int, rate_hz: float) -> NDArray[np.float64]:
    """Return each row's time after the first; phones send messages of the same size and rate."""
    with np.errstate(over="ignore"):
        return np.arange(n_rows) / rate_hz


def _flat(triples: Iterable[Triple], n: int) -> NDArray[np.float64]:
    """Return the ``n`` numbers of triples; NumPy would take far longer to find out their shape."""
    return np.fromiter(chain.from_iterable(triples), np.float64, n)


def _scale(values: NDArray[np.float64], unit: str) -> None:
    """Bring values to their SI unit."""
    if unit not in _SI:
        with np.errstate(over="ignore"):  # Readings refuses what overflows
            values *= _SI_UNITS[unit]


def _check_rows(n_rows: int) -> None:
    """Refuse what would not even make an array."""
    if not 1 <= n_rows <= MAX_ROWS:
        raise MessageError("length", f"{n_rows} rows; 1 to {MAX_ROWS} are taken")
