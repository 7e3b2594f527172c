"""The compact payloads that are worst for a decoder: as large as they may be, of what costs most.

MessagePack declares its lengths, which may be wrong or enormous, and repeats keys as it likes.
"""

from typing import Final

import msgspec

from pipeline.readings import MAX_PAYLOAD_BYTES, MAX_ROWS

HALF: Final = MAX_PAYLOAD_BYTES // 2
ROW: Final = b"\x93\x00\x00\x00"
NINE: Final = b"\x99" + bytes(9)
WIDE: Final = "📱".encode() * 250_000


def text(value: bytes) -> bytes:
    """Return a short text."""
    return bytes([0xA0 | len(value)]) + value if len(value) < 32 else b"\xd9%c" % len(value) + value


def many(first: int, elements: bytes, n: int) -> bytes:
    """Return a list, map or long text whose head declares so many elements."""
    return bytes([first]) + n.to_bytes(4, "big") + elements


def rows(key: bytes, row: bytes, n: int = MAX_ROWS) -> bytes:
    """Return a key with so many rows."""
    return text(key) + many(0xDD, row * n, n)


def sensor(name: bytes, unit: bytes) -> bytes:
    """Return a sensor of as many rows as are taken."""
    samples = rows(b"time", b"\x01") + rows(b"values", ROW)
    return text(name) + b"\x83" + samples + text(b"unit") + text(unit)


def repeated(key: bytes, value: bytes) -> bytes:
    """Return the largest map of one key and its value."""
    entry = text(key) + value
    n = (MAX_PAYLOAD_BYTES - 5) // len(entry)
    return many(0xDF, entry * n, n)


def binary(**changes: bytes) -> bytes:
    """Return a message of binary rows with some of them changed."""
    one = {"acc": bytes(12), "acc_unit": "g", "gyro": bytes(12), "gyro_unit": "rad/s"}
    return msgspec.msgpack.encode({"start": 1.0, "rate": 50.0} | one | changes)


COMPACT: Final[dict[str, bytes]] = {
    "rows": b"\x81" + rows(b"acc", ROW, (MAX_PAYLOAD_BYTES - 20) // len(ROW)),
    "rows that are taken": b"\x84"
    + rows(b"acc", ROW)
    + rows(b"gyro", ROW)
    + rows(b"time", b"\x00")
    + rows(b"samples", NINE),
    "sensors": b"\x81\xa7sensors\x86"
    + sensor(b"accelerometer", b"g")
    + sensor(b"accelerometer_uncalibrated", b"g")
    + sensor(b"linear_acceleration", b"g")
    + sensor(b"gravity", b"g")
    + sensor(b"gyroscope", b"rad/s")
    + sensor(b"gyroscope_uncalibrated", b"rad/s"),
    "rows, and fewer under the same key": b"\x82"
    + rows(b"acc", ROW, HALF // len(ROW))
    + rows(b"acc", ROW, 1),
    "a row that is too long": b"\x81" + rows(b"samples", many(0xDD, bytes(10**6), 10**6), 1),
    "times": b"\x81" + rows(b"time", b"\x00", 10**6),
    "channels": b"\x81" + rows(b"channels", b"\xa2ab", MAX_PAYLOAD_BYTES // 4),
    "one key": repeated(b"acc", b"\x90"),
    "one key, of rows that are taken": repeated(b"acc", many(0xDD, ROW * 9_999, 9_999)),
    "one key, of channels": repeated(b"channels", b"\x99" + b"\xa2ab" * 9),
    "unknown keys": repeated(b"x", b"\x00"),
    "unknown ext": repeated(b"x", b"\xd4\x01\x01"),
    "unknown maps": b"\x81" + rows(b"x", b"\x80", 10**6),
    "depth": b"\x81\xa1x" + b"\x91" * (MAX_PAYLOAD_BYTES - 3),
    "depth of maps": b"\x81\xa0" * HALF,
    "depth of rows": b"\x81\xa3acc" + b"\x91" * (MAX_PAYLOAD_BYTES - 5),
    "recording": b"\x81\xa9recording" + many(0xDB, WIDE, len(WIDE)),
    "unit": b"\x81\xa8acc_unit" + many(0xDB, WIDE, len(WIDE)),
    "convention": b"\x81\xaaconvention" + many(0xDB, WIDE, len(WIDE)),
    "more than there is": b"\x81\xa3acc" + many(0xDD, bytes(10**6), 2**32 - 1),
    "more bytes than there are": b"\x81\xa3acc" + many(0xC6, bytes(10**6), 2**32 - 1),
    "binary rows": binary(acc=bytes(HALF - 200), gyro=bytes(HALF - 200)),
    "binary rows that are taken": binary(acc=bytes(12 * MAX_ROWS), gyro=bytes(12 * MAX_ROWS)),
    "binary times": binary(time=bytes(HALF)),
    "what JSON is counted by": binary(acc=b",{[e" * 30_000, gyro=b"0" * 120_000),
}
"""Payloads that would take the longest, or the most memory, if their lengths were believed"""
