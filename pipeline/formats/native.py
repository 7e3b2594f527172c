"""The project's own messages: JSON on ``har/<device>/samples``, raw or prepared samples.

Decides whether a message is whole and plausible; what it means over time is decided later.
"""

import re
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MessageError, Readings
from pipeline.signals import CHANNELS, STANDARD_GRAVITY

TOPIC_FILTER: Final = "har/+/samples"

MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_ROWS: Final = 10_000
MAX_RATE_HZ: Final = 1_000.0
MAX_TOTAL_ACC_G: Final = 40.0
"""Phones measure up to 16 g; more than twice that is not a motion."""
MAX_GYRO_RAD_S: Final = 100.0
"""Phones measure up to 4,000 deg/s = 70 rad/s."""
LATEST_TIME_S: Final = 1e11
"""The year 5138: larger times are in milliseconds or nanoseconds by mistake."""

_DEVICE: Final = re.compile(r"[^\x00-\x1f\x7f/+#$][^\x00-\x1f\x7f/+#]{0,63}")

Triple = tuple[float, float, float]
Nine = Annotated[list[float], msgspec.Meta(min_length=9, max_length=9)]


class _Message(msgspec.Struct):
    v: Literal[1] = 1
    start: float | None = None
    rate: Annotated[float, msgspec.Meta(gt=0, le=MAX_RATE_HZ)] | None = None
    time: list[float] | None = None
    acc: list[Triple] | None = None
    acc_unit: Literal["m/s2", "g"] | None = None
    gyro: list[Triple] | None = None
    gyro_unit: Literal["rad/s", "deg/s"] | None = None
    channels: list[str] | None = None
    samples: list[Nine] | None = None
    recording: str = ""


_decoder = msgspec.json.Decoder(_Message)


def decode(topic: str, payload: bytes) -> Readings:
    """Return the samples that a message holds.

    Raises:
        MessageError: topic or payload do not fit the format; nothing of the message is used.
    """
    device = device_of(topic)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError("size", f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are taken")
    try:
        message = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise MessageError("field", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError("json", f"not JSON: {error}") from error
    with np.errstate(over="ignore", invalid="ignore"):  # the checks refuse what overflows
        values = _prepared(message) if message.samples is not None else _raw(message)
        times = _times(message, len(values))
    return Readings(device, times, values, message.recording)


def device_of(topic: str) -> str:
    """Return the device's name, the middle of ``har/<device>/samples``.

    Raises:
        MessageError: another topic, or a name that could not be used in the results' topics.
    """
    levels = topic.split("/")
    if len(levels) != 3 or levels[0] != "har" or levels[2] != "samples":
        raise MessageError("topic", "native samples belong on har/<device>/samples")
    if not _DEVICE.fullmatch(levels[1]):
        raise MessageError(
            "device", "a device name has 1 to 64 characters, no control characters, no leading $"
        )
    return levels[1]


def _raw(message: _Message) -> NDArray[np.float64]:
    """Return ``(n_rows, 6)`` in m/s² and rad/s."""
    acc, gyro = message.acc, message.gyro
    if acc is None or gyro is None:
        raise MessageError("field", "needs acc and gyro, or channels and samples")
    if message.acc_unit is None or message.gyro_unit is None:
        raise MessageError("field", "needs acc_unit (m/s2 or g) and gyro_unit (rad/s or deg/s)")
    if len(acc) != len(gyro):
        raise MessageError("length", f"acc has {len(acc)} rows, gyro {len(gyro)}")
    _check_rows(len(acc))
    values = np.hstack([np.array(acc, np.float64), np.array(gyro, np.float64)])  # (n_rows, 6)
    if message.acc_unit == "g":
        values[:, :3] *= STANDARD_GRAVITY
    if message.gyro_unit == "deg/s":
        values[:, 3:] *= np.pi / 180
    _check_magnitudes(values[:, :3] / STANDARD_GRAVITY, values[:, 3:])
    return values


def _prepared(message: _Message) -> NDArray[np.float64]:
    """Return ``(n_rows, 9)`` in the order of `CHANNELS`."""
    channels, samples = message.channels, message.samples
    assert samples is not None
    if message.acc is not None or message.gyro is not None:
        raise MessageError("field", "has samples and also acc or gyro; send one or the other")
    if channels is None or sorted(channels) != sorted(CHANNELS):
        raise MessageError("field", f"channels must name all nine: {', '.join(CHANNELS)}")
    _check_rows(len(samples))
    order = [channels.index(channel) for channel in CHANNELS]
    values = np.array(samples, np.float64)[:, order]
    _check_magnitudes(values[:, [0, 1, 2, 6, 7, 8]], values[:, 3:6])
    return values


def _times(message: _Message, n_rows: int) -> NDArray[np.float64]:
    """Return each row's time in seconds since the epoch."""
    if message.time is not None:
        if message.start is not None or message.rate is not None:
            raise MessageError("field", "has time and also start or rate; send one or the other")
        times = np.array(message.time, np.float64)
        if len(times) != n_rows:
            raise MessageError("length", f"time has {len(times)} entries for {n_rows} rows")
    elif message.start is None or message.rate is None:
        raise MessageError("field", "needs start and rate, or time")
    else:
        times = message.start + np.arange(n_rows) / message.rate
    if not (times.min() >= 0 and times.max() < LATEST_TIME_S):
        raise MessageError("time", f"times must be seconds since 1970, but one is {times[0]:g}")
    return times


def _check_rows(n_rows: int) -> None:
    if not 1 <= n_rows <= MAX_ROWS:
        raise MessageError("length", f"{n_rows} rows; 1 to {MAX_ROWS} are taken")


def _check_magnitudes(acc_g: NDArray[np.float64], gyro_rad_s: NDArray[np.float64]) -> None:
    """Refuse what no phone can have measured; infinities fail here too."""
    for what, values, limit, unit in (
        ("acceleration", acc_g, MAX_TOTAL_ACC_G, "g"),
        ("angular velocity", gyro_rad_s, MAX_GYRO_RAD_S, "rad/s"),
    ):
        largest = np.abs(values).max()
        if not largest <= limit:
            raise MessageError(
                "magnitude",
                f"an {what} of {largest:.4g} {unit} (at most {limit:g}): is the unit right?",
            )
