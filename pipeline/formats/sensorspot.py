"""SensorSpot (Android): one JSON message a sensor event, on a topic that the user chooses.

The app's settings: a separate topic for each phone (``sensorspot/phone-7``), because nothing else
names it; *Dedicated Topics* off, because they leave the sensor out of the message; a sampling rate
of 20,000 µs or less, because the default is 5 Hz. The app speaks MQTT 5 only.

https://github.com/UmerCodez/SensorSpot#usage
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np

from pipeline.readings import MessageError, Readings, Sensor, reading_json

TOPIC: Final = "sensorspot/+/#"
SUMMARY: Final = "SensorSpot (Android), one message a sensor event"

_SENSORS: Final[dict[str, Sensor]] = {
    "android.sensor.accelerometer": "accelerometer",
    "android.sensor.accelerometer_uncalibrated": "accelerometer_uncalibrated",
    "android.sensor.linear_acceleration": "linear_acceleration",
    "android.sensor.gravity": "gravity",
    "android.sensor.gyroscope": "gyroscope",
    "android.sensor.gyroscope_uncalibrated": "gyroscope_uncalibrated",
}

_NS_PER_S: Final = 1_000_000_000  # an integer: int / int is rounded once


class _Type(msgspec.Struct):
    type: str | None = None


class _Event(msgspec.Struct):
    timestamp: int
    """Nanoseconds since the phone was switched on"""
    values: Annotated[list[float], msgspec.Meta(min_length=3)]
    """x, y, z, and for the uncalibrated sensors the estimated drift of each"""


_type_decoder = msgspec.json.Decoder(_Type)
_event_decoder = msgspec.json.Decoder(_Event)


def decode(payload: bytes, device: str | None) -> Sequence[Readings]:
    """Return the one sample that a motion sensor's message holds; nothing of other sensors.

    Raises:
        MessageError: the payload does not fit the format.
    """
    if device is None:
        raise MessageError("device", "the topic names no device: subscribe to sensorspot/+/#")
    with reading_json():
        return _read(payload, device)


def _read(payload: bytes, device: str) -> list[Readings]:
    kind = _type_decoder.decode(payload).type
    if kind is None:
        raise MessageError("field", "has no type: switch Dedicated Topics off in SensorSpot")
    if kind not in _SENSORS:
        return []  # other sensors have other keys
    event = _event_decoder.decode(payload)
    try:
        times = np.array([event.timestamp / _NS_PER_S])
    except OverflowError as error:
        raise MessageError("time", "timestamp must be in nanoseconds") from error
    values = np.array([event.values[:3]], np.float64)
    return [Readings(device, times, values, _SENSORS[kind], clock="boot", convention="android")]
