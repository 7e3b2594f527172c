"""The native message of a replay's readings, which loses nothing of them.

Samples that have a rate are sent by start and rate, others each with its time.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.readings import Readings, Sensor
from pipeline.vocabulary import CHANNELS

SEPARATE: Final[tuple[Sensor, ...]] = (
    "accelerometer",
    "accelerometer_uncalibrated",
    "linear_acceleration",
    "gravity",
    "gyroscope",
    "gyroscope_uncalibrated",
)
"""The sensors of a native message in which each has its own times, in its order."""


def native_message(
    readings: Sequence[Readings], *, recording: str, rate_hz: float | None = None
) -> bytes:
    """Return the native message for readings.

    Args:
        readings: of ``motion`` or ``prepared`` one, of the others at most one each, in the order of
            `SEPARATE`.
        recording: the sender's name for the recording.
        rate_hz: how many samples a second they are, if they are evenly spaced.
    """
    first = readings[0]
    content: dict[str, object] = {"v": 1}
    if rate_hz is not None:
        # To a microsecond: 16 digits of epoch seconds say no more.
        content |= {"start": round(float(first.times[0]), 6), "rate": rate_hz}
    content["recording"] = recording
    if first.worn_at is not None and first.sensor != "prepared":  # those tell it by themselves
        content["placement"] = first.worn_at
    if first.sensor in SEPARATE:
        content["sensors"] = {
            of_sensor.sensor: {
                "time": of_sensor.times.tolist(),
                "values": of_sensor.values.tolist(),
                "unit": "rad/s" if of_sensor.sensor.startswith("gyroscope") else "m/s2",
            }
            for of_sensor in readings
        }
        return msgspec.json.encode(content)
    if rate_hz is None:
        content["time"] = first.times.tolist()
    if first.sensor == "prepared":
        content |= {"channels": CHANNELS, "samples": first.values.tolist()}
    else:
        content |= {
            "acc": first.values[:, :3].tolist(),
            "acc_unit": "m/s2",
            "gyro": first.values[:, 3:].tolist(),
            "gyro_unit": "rad/s",
        }
    return msgspec.json.encode(content)
