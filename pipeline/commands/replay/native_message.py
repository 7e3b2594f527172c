"""The native message of a replay's readings.

Samples that have a rate are sent by start and rate, others each with its time. JSON loses nothing
of them; the compact form has rows of float32, which is what those of UCI HAR are.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.formats.native.document import SEPARATE_SENSORS
from pipeline.readings import Readings
from pipeline.vocabulary import CHANNELS

_Write = Callable[[NDArray[np.float64]], object]
"""Makes of rows, or of times, what stands in a message"""


def _as_list(values: NDArray[np.float64]) -> list[Any]:
    listed: list[Any] = values.tolist()
    return listed


def _as_float32(values: NDArray[np.float64]) -> bytes:
    return values.astype("<f4").tobytes()


def _as_float64(times: NDArray[np.float64]) -> bytes:
    return times.astype("<f8").tobytes()


_Form = tuple[_Write, _Write, Callable[[object], bytes]]
"""How rows, times and the whole are written"""
_JSON: Final[_Form] = (_as_list, _as_list, msgspec.json.encode)
_COMPACT: Final[_Form] = (_as_float32, _as_float64, msgspec.msgpack.encode)


def native_message(
    readings: Sequence[Readings],
    *,
    recording: str,
    rate_hz: float | None = None,
    compact: bool = False,
) -> bytes:
    """Return the native message for readings.

    Args:
        readings: of ``motion`` or ``prepared`` one, of the others at most one each, in the order of
            `SEPARATE_SENSORS`.
        recording: the sender's name for the recording.
        rate_hz: how many samples a second they are, if they are evenly spaced.
        compact: send MessagePack, with rows of float32, not JSON.
    """
    rows, times, encode = _COMPACT if compact else _JSON
    first = readings[0]
    content: dict[str, object] = {"v": 1}
    if rate_hz is not None:
        # To a microsecond: 16 digits of epoch seconds say no more.
        content |= {"start": round(float(first.times[0]), 6), "rate": rate_hz}
    content["recording"] = recording
    if first.worn_at is not None and first.sensor != "prepared":  # those tell it by themselves
        content["placement"] = first.worn_at
    if first.sensor in SEPARATE_SENSORS:
        content["sensors"] = {
            of_sensor.sensor: {
                "time": times(of_sensor.times),
                "values": rows(of_sensor.values),
                "unit": "rad/s" if of_sensor.sensor.startswith("gyroscope") else "m/s2",
            }
            for of_sensor in readings
        }
        return encode(content)
    if rate_hz is None:
        content["time"] = times(first.times)
    if first.sensor == "prepared":
        content |= {"channels": CHANNELS, "samples": rows(first.values)}
    else:
        content |= {
            "acc": rows(first.values[:, :3]),
            "acc_unit": "m/s2",
            "gyro": rows(first.values[:, 3:]),
            "gyro_unit": "rad/s",
        }
    return encode(content)
