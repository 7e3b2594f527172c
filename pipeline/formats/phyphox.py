"""phyphox (iOS and Android): JSON from the network section of a user's experiment.

The experiment's settings: a connection with ``service="mqtt/json"``, a separate ``sendTopic`` for
each phone (``phyphox/phone-7``) and an ``interval``, that sends the buffers of the sensors
``accelerometer`` and ``gyroscope`` under these ids (upper case and separators do not matter), and
the time, without which samples cannot be dated:

* ``t`` (or ``accT``, ``acc_time``), ``accX``, ``accY``, ``accZ``: accelerometer with gravity;
* ``gyrT`` (or ``gyr_time``), ``gyrX``, ``gyrY``, ``gyrZ``; ``gyro...`` will do as well;
* ``<send id="time" type="time" />``.

The app converts the iPhone's signs to Android's.

https://phyphox.org/wiki/index.php/Network_Connections
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Clock, MessageError, Readings, Sensor, plain, reading_json

TOPIC: Final = "phyphox/+"
SUMMARY: Final = "phyphox (iOS, Android), mqtt/json of an experiment with both sensors"

_IDS: Final[dict[Sensor, tuple[tuple[str, ...], ...]]] = {
    "accelerometer": (("acct", "acctime", "t"), ("accx",), ("accy",), ("accz",)),
    "gyroscope": (
        ("gyrt", "gyrtime", "gyrot", "gyrotime"),
        ("gyrx", "gyrox"),
        ("gyry", "gyroy"),
        ("gyrz", "gyroz"),
    ),
}
"""The ids of time, x, y and z, without separators and in lower case; the first that is there."""


class _Event(msgspec.Struct, rename="camel"):
    event: str
    experiment_time: float
    """Seconds; stands still while the experiment is paused"""
    system_time: float
    """Seconds since the epoch"""


class _Times(msgspec.Struct):
    events: list[_Event]


_MAX_KEYS: Final = 10_000
"""Keys and events' entries in a message; apart, or they would take more memory than all values."""

_T = TypeVar("_T")

_message_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_column_decoder = msgspec.json.Decoder(float | list[float | None] | None)
_times_decoder = msgspec.json.Decoder(_Times)


def decode(payload: bytes, device: str | None) -> Sequence[Readings]:
    """Return the readings of accelerometer and gyroscope in a message.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    if device is None:
        raise MessageError("device", "the topic names no device: subscribe to phyphox/+")
    if payload.count(b":") > _MAX_KEYS:
        raise MessageError("length", f"more than {_MAX_KEYS} keys")
    with reading_json():
        return _read(_message_decoder.decode(payload), device)


def _read(message: Mapping[str, msgspec.Raw], device: str) -> list[Readings]:
    sent = {plain(name): raw for name, raw in message.items()}
    tables = {sensor: _table(sensor, sent) for sensor in _IDS}
    if all(table is None for table in tables.values()):
        raise MessageError("field", "has neither t, accX, accY, accZ nor gyrT, gyrX, gyrY, gyrZ")
    starts = _starts(sent) if "time" in sent else None
    clock: Clock = "boot" if starts is None else "epoch"
    recording = str(starts[0].system_time) if starts else ""  # resuming does not begin anew
    readings = []
    for sensor, table in tables.items():
        if table is None or not len(table):
            continue
        times = table[:, 0] if starts is None else _epoch(table[:, 0], starts)
        readings.append(
            Readings(device, times, table[:, 1:], sensor, recording, clock, convention="android")
        )
    return readings


def _table(sensor: Sensor, sent: Mapping[str, msgspec.Raw]) -> NDArray[np.float64] | None:
    """Return ``(n, 4)``: time, x, y, z of the rows without a null; None if nothing was sent."""
    ids = [next((name for name in names if name in sent), None) for names in _IDS[sensor]]
    if ids[1:] == [None] * 3:
        return None
    columns = []
    for names, buffer in zip(_IDS[sensor], ids, strict=True):
        if buffer is None:
            raise MessageError("field", f"{sensor} lacks {' or '.join(names)}")
        columns.append(np.array(_decode(_column_decoder, sent, buffer), np.float64, ndmin=1))
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise MessageError("length", f"{sensor} has {lengths} times, x, y and z")
    table = np.column_stack(columns)
    return table[~np.isnan(table).any(axis=1)]  # null has become NaN


def _starts(sent: Mapping[str, msgspec.Raw]) -> list[_Event]:
    """Return when the experiment was started and resumed, in the order of its time."""
    events = _decode(_times_decoder, sent, "time").events
    starts = [event for event in events if event.event == "START"]
    return sorted(starts, key=lambda start: start.experiment_time)


def _decode(decoder: msgspec.json.Decoder[_T], sent: Mapping[str, msgspec.Raw], name: str) -> _T:
    try:
        return decoder.decode(sent[name])
    except msgspec.ValidationError as error:
        raise MessageError("field", f"{name}: {error}") from error


def _epoch(times: NDArray[np.float64], starts: Sequence[_Event]) -> NDArray[np.float64]:
    """Return the times of an experiment ``(n,)`` in seconds since the epoch."""
    if not starts:
        raise MessageError("time", "has samples, but its time has no START")
    begins = np.array([start.experiment_time for start in starts])
    dates = np.array([start.system_time for start in starts])
    latest = np.maximum(np.searchsorted(begins, times, side="right") - 1, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # Readings rejects what overflows
        dated: NDArray[np.float64] = dates[latest] + (times - begins[latest])
    return dated
