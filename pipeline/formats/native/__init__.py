"""The project's messages on ``har/<device>/samples``, raw or prepared samples.

Three forms: ``acc`` and ``gyro`` row by row; ``sensors``, each at its own times; and the nine
prepared ``channels``. Each is a document (`document`) that is written as JSON or, in the compact
form (`compact`), as MessagePack; the first byte tells which.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, cast

import msgspec
import numpy as np

from pipeline.formats.native.compact import read_compact
from pipeline.formats.native.document import (
    SEPARATE_SENSORS,
    Array,
    ArrayDocument,
    JsonDocument,
    Nine,
    Sensors,
    Vector,
    read_json,
)
from pipeline.readings import (
    ACC_UNITS,
    GYRO_UNITS,
    LATEST_TIME_S,
    MAX_ROWS,
    BodyPlace,
    Convention,
    MessageError,
    Readings,
    Sensor,
    is_messagepack,
)
from pipeline.vocabulary import CHANNELS

TOPIC: Final = "har/+/samples"
SUMMARY: Final = "har-stream's own form: raw or prepared samples, Android axes"

_packer = msgspec.msgpack.Encoder()
_PACKED_BYTES: Final = 9
"""A number in MessagePack: a byte for its type, and the float64, big-endian"""
_PACKED_ROW_BYTES: Final = 1 + 3 * _PACKED_BYTES
"""A `Vector`: a byte for its length, and the numbers"""
_PACKED_HEAD_BYTES: Final = 2
"""Of a row, before the first float64"""


def decode(payload: bytes, device: str | None) -> Sequence[Readings]:
    """Return the samples that a message holds.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    if device is None:
        raise MessageError("device", "the topic names no device: subscribe to har/+/samples")
    message: JsonDocument | ArrayDocument = (
        read_compact(payload) if is_messagepack(payload) else read_json(payload)
    )
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
    return [
        Readings(
            device,
            _times(message, len(values)),
            values,
            sensor,
            message.recording,
            convention=_convention(message),
            worn_at=_worn_at(message),
        )
    ]


def _raw(message: JsonDocument | ArrayDocument) -> Array:
    """Return ``(n_rows, 6)`` in m/s² and rad/s."""
    acc, gyro = message.acc, message.gyro
    if acc is None or gyro is None:
        raise MessageError("field", "needs acc and gyro, or sensors, or channels and samples")
    if message.acc_unit is None or message.gyro_unit is None:
        raise MessageError("field", "needs acc_unit (m/s2 or g) and gyro_unit (rad/s or deg/s)")
    if len(acc) != len(gyro):
        raise MessageError("length", f"acc has {len(acc)} rows, gyro {len(gyro)}")
    _check_rows(len(acc))
    if isinstance(acc, list) and isinstance(gyro, list):
        values = _array(acc + gyro, n_sensors=2)
    else:
        values = np.hstack([acc, gyro])
    _scale(values[:, :3], ACC_UNITS[message.acc_unit])
    _scale(values[:, 3:], GYRO_UNITS[message.gyro_unit])
    return values


def _prepared(message: JsonDocument | ArrayDocument, samples: list[Nine] | Array) -> Array:
    """Return ``(n_rows, 9)`` in the order of `CHANNELS`."""
    channels = message.channels
    if channels is None or len(channels) != 9 or sorted(channels) != sorted(CHANNELS):
        raise MessageError("field", f"channels must name all nine: {', '.join(CHANNELS)}")
    _check_rows(len(samples))
    order = [channels.index(channel) for channel in CHANNELS]
    return np.array(samples, np.float64)[:, order]


def _separate(
    message: JsonDocument | ArrayDocument,
    sensors: Sensors[list[Vector], list[float]] | Sensors[Array, Array],
    device: str,
) -> list[Readings]:
    """Return the readings of sensors that each have their own times."""
    if message.start is not None or message.rate is not None or message.time is not None:
        raise MessageError("field", "sensors have their own time; leave out start, rate and time")
    readings = []
    for name in SEPARATE_SENSORS:
        sensor = getattr(sensors, name)
        if sensor is None:
            continue
        if len(sensor.time) != len(sensor.values):
            raise MessageError(
                "length", f"{name} has {len(sensor.time)} times, {len(sensor.values)} rows"
            )
        _check_rows(len(sensor.values))
        values = sensor.values
        if isinstance(values, list):
            values = _array(values, n_sensors=1)
        _scale(values, (ACC_UNITS | GYRO_UNITS)[sensor.unit])
        times = np.array(sensor.time, np.float64)
        readings.append(
            Readings(
                device,
                times,
                values,
                name,
                message.recording,
                convention=_convention(message),
                worn_at=_worn_at(message),
            )
        )
    if not readings:
        raise MessageError("field", "sensors is empty")
    return readings


def _convention(message: JsonDocument | ArrayDocument) -> Convention | None:
    """Return the sign of accelerations, None if it is not stated: Android's, unless one is set."""
    return cast("Convention | None", message.convention)


def _worn_at(message: JsonDocument | ArrayDocument) -> BodyPlace | None:
    """Return where the phone is worn; whatever is not the waist may be anywhere.

    People type such names, so capitals and blanks around them make no difference.
    """
    if message.placement is None:
        return None
    return "waist" if message.placement.strip().lower() == "waist" else "any"


def _times(message: JsonDocument | ArrayDocument, n_rows: int) -> Array:
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
    with np.errstate(over="ignore"):  # Readings rejects what overflows
        return start + offsets_s


@lru_cache(maxsize=16)
def _offsets_s(n_rows: int, rate_hz: float) -> Array:
    """Return each row's time after the first; phones send messages of the same size and rate."""
    with np.errstate(over="ignore"):
        return np.arange(n_rows) / rate_hz


def _array(rows: list[Vector], *, n_sensors: int) -> Array:
    """Return the rows of one sensor after the other side by side, ``(n_rows, 3 * n_sensors)``.

    MessagePack has the eight bytes of every number in a known place; NumPy would take twice as
    long to read Python's numbers.
    """
    n_rows = len(rows) // n_sensors
    packed = _packer.encode(rows)
    first = len(packed) - len(rows) * _PACKED_ROW_BYTES + _PACKED_HEAD_BYTES
    strides = (_PACKED_ROW_BYTES, n_rows * _PACKED_ROW_BYTES, _PACKED_BYTES)
    numbers = np.ndarray((n_rows, n_sensors, 3), ">f8", packed, first, strides)
    return numbers.astype(np.float64, order="C").reshape(n_rows, 3 * n_sensors)


def _scale(values: Array, factor: float) -> None:
    """Bring values to their SI unit."""
    if factor != 1:
        with np.errstate(over="ignore"):  # Readings rejects what overflows
            values *= factor


def _check_rows(n_rows: int) -> None:
    """Reject what would not even make an array."""
    if not 1 <= n_rows <= MAX_ROWS:
        raise MessageError("length", f"{n_rows} rows; 1 to {MAX_ROWS} are taken")
