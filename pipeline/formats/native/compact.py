"""The compact form of the native document: MessagePack, with rows as the bytes of an array.

The keys are those of JSON. Rows and times are left as bytes until they are looked at one by one:
as *bin* they become arrays at once; as lists, like JSON's, they are counted by what their head
declares before any number of them is made. So a payload takes no more memory than `MAX_VALUES` do
beside its own length, however often it repeats a key.

https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from typing import Any, Final

import msgspec
import numpy as np

from pipeline.formats.native.document import (
    Acceleration,
    AngularVelocity,
    Array,
    ArrayDocument,
    Document,
    Sensors,
    Vector,
    scale_without_bin,
)
from pipeline.readings import MAX_ROWS, MAX_VALUES, MessageError, reading_messagepack

FLOAT32: Final = np.dtype("<f4")
"""Rows of numbers"""
INT16: Final = np.dtype("<i2")
"""Rows of integers, where there is a scale"""
FLOAT64: Final = np.dtype("<f8")
"""Times"""

_Nine = tuple[float, float, float, float, float, float, float, float, float]
"""Unlike a list's, a tuple's length is looked at before its numbers are made."""
_NIL: Final = 0xC0
_BINS: Final = (0xC4, 0xC5, 0xC6)
_SHORT_ARRAYS: Final = range(0x90, 0xA0)
"""They hold their length themselves"""
_ARRAYS: Final = {0xDC: 2, 0xDD: 4}
"""Bytes of their length, big-endian, which come next"""


class _Written(Document[msgspec.Raw, msgspec.Raw, msgspec.Raw]):
    """A document whose rows and times are bytes."""

    time: msgspec.Raw = msgspec.Raw(bytes([_NIL]))
    acc: msgspec.Raw = msgspec.Raw(bytes([_NIL]))
    gyro: msgspec.Raw = msgspec.Raw(bytes([_NIL]))
    samples: msgspec.Raw = msgspec.Raw(bytes([_NIL]))


_decode_written: Final = msgspec.msgpack.Decoder(_Written).decode
_decode_bin: Final = msgspec.msgpack.Decoder(memoryview).decode
_LIST_DECODERS: Final[
    dict[
        int,
        msgspec.msgpack.Decoder[list[float]]
        | msgspec.msgpack.Decoder[list[Vector]]
        | msgspec.msgpack.Decoder[list[_Nine]],
    ]
] = {
    1: msgspec.msgpack.Decoder(list[float]),
    3: msgspec.msgpack.Decoder(list[Vector]),
    9: msgspec.msgpack.Decoder(list[_Nine]),
}
"""By the numbers of a row"""


def read_compact(payload: bytes) -> ArrayDocument:
    """Return the document that MessagePack holds, its numbers as arrays.

    Raises:
        MessageError: it is no MessagePack, or no such document.
    """
    numbers = _Numbers()
    # What is not finite by then is rejected with the readings.
    with reading_messagepack(), np.errstate(invalid="ignore", over="ignore"):
        written = _decode_written(payload)
        sensors = written.sensors
        return Document(
            start=written.start,
            rate=written.rate,
            time=numbers.times("time", written.time),
            acc=numbers.vectors("acc", written.acc, "acc_scale", written.acc_scale),
            acc_unit=written.acc_unit,
            gyro=numbers.vectors("gyro", written.gyro, "gyro_scale", written.gyro_scale),
            gyro_unit=written.gyro_unit,
            sensors=None if sensors is None else _sensors(sensors, numbers),
            channels=written.channels,
            samples=numbers.rows("samples", written.samples, FLOAT32, n_columns=9),
            recording=written.recording,
            placement=written.placement,
            convention=written.convention,
        )


def _sensors(
    written: Sensors[msgspec.Raw, msgspec.Raw], numbers: "_Numbers"
) -> Sensors[Array, Array]:
    """Return sensors with times of their own, their numbers as arrays."""
    sensors: Sensors[Array, Array] = Sensors()
    for name in written.__struct_fields__:
        sensor: Acceleration[msgspec.Raw, msgspec.Raw] | AngularVelocity[msgspec.Raw, msgspec.Raw]
        sensor = getattr(written, name)
        if sensor is not None:
            times = numbers.times(f"{name}.time", sensor.time)
            values = numbers.vectors(f"{name}.values", sensor.values, f"{name}.scale", sensor.scale)
            if times is None or values is None:
                raise MessageError("field", f"{name} needs time and values")
            make = Acceleration if isinstance(sensor, Acceleration) else AngularVelocity
            setattr(sensors, name, make(times, values, sensor.unit))
    return sensors


class _Numbers:
    """The numbers of one payload; those in lists are counted."""

    __slots__ = ("_n_listed",)

    def __init__(self) -> None:
        self._n_listed = 0  # values, rows among them

    def vectors(
        self, key: str, written: msgspec.Raw, scale_key: str, scale: float | None
    ) -> Array | None:
        """Return ``(n_rows, 3)`` in the unit of the sender, None for nothing."""
        if scale is None:
            return self.rows(key, written, FLOAT32, n_columns=3)
        if memoryview(written)[0] not in _BINS:
            raise MessageError("field", scale_without_bin(scale_key, key))
        rows = self.rows(key, written, INT16, n_columns=3)
        if rows is not None:
            rows *= scale
        return rows

    def times(self, key: str, written: msgspec.Raw) -> Array | None:
        """Return ``(n_rows,)`` in seconds, None for nothing."""
        rows = self.rows(key, written, FLOAT64, n_columns=1)
        return None if rows is None else rows[:, 0]

    def rows(
        self, key: str, written: msgspec.Raw, dtype: np.dtype[Any], *, n_columns: int
    ) -> Array | None:
        """Return ``(n_rows, n_columns)`` out of bin or out of a list, None for nothing."""
        first = memoryview(written)[0]
        if first == _NIL:
            return None
        if first not in _BINS:
            return self._listed(key, written, n_columns)
        numbers = _decode_bin(written)
        row_bytes = n_columns * dtype.itemsize
        if len(numbers) % row_bytes != 0:
            raise MessageError(
                "length",
                f"{key} has {len(numbers)} bytes; a row is {n_columns} {dtype}, {row_bytes} bytes",
            )
        return np.frombuffer(numbers, dtype).astype(np.float64).reshape(-1, n_columns)

    def _listed(self, key: str, written: msgspec.Raw, n_columns: int) -> Array:
        n_rows = _declared_length(written)
        if n_rows > MAX_ROWS:
            raise MessageError("length", f"{key} has {n_rows} rows; 1 to {MAX_ROWS} are taken")
        self._n_listed += n_rows if n_columns == 1 else n_rows * (1 + n_columns)
        if self._n_listed > MAX_VALUES:
            raise MessageError("length", f"{self._n_listed} values; at most {MAX_VALUES}")
        try:
            listed = _LIST_DECODERS[n_columns].decode(written)
        except msgspec.ValidationError as error:
            raise MessageError("field", f"{key}: {error}") from error
        return np.array(listed, np.float64).reshape(-1, n_columns)


def _declared_length(written: msgspec.Raw) -> int:
    """Return how many elements an array has by its head; 0 for what is none."""
    head = memoryview(written)
    if head[0] in _SHORT_ARRAYS:
        return head[0] - _SHORT_ARRAYS.start
    return int.from_bytes(head[1 : 1 + _ARRAYS.get(head[0], 0)], "big")
