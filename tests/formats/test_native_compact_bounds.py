import contextlib
import time
import tracemalloc
from collections.abc import Callable

import pytest

from pipeline.formats import FORMATS
from pipeline.readings import MAX_PAYLOAD_BYTES, MessageError
from pipeline.subscriptions import Route
from tests.formats.native_messages import messagepack, raw

ROUTE = Route(FORMATS["native"], "phone-7", "har/phone-7/samples")


def head(first: int, length: int) -> bytes:
    """Return a map's or array's head of five bytes."""
    return bytes([first]) + length.to_bytes(4, "big")


def filled(head_bytes: bytes, element: bytes, n: int | None = None) -> bytes:
    """Return a payload of the largest size, or one with an element so many times."""
    n = (MAX_PAYLOAD_BYTES - len(head_bytes) - 20) // len(element) if n is None else n
    return head_bytes + element * n


def doubled(key: bytes, value: bytes) -> bytes:
    """Return the largest map that repeats a key and its value."""
    entry = bytes([0xA0 + len(key)]) + key + value
    n = (MAX_PAYLOAD_BYTES - 5) // len(entry)
    return head(0xDF, n) + entry * n


def listed(key: bytes, row: bytes, n: int) -> bytes:
    """Return an entry whose value is so many rows."""
    return bytes([0xA0 + len(key)]) + key + head(0xDD, n) + row * n


ROWS, NINES = b"\x93\x00\x00\x00", b"\x99" + bytes(9)
HALF = MAX_PAYLOAD_BYTES // 2
LARGEST: dict[str, bytes] = {
    "rows of small numbers": b"\x81" + listed(b"acc", ROWS, (MAX_PAYLOAD_BYTES - 20) // 4),
    "as many rows as are taken": b"\x84"
    + listed(b"acc", ROWS, 10_000)
    + listed(b"gyro", ROWS, 10_000)
    + listed(b"time", b"\x00", 10_000)
    + listed(b"samples", NINES, 10_000),
    "all sensors": b"\x81\xa7sensors\x86"
    + b"".join(
        bytes([0xA0 + len(name)])
        + name
        + b"\x83"
        + listed(b"time", b"\x01", 10_000)
        + listed(b"values", ROWS, 10_000)
        + b"\xa4unit"
        + unit
        for name, unit in [
            (b"accelerometer", b"\xa1g"),
            (b"accelerometer_uncalibrated"[:26], b"\xa1g"),
            (b"linear_acceleration", b"\xa1g"),
            (b"gravity", b"\xa1g"),
            (b"gyroscope", b"\xa5rad/s"),
            (b"gyroscope_uncalibrated", b"\xa5rad/s"),
        ]
    ),
    "many rows, then few of the same name": b"\x82"
    + listed(b"acc", ROWS, HALF // 4)
    + b"\xa3acc\x90",
    "a row that is too long": b"\x81"
    + listed(b"samples", filled(head(0xDD, 10**6), b"\x00", 10**6), 1),
    "channels": b"\x81" + listed(b"channels", b"\xa2ab", (MAX_PAYLOAD_BYTES - 20) // 3),
    "doubled rows": doubled(b"acc", listed(b"", ROWS, 9_999)[1:]),
    "doubled channels": doubled(b"channels", b"\x99" + b"\xa2ab" * 9),
    "doubled small keys": doubled(b"acc", b"\x90"),
    "unknown keys": doubled(b"x", b"\x00"),
    "unknown maps": filled(b"\x81\xa1x" + head(0xDD, (MAX_PAYLOAD_BYTES - 28)), b"\x80"),
    "unknown ext": doubled(b"x", b"\xd4\x01\x01"),
    "a deep list": b"\x81\xa1x" + b"\x91" * (MAX_PAYLOAD_BYTES - 3),
    "deep rows": b"\x81\xa3acc" + b"\x91" * (MAX_PAYLOAD_BYTES - 5),
    "a long name": b"\x81\xa9recording\xdb" + (10**6).to_bytes(4, "big") + "📱".encode() * 250_000,
    "a long unit": b"\x81\xa8acc_unit\xdb" + (10**6).to_bytes(4, "big") + "📱".encode() * 250_000,
    "binary rows": messagepack(raw(acc=bytes(HALF - 200), gyro=bytes(HALF - 200))),
    "binary rows that are taken": messagepack(raw(acc=bytes(120_000), gyro=bytes(120_000))),
    "binary times": messagepack(raw(time=bytes(HALF))),
    "commas": messagepack(raw(acc=b",{[e" * 30_000, gyro=b"0" * 120_000)),
}
"""The payloads that would take the longest, or the most memory, if lengths were believed."""


@pytest.mark.parametrize("name", LARGEST)
def test_what_the_largest_payloads_cost(name: str) -> None:
    """No payload takes more than 10 MiB, or 50 ms."""
    payload = LARGEST[name]
    assert len(payload) <= MAX_PAYLOAD_BYTES

    def decode() -> None:
        with contextlib.suppress(MessageError):
            ROUTE.decode(payload)

    best_s = min(_process_time_of(decode) for _ in range(5))
    tracemalloc.start()
    decode()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert best_s < 0.05
    assert peak < 10 << 20


def _process_time_of(call: Callable[[], None]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
