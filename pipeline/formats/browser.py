"""A web page (no app): several `DeviceMotionEvent` a message, with both sensors together.

What the page has to do: be served over https, ask for permission in a tap (iOS), and send

* ``t``: ``performance.timeOrigin + event.timeStamp``, in seconds;
* ``agx``, ``agy``, ``agz``: ``accelerationIncludingGravity``, as the browser gives it;
* ``rx``, ``ry``, ``rz``: ``rotationRate``'s ``alpha``, ``beta``, ``gamma``, in this order;
* ``platform``: ``ios`` where the browser is WebKit's on an iPhone or iPad, whose accelerations have
  the opposite sign; ``android``, or any other, where they are as the standard says.

https://www.w3.org/TR/orientation-event/#devicemotion
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from pipeline.readings import (
    ACC_UNITS,
    GYRO_UNITS,
    MAX_ROWS,
    Convention,
    MessageError,
    Readings,
    check_unit,
    reading_json,
)

TOPIC: Final = "browser/+"
SUMMARY: Final = "a phone's browser, several DeviceMotionEvents a message"


class _Sample(msgspec.Struct):
    t: float
    """Seconds since the epoch"""
    agx: float | None
    agy: float | None
    agz: float | None
    rx: float | None
    ry: float | None
    rz: float | None


class _Message(msgspec.Struct):
    unit: str
    gyro_unit: str
    samples: list[_Sample]
    v: Literal[1] = 1
    device: str | None = None
    platform: str | None = None
    recording: str = ""

    def __post_init__(self) -> None:
        check_unit("unit", self.unit, ACC_UNITS)
        check_unit("gyro_unit", self.gyro_unit, GYRO_UNITS)


_decoder = msgspec.json.Decoder(_Message)


def decode(payload: bytes, device: str | None) -> Sequence[Readings]:
    """Return the samples that a message holds, without those that lack a number.

    Raises:
        MessageError: the payload does not fit the format; nothing of the message is used.
    """
    with reading_json():
        message = _decoder.decode(payload)
    device = message.device if device is None else device
    if device is None:
        raise MessageError("device", "has no device, and the topic names none")
    if not 1 <= len(message.samples) <= MAX_ROWS:
        raise MessageError("length", f"{len(message.samples)} samples; 1 to {MAX_ROWS} are taken")
    rows = np.array(
        [msgspec.structs.astuple(sample) for sample in message.samples], np.float64
    )  # (n, 7)
    missing = np.isnan(rows)  # null has become NaN
    if missing[:, 4:].any(axis=1).all():
        raise MessageError("field", "this phone has no gyroscope, or its browser hides it")
    if missing[:, 1:4].any(axis=1).all():
        raise MessageError("field", "this phone has no accelerometer, or its browser hides it")
    rows = rows[~missing.any(axis=1)]
    units = [ACC_UNITS[message.unit]] * 3 + [GYRO_UNITS[message.gyro_unit]] * 3
    with np.errstate(over="ignore"):  # Readings rejects what overflows
        values = rows[:, 1:] * units
    return [
        Readings(
            device,
            rows[:, 0],
            values,
            "motion",
            message.recording,
            convention=_convention(message.platform),
        )
    ]


def _convention(platform: str | None) -> Convention | None:
    if platform is None:
        return None
    return "ios" if platform == "ios" else "android"
