"""The project's messages on ``har/<device>/samples``, raw or prepared samples.

A message is a document (`document`), written as JSON or, in the compact form (`compact`), as
MessagePack; the first byte tells which. It holds one of three: ``acc`` and ``gyro`` row by row;
``sensors``, each at its own times; the nine prepared ``channels``. The messages of
a tick are decoded together where they can be (`json_blocks`, `compact_blocks`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from pipeline.blocks import Block
from pipeline.formats.native.compact import read_compact
from pipeline.formats.native.compact_blocks import compact_blocks
from pipeline.formats.native.document import (
    SEPARATE_SENSORS,
    Array,
    ArrayDocument,
    JsonDocument,
    Nine,
    Sensors,
    Vector,
    read_json,
    vectors,
    worn_at,
)
from pipeline.formats.native.json_blocks import json_blocks
from pipeline.readings import (
    ACC_UNITS,
    GYRO_UNITS,
    HARMLESS_PAYLOAD_BYTES,
    LATEST_TIME_S,
    MAX_ROWS,
    MessageError,
    Readings,
    Sensor,
    is_messagepack,
)
from pipeline.vocabulary import CHANNELS

TOPIC: Final = "har/+/samples"
SUMMARY: Final = "har-stream's own JSON or MessagePack: raw or prepared samples, Android axes"


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
            convention=message.stated_convention,
            worn_at=worn_at(message.placement),
        )
    ]


def decode_together(payloads: Sequence[bytes]) -> list[Block]:
    """Return those of many messages that are plain, in blocks of alike ones.

    Plain are messages with ``acc`` and ``gyro`` row by row and nothing wrong with them.
    """
    compact: list[tuple[int, bytes]] = []
    as_json: list[tuple[int, bytes]] = []
    for place, payload in enumerate(payloads):
        if len(payload) <= HARMLESS_PAYLOAD_BYTES:
            (compact if is_messagepack(payload) else as_json).append((place, payload))
    blocks = [*json_blocks(as_json), *compact_blocks(compact)]
    return [block for block in blocks if len(block)]


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
        values = np.concatenate([acc, gyro], axis=1)
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
                convention=message.stated_convention,
                worn_at=worn_at(message.placement),
            )
        )
    if not readings:
        raise MessageError("field", "sensors is empty")
    return readings


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
    with np.errstate(over="ignore", invalid="ignore"):  # Readings rejects what is not finite
        return start + offsets_s


@lru_cache(maxsize=16)
def _offsets_s(n_rows: int, rate_hz: float) -> Array:
    """Return each row's time after the first; phones send messages of the same size and rate."""
    with np.errstate(over="ignore"):
        return np.arange(n_rows) / rate_hz


def _array(rows: list[Vector], *, n_sensors: int) -> Array:
    """Return the rows of one sensor after the other side by side, ``(n_rows, 3 * n_sensors)``."""
    n_rows = len(rows) // n_sensors
    side_by_side = vectors(rows, n_rows=n_rows).swapaxes(0, 1)
    return side_by_side.astype(np.float64, order="C").reshape(n_rows, 3 * n_sensors)


def _scale(values: Array, factor: float) -> None:
    """Bring values to their SI unit."""
    if factor != 1:
        with np.errstate(over="ignore", invalid="ignore"):  # Readings rejects what is not finite
            values *= factor


def _check_rows(n_rows: int) -> None:
    """Reject what would not even make an array."""
    if not 1 <= n_rows <= MAX_ROWS:
        raise MessageError("length", f"{n_rows} rows; 1 to {MAX_ROWS} are taken")
