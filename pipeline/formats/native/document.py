"""The native document: its keys, and how JSON writes it.

A document is the same in each of its writings; only its numbers differ: JSON has lists of numbers,
and the compact form, MessagePack, becomes arrays (`compact`). What samples a document holds is
decided in the package.
"""

from typing import Annotated, Final, Generic, Literal, TypeVar, cast, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import (
    ACC_UNITS,
    GYRO_UNITS,
    BodyPlace,
    Convention,
    Sensor,
    check_unit,
    reading_json,
)

MAX_RATE_HZ: Final = 1_000.0
CONVENTIONS: Final[tuple[Convention, ...]] = get_args(Convention)

Vector = tuple[float, float, float]
Nine = Annotated[list[float], msgspec.Meta(min_length=9, max_length=9)]
Scale = Annotated[float, msgspec.Meta(gt=0, le=float(np.finfo(np.float64).max))]
"""What the integers of binary rows are multiplied by; finite"""
Array = NDArray[np.float64]

Vectors = TypeVar("Vectors")
"""Rows of three numbers"""
Nines = TypeVar("Nines")
"""Rows of nine numbers"""
Times = TypeVar("Times")
"""A number a row"""


def scale_without_bin(key: str, rows_key: str) -> str:
    """Return what is wrong with a scale beside numbers that are no integers."""
    return f"{key} is for {rows_key} as MessagePack's bin, of int16"


class Acceleration(msgspec.Struct, Generic[Vectors, Times]):
    """Samples of an accelerometer, or of one of the two parts of its acceleration."""

    time: Times
    values: Vectors
    unit: str
    scale: Scale | None = None

    def __post_init__(self) -> None:
        """Reject a unit of something else, and a scale of what is no integer."""
        check_unit("unit", self.unit, ACC_UNITS)
        if self.scale is not None and isinstance(self.values, list):
            raise ValueError(scale_without_bin("scale", "values"))


class AngularVelocity(msgspec.Struct, Generic[Vectors, Times]):
    """Samples of a gyroscope."""

    time: Times
    values: Vectors
    unit: str
    scale: Scale | None = None

    def __post_init__(self) -> None:
        """Reject a unit of something else, and a scale of what is no integer."""
        check_unit("unit", self.unit, GYRO_UNITS)
        if self.scale is not None and isinstance(self.values, list):
            raise ValueError(scale_without_bin("scale", "values"))


class Sensors(msgspec.Struct, Generic[Vectors, Times], forbid_unknown_fields=True):
    """Sensors that each have their own times."""

    accelerometer: Acceleration[Vectors, Times] | None = None
    accelerometer_uncalibrated: Acceleration[Vectors, Times] | None = None
    linear_acceleration: Acceleration[Vectors, Times] | None = None
    gravity: Acceleration[Vectors, Times] | None = None
    gyroscope: AngularVelocity[Vectors, Times] | None = None
    gyroscope_uncalibrated: AngularVelocity[Vectors, Times] | None = None


SEPARATE_SENSORS: Final[tuple[Sensor, ...]] = (
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
    "gyroscope",
    "gyroscope_uncalibrated",
)
"""The fields of `Sensors`."""


class Document(msgspec.Struct, Generic[Vectors, Nines, Times]):
    """A message as its sender wrote it, in its units."""

    v: Literal[1] = 1
    start: float | None = None
    rate: Annotated[float, msgspec.Meta(gt=0, le=MAX_RATE_HZ)] | None = None
    time: Times | None = None
    acc: Vectors | None = None
    acc_unit: str | None = None
    acc_scale: Scale | None = None
    gyro: Vectors | None = None
    gyro_unit: str | None = None
    gyro_scale: Scale | None = None
    sensors: Sensors[Vectors, Times] | None = None
    channels: Annotated[list[str], msgspec.Meta(max_length=9)] | None = None
    samples: Nines | None = None
    recording: str = ""
    placement: str | None = None
    convention: str | None = None

    def __post_init__(self) -> None:
        """Reject a unit or convention that is none, and a scale of what is no integer."""
        if self.convention is not None and self.convention not in CONVENTIONS:
            raise ValueError(
                f"convention is {self.convention[:20]!r}, not {' or '.join(CONVENTIONS)}"
            )
        check_unit("acc_unit", self.acc_unit, ACC_UNITS)
        check_unit("gyro_unit", self.gyro_unit, GYRO_UNITS)
        if self.acc_scale is not None and (self.acc is None or isinstance(self.acc, list)):
            raise ValueError(scale_without_bin("acc_scale", "acc"))
        if self.gyro_scale is not None and (self.gyro is None or isinstance(self.gyro, list)):
            raise ValueError(scale_without_bin("gyro_scale", "gyro"))

    @property
    def stated_convention(self) -> Convention | None:
        """The sign of accelerations, None if it is not stated: Android's, unless one is set."""
        return cast("Convention | None", self.convention)


JsonDocument = Document[list[Vector], list[Nine], list[float]]
ArrayDocument = Document[Array, Array, Array]
"""``(n_rows, 3)``, ``(n_rows, 9)`` and ``(n_rows,)``, scales applied, units not"""

_decoder = msgspec.json.Decoder(JsonDocument)
_pack = msgspec.msgpack.Encoder().encode
_PACKED_BYTES: Final = 9
"""A number in MessagePack: a byte for its type, and the float64, big-endian"""
_PACKED_ROW_BYTES: Final = 1 + 3 * _PACKED_BYTES
"""A `Vector`: a byte for its length, and the numbers"""
_PACKED_HEAD_BYTES: Final = 2
"""Of a row, before the first float64"""


def read_json(payload: bytes) -> JsonDocument:
    """Return the document that JSON holds.

    Raises:
        MessageError: it is no JSON, or no such document.
    """
    with reading_json():
        return _decoder.decode(payload)


def worn_at(placement: str | None) -> BodyPlace | None:
    """Return where the phone is worn; whatever is not the waist may be anywhere.

    People type such names, so capitals and blanks around them make no difference.
    """
    if placement is None:
        return None
    return "waist" if placement.strip().lower() == "waist" else "any"


def vectors(rows: list[Vector], *, n_rows: int) -> Array:
    """Return rows of sensors ``(n_sensors, n_rows, 3)``, which are given one after the other.

    MessagePack has the eight bytes of every number in a known place; NumPy would take twice as
    long to read Python's numbers. The array is a view.
    """
    packed = _pack(rows)
    first = len(packed) - len(rows) * _PACKED_ROW_BYTES + _PACKED_HEAD_BYTES
    strides = (n_rows * _PACKED_ROW_BYTES, _PACKED_ROW_BYTES, _PACKED_BYTES)
    return np.ndarray((len(rows) // n_rows, n_rows, 3), ">f8", packed, first, strides)
