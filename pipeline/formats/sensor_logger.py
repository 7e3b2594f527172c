"""Sensor Logger (iOS and Android): JSON over MQTT or HTTP, many sensors in one message.

The app's settings: MQTT Publish on; Accelerometer, Gravity and Gyroscope on, or Total Acceleration
in place of the first two where a phone has it; on iOS also *Standardise Units & Frames*, without
which accelerations have the opposite sign. All phones publish on one topic and name themselves.

https://github.com/tszheichoi/awesome-sensor-logger: PUSHING.md, UNITS.md, COORDINATES.md
"""

from collections.abc import Sequence
from typing import Final, TypeVar

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


class _Vector(msgspec.Struct):
    x: float | None
    y: float | None
    z: float | None


class _Annotation(msgspec.Struct):
    text: str = ""


class _Reading(msgspec.Struct):
    """Of any sensor: the rest is read only if the name is known."""

    name: str
    time: msgspec.Raw = _NULL
    values: msgspec.Raw = _NULL
    accuracy: msgspec.Raw = _NULL


class _Message(msgspec.Struct, rename="camel"):
    payload: list[_Reading]
    device_id: str | None = None
    session_id: str = ""


_message_decoder = msgspec.json.Decoder(_Message)
_vector_decoder = msgspec.json.Decoder(list[_Vector])
_annotation_decoder = msgspec.json.Decoder(list[_Annotation])
_time_decoder = msgspec.json.Decoder(list[int], strict=False)  # versions of 2022 sent strings


def decode(payload: bytes, device: str | None) -> Sequence[Readings | Label]:
    """Return the readings of each motion sensor in a message, and its annotations as labels.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    with reading_json():
        return _read(_message_decoder.decode(payload), device)


def _read(message: _Message, device: str | None) -> list[Readings | Label]:
    device = message.device_id if device is None else device
    if device is None:
        raise MessageError("device", "has no deviceId, and the topic names no device")
    check_device(device)
    try:
        return _read_payload(message, device)
    except MessageError as error:
        error.device = device
        raise


def _read_payload(message: _Message, device: str) -> list[Readings | Label]:
    groups = _by_sensor(message.payload)
    annotations = groups.pop(_ANNOTATION, [])
    samples: dict[Sensor, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for name, group in groups.items():
        times, values = _samples(group)
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
    readings = [
        Readings(device, times, values, sensor, message.session_id, convention=convention)
        for sensor, (times, values) in samples.items()
    ]
    return [*readings, *_labels(annotations, device)]


def _by_sensor(payload: Sequence[_Reading]) -> dict[str, list[_Reading]]:
    """Return the readings that matter, by their sensor's name as `SENSORS` spells it."""
    spellings = dict.fromkeys([reading.name for reading in payload], "")
    if len(spellings) > _MAX_NAMES:
        raise MessageError("length", f"readings of {len(spellings)} sensors; at most {_MAX_NAMES}")
    for name in spellings:
        spellings[name] = plain(name)
    groups: dict[str, list[_Reading]] = {}
    for reading in payload:
        name = spellings[reading.name]
        if name in _KNOWN:
            groups.setdefault(name, []).append(reading)
    return groups


def _samples(group: Sequence[_Reading]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times ``(n,)`` in seconds and values ``(n, 3)``, without those that lack a number."""
    if len(group) > MAX_ROWS:
        raise MessageError("length", f"{len(group)} rows; 1 to {MAX_ROWS} are taken")
    vectors = _decode_all(_vector_decoder, [reading.values for reading in group], group[0].name)
    values = np.array([(vector.x, vector.y, vector.z) for vector in vectors], np.float64)
    whole = ~np.isnan(values).any(axis=1)  # null has become NaN
    return _times(group)[whole], values[whole]


def _times(group: Sequence[_Reading]) -> NDArray[np.float64]:
    """Return ``(n,)`` in seconds: the float64 that is nearest to each time in nanoseconds."""
    times_ns = _decode_all(_time_decoder, [reading.time for reading in group], group[0].name)
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


def _labels(annotations: Sequence[_Reading], device: str) -> list[Label]:
    if not annotations:
        return []
    if len(annotations) > _MAX_ANNOTATIONS:
        raise MessageError(
            "length", f"{len(annotations)} annotations; at most {_MAX_ANNOTATIONS} are taken"
        )
    times = _times(annotations)
    if not (times.min() >= 0 and times.max() < LATEST_TIME_S):
        raise MessageError("time", "times must be in nanoseconds since 1970")
    values = [reading.values for reading in annotations]
    notes = _decode_all(_annotation_decoder, values, _ANNOTATION)
    return [Label(device, float(time), note.text) for time, note in zip(times, notes, strict=True)]
