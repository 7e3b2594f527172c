"""What the phones of a load send: recordings, cut into messages that are encoded beforehand.

Of a message only the topic, the packet's id and the start time are put in when it is due; in one of
Sensor Logger's the time of each sample. All messages of the compact form are equally long, as those
of phones are that send equally many rows.
"""

import json
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.formats import sensor_logger
from tests.benchmarks.load_plan import (
    COMPACT,
    JSON,
    RATE_HZ,
    ROWS,
    SENSOR_LOGGER,
    UNEVEN,
    device,
)
from tests.benchmarks.mqtt_packets import PUBLISH, remaining_length, text

DECIMALS: Final = 4
"""Of m/s² and rad/s in JSON: finer than a phone's sensors resolve"""
ACC_SCALE: Final = 8 * 9.80665 / 32_768
"""m/s² a step, and rad/s a step, of the compact form: sensors of 16 bits, ±8 g and ±2,000 °/s"""
GYRO_SCALE: Final = float(np.radians(2000.0)) / 32_768
OFFSET: Final = 37
"""Messages by which phones that play one recording are apart"""

_START_JSON: Final = b'{"v":1,"start":%010d.%03d'
_START_COMPACT: Final = b"\x89\xa1v\x01\xa5start\xcb"  # a map of nine, whose second is a float64
_EPOCH_S: Final = struct.Struct(">d")
_START_UNEVEN: Final = b"\x88\xa1v\x01\xa4time\xc4" + bytes([8 * ROWS])
N_PATTERNS: Final = 97
JITTER_S: Final = 0.002
"""Standard deviation of the times in an uneven message. Its first sample and its last two are where
50 Hz has them, so that its rows do not wait for the next."""


class Messages:
    """What phones send, encoded: several recordings, cut into messages."""

    def __init__(self, recordings: NDArray[np.float64], *, qos: int, form: str) -> None:
        """Encode ``recordings`` ``(n, n_samples, 6)`` in m/s² and rad/s for one QoS and form."""
        self.start: Callable[[int], bytes]
        """The beginning of a payload, by the epoch milliseconds of its first sample"""
        self._has_times_between = form == SENSOR_LOGGER
        self.start, tail = {
            JSON: (_json_start, _json_tail),
            COMPACT: (_compact_start, _compact_tail),
            UNEVEN: (_uneven_start, _uneven_tail),
            SENSOR_LOGGER: (_no_start, _sensor_logger_tail),
        }[form]
        self._heads: list[list[bytes]] = []  # of each recording's messages
        self._tails: list[list[bytes]] = []
        fixed = len(topic(0, form)) + (2 if qos else 0)
        first_byte = bytes([PUBLISH | qos << 1])
        for samples in recordings:
            n_messages = len(samples) // ROWS
            tails = [tail(samples[i * ROWS : (i + 1) * ROWS]) for i in range(n_messages)]
            self._tails.append(tails)
            lengths = [sum(map(len, self.payload(each, 0))) for each in tails]
            self._heads.append([first_byte + remaining_length(fixed + n) for n in lengths])

    def message(self, phone: int, number: int) -> tuple[bytes, bytes]:
        """Return what comes before the topic and after the start time of a phone's message.

        Of one of Sensor Logger's the second is what `payload` puts the times into.
        """
        recording = phone % len(self._tails)
        tails = self._tails[recording]
        i = (phone // len(self._tails) * OFFSET + number) % len(tails)
        return self._heads[recording][i], tails[i]

    def payload(self, tail: bytes, epoch_ms: int) -> tuple[bytes, ...]:
        """Return the parts of a payload, by its tail and when its first sample was."""
        if self._has_times_between:
            return (tail % _times_ns(epoch_ms),)
        return self.start(epoch_ms), tail


def topic(phone: int, form: str = JSON) -> bytes:
    """Return the topic of a phone's samples as packets hold it."""
    name = device(phone)
    return text(f"{sensor_logger.TOPIC}/{name}" if form == SENSOR_LOGGER else f"har/{name}/samples")


def _json_start(epoch_ms: int) -> bytes:
    return _START_JSON % divmod(epoch_ms, 1000)


def _compact_start(epoch_ms: int) -> bytes:
    return _START_COMPACT + _EPOCH_S.pack(epoch_ms / 1000)


def _uneven_start(epoch_ms: int) -> bytes:
    times: NDArray[np.float64] = epoch_ms / 1000 + _PATTERNS[epoch_ms % N_PATTERNS]
    return _START_UNEVEN + times.astype("<f8").tobytes()


def _no_start(_: int) -> bytes:
    return b""


def _times_ns(epoch_ms: int) -> tuple[int, ...]:
    """Return when accelerometer and gyroscope measure in turn, in epoch nanoseconds."""
    return tuple([epoch_ms * 1_000_000 + off_ns for off_ns in _PAIRS_NS[epoch_ms % N_PATTERNS]])


def _patterns() -> NDArray[np.float64]:
    """Return when samples are measured, in seconds from the first, ``(n, ROWS)``."""
    off_s = np.random.default_rng(0).normal(scale=JITTER_S, size=(N_PATTERNS, ROWS))
    off_s[:, [0, -2, -1]] = 0.0
    return np.arange(ROWS) / RATE_HZ + np.clip(off_s, -0.4 / RATE_HZ, 0.4 / RATE_HZ)


_PATTERNS: Final = _patterns()
_PAIRS_NS: Final = [
    np.round(np.stack(both, axis=1).ravel() * 1e9).astype(np.int64).tolist()
    for both in zip(_PATTERNS, np.roll(_PATTERNS, 1, axis=0), strict=True)
]


def _json_tail(rows: NDArray[np.float64]) -> bytes:
    numbers = np.round(rows, DECIMALS)
    message = {
        "rate": RATE_HZ,
        "acc": numbers[:, :3].tolist(),
        "acc_unit": "m/s2",
        "gyro": numbers[:, 3:].tolist(),
        "gyro_unit": "rad/s",
    }
    return b"," + json.dumps(message, separators=(",", ":")).encode()[1:]


def _compact_tail(rows: NDArray[np.float64]) -> bytes:
    message = {"v": 1, "start": 0.0, "rate": float(RATE_HZ)} | _compact_samples(rows)
    return msgspec.msgpack.encode(message)[len(_compact_start(0)) :]


def _uneven_tail(rows: NDArray[np.float64]) -> bytes:
    message = {"v": 1, "time": bytes(8 * ROWS)} | _compact_samples(rows)
    return msgspec.msgpack.encode(message)[len(_uneven_start(0)) :]


def _sensor_logger_tail(rows: NDArray[np.float64]) -> bytes:
    """Return a message with room for the times that `_times_ns` has."""
    readings = [
        b'{"name":"%s","time":%%019d,"values":{"z":%.4f,"y":%.4f,"x":%.4f}}' % (name, *values[::-1])
        for row in rows.tolist()
        for name, values in ((b"totalacceleration", row[:3]), (b"gyroscope", row[3:]))
    ]
    return b'{"messageId":1,"sessionId":"a","payload":[' + b",".join(readings) + b"]}"


def _compact_samples(rows: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "acc_unit": "m/s2",
        "gyro_unit": "rad/s",
        "acc_scale": ACC_SCALE,
        "gyro_scale": GYRO_SCALE,
        "acc": _int16(rows[:, :3], ACC_SCALE),
        "gyro": _int16(rows[:, 3:], GYRO_SCALE),
    }


def _int16(values: NDArray[np.float64], scale: float) -> bytes:
    """Return values in steps of a scale, row by row."""
    return np.clip(np.round(values / scale), -32_768, 32_767).astype("<i2").tobytes()
