"""Sensor Logger (iOS and Android): JSON over MQTT or HTTP, many sensors in one message.

The app's settings: MQTT Publish on; Accelerometer, Gravity and Gyroscope on, or Total Acceleration
in place of the first two where a phone has it; on iOS also *Standardise Units & Frames*, without
which accelerations have the opposite sign. All phones publish on one topic and name themselves.

https://github.com/tszheichoi/awesome-sensor-logger: PUSHING.md, UNITS.md, COORDINATES.md
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import (
    LATEST_TIME_S,
    MAX_ROWS,
    Convention,
    Label,
    MessageError,
    Readings,
    Sensor,
    check_device,
    plain,
    reading_json,
)
from pipeline.vocabulary import STANDARD_GRAVITY

TOPIC: Final = "sensor-logger"
SUMMARY: Final = "Sensor Logger (iOS, Android), MQTT Publish or HTTP Push"

SENSORS: Final[dict[str, Sensor]] = {
    "accelerometer": "linear_acceleration",
    "gravity": "gravity",
    "totalacceleration": "accelerometer",
    "accelerometeruncalibrated": "accelerometer_uncalibrated",
    "gyroscope": "gyroscope",
    "gyroscopeuncalibrated": "gyroscope_uncalibrated",
}
"""The app's names, without separators and in lower case."""

_ANNOTATION: Final = "annotation"
_KNOWN: Final = {*SENSORS, _ANNOTATION}

_IN_G_BELOW: Final = 3.0
"""A median |acceleration| with gravity of less than this is in g: else the phone would fall."""

_NS_PER_S: Final = 1_000_000_000  # an integer: int / int is rounded once

_MAX_NAMES: Final = 1_000
"""Sensors in a message; the app knows some thirty."""

_MAX_ANNOTATIONS: Final = 1_000
"""In a message; people make some."""

_NULL: Final = msgspec.Raw(b"null")

_T = TypeVar("_T")


class _UnusualError(Exception):
    """A reading is none of `_UsualReading`; the message is to be read part by part."""


class _Vector(msgspec.Struct, gc=False):
    x: float | None
    y: float | None
    z: float | None


class _UsualVector(msgspec.Struct, gc=False):
    """Of any sensor, which may have none of these."""

    x: float | msgspec.UnsetType | None = msgspec.UNSET
    y: float | msgspec.UnsetType | None = msgspec.UNSET
    z: float | msgspec.UnsetType | None = msgspec.UNSET


class _Annotation(msgspec.Struct):
    text: str = ""


class _UsualReading(msgspec.Struct, gc=False):
    """Of any sensor, as the app writes it today."""

    name: str
    time: int | msgspec.UnsetType = msgspec.UNSET
    values: _UsualVector | msgspec.UnsetType = msgspec.UNSET
    accuracy: msgspec.Raw = _NULL


class _Reading(msgspec.Struct):
    """Of any sensor: the rest is read only if the name is known."""

    name: str
    time: msgspec.Raw = _NULL
    values: msgspec.Raw = _NULL
    accuracy: msgspec.Raw = _NULL


_R = TypeVar("_R", _UsualReading, _Reading)


class _Message(msgspec.Struct, Generic[_R], rename="camel"):
    payload: list[_R]
    device_id: str | None = None
    session_id: str = ""


_usual_decoder = msgspec.json.Decoder(_Message[_UsualReading])
_message_decoder = msgspec.json.Decoder(_Message[_Reading])
_vector_decoder = msgspec.json.Decoder(list[_Vector])
_annotation_decoder = msgspec.json.Decoder(list[_Annotation])
_time_decoder = msgspec.json.Decoder(list[int], strict=False)  # versions of 2022 sent strings

_Columns = tuple[list[int], list[float | None]]
"""Times in nanoseconds; and x, y and z of each of them, one behind the other"""


def decode(payload: bytes, device: str | None) -> Sequence[Readings | Label]:
    """Return the readings of each motion sensor in a message, and its annotations as labels.

    Usual messages are read in one go, in two thirds of the time; all others part by part, so that
    what is in an unknown sensor does not matter.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    with reading_json():
        try:
            return _read(_usual_decoder.decode(payload), device, _usual_columns)
        except (msgspec.ValidationError, _UnusualError):
            return _read(_message_decoder.decode(payload), device, _columns)


def _read(
    message: _Message[_R], device: str | None, columns: Callable[[Sequence[_R]], _Columns]
) -> list[Readings | Label]:
    device = message.device_id if device is None else device
    if device is None:
        raise MessageError("device", "has no deviceId, and the topic names no device")
    check_device(device)
    try:
        return _read_payload(message, device, columns)
    except MessageError as error:
        error.device = device
        raise


def _read_payload(
    message: _Message[_R], device: str, columns: Callable[[Sequence[_R]], _Columns]
) -> list[Readings | Label]:
    groups = _by_sensor(message.payload)
    annotations: Sequence[_R] = groups.pop(_ANNOTATION, [])
    samples: dict[Sensor, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for name, group in groups.items():
        if len(group) > MAX_ROWS:
            raise MessageError("length", f"{len(group)} rows; 1 to {MAX_ROWS} are taken")
        times, values = _samples(*columns(group))
        if len(times):
            samples[SENSORS[name]] = times, values

    convention: Convention | None = None
    uncalibrated = samples.get("accelerometer_uncalibrated")
    if any(reading.accuracy != _NULL for group in groups.values() for reading in group):
        convention = "android"  # only its readings have one
    elif uncalibrated is not None and is_in_g(uncalibrated[1]):
        convention = "ios"  # and not standardised
        with np.errstate(over="ignore"):  # Readings rejects what overflows
            uncalibrated[1][:] *= STANDARD_GRAVITY
    readings: list[Readings | Label] = [
        Readings(device, times, values, sensor, message.session_id, convention=convention)
        for sensor, (times, values) in samples.items()
    ]
    return readings + _labels(annotations, device)


def _by_sensor(payload: Sequence[_R]) -> dict[str, list[_R]]:
    """Return the readings that matter, by their sensor's name as `SENSORS` spells it."""
    spellings = dict.fromkeys([reading.name for reading in payload], "")
    if len(spellings) > _MAX_NAMES:
        raise MessageError("length", f"readings of {len(spellings)} sensors; at most {_MAX_NAMES}")
    for name in spellings:
        spellings[name] = plain(name)
    groups: dict[str, list[_R]] = {}
    for reading in payload:
        name = spellings[reading.name]
        if name in _KNOWN:
            groups.setdefault(name, []).append(reading)
    return groups


def _usual_columns(group: Sequence[_UsualReading]) -> _Columns:
    """Return what a sensor's readings hold, if all of them are usual."""
    times_ns = [reading.time for reading in group if reading.time is not msgspec.UNSET]
    vectors = [reading.values for reading in group if reading.values is not msgspec.UNSET]
    axes = [axis for vector in vectors for axis in (vector.x, vector.y, vector.z)]
    numbers = [axis for axis in axes if axis is not msgspec.UNSET]
    if not 3 * len(times_ns) == len(numbers) == 3 * len(group):
        raise _UnusualError
    return times_ns, numbers


def _columns(group: Sequence[_Reading]) -> _Columns:
    """Return what a sensor's readings hold, whatever others do."""
    name = group[0].name
    vectors = _decode_all(_vector_decoder, [reading.values for reading in group], name)
    times_ns = _decode_all(_time_decoder, [reading.time for reading in group], name)
    return times_ns, [axis for vector in vectors for axis in (vector.x, vector.y, vector.z)]


def _samples(
    times_ns: list[int], numbers: list[float | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times ``(n,)`` in seconds and values ``(n, 3)``, without those that lack a number."""
    values = np.array(numbers, np.float64).reshape(-1, 3)
    whole = ~np.isnan(values).any(axis=1)  # null has become NaN
    return _seconds(times_ns)[whole], values[whole]


def _seconds(times_ns: list[int]) -> NDArray[np.float64]:
    """Return ``(n,)`` in seconds the float64 that is nearest to each time in nanoseconds."""
    try:
        return np.array([time_ns / _NS_PER_S for time_ns in times_ns])
    except OverflowError as error:
        raise MessageError("time", "times must be in nanoseconds since 1970") from error


def _decode_all(decoder: msgspec.json.Decoder[_T], raws: Sequence[msgspec.Raw], name: str) -> _T:
    """Return what the JSON of many readings holds, decoded at once: that costs less than singly."""
    try:
        return decoder.decode(b"[" + b",".join(raws) + b"]")
    except msgspec.ValidationError as error:
        raise MessageError("field", f"{name}: {error}") from error


def is_in_g(values: NDArray[np.float64]) -> bool:
    """Return whether accelerations ``(n, 3)`` with gravity are in g, not in m/s²."""
    with np.errstate(over="ignore"):
        return bool(np.median(np.sqrt((values**2).sum(axis=1))) < _IN_G_BELOW)


def _labels(annotations: Sequence[_UsualReading] | Sequence[_Reading], device: str) -> list[Label]:
    if not annotations:
        return []
    if len(annotations) > _MAX_ANNOTATIONS:
        raise MessageError(
            "length", f"{len(annotations)} annotations; at most {_MAX_ANNOTATIONS} are taken"
        )
    readings = [reading for reading in annotations if isinstance(reading, _Reading)]
    if not readings:
        raise _UnusualError
    times_ns = _decode_all(_time_decoder, [reading.time for reading in readings], _ANNOTATION)
    times = _seconds(times_ns)
    if not (times.min() >= 0 and times.max() < LATEST_TIME_S):
        raise MessageError("time", "times must be in nanoseconds since 1970")
    values = [reading.values for reading in readings]
    notes = _decode_all(_annotation_decoder, values, _ANNOTATION)
    return [Label(device, float(time), note.text) for time, note in zip(times, notes, strict=True)]
