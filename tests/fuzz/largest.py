"""The payloads that are worst for a decoder: as large as they may be, of the costliest parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.calibration_message import MAX_CALIBRATION_BYTES
from pipeline.commands.record.labels import MAX_LABEL_BYTES
from pipeline.readings import (
    HARMLESS_PAYLOAD_BYTES,
    MAX_EXTREME_NUMBERS,
    MAX_OBJECTS,
    MAX_PAYLOAD_BYTES,
    MAX_VALUES,
)

WIDE: Final = "📱".encode()
"""A character for whose sake Python takes four bytes for each of a text"""


@dataclass(frozen=True)
class Filling:
    """A message in which something stands again and again."""

    head: bytes
    part: Callable[[int], bytes]
    tail: bytes

    def payload(self, *, size: int, n_parts: int | None = None) -> bytes:
        """Return a payload of so many bytes, and so many parts at most."""
        payload = bytearray(self.head)
        i = 0
        while i != n_parts:
            part = self.part(i)
            if len(payload) + len(part) + len(self.tail) > size:
                break
            payload += part
            i += 1
        return bytes(payload.removesuffix(b",").ljust(size - len(self.tail))) + self.tail

    @property
    def n_parts(self) -> int:
        """As many parts as a message may have, whatever its size."""
        part = self.part(1)
        n_values = part.count(b",") + part.count(b"[") + part.count(b"{")
        n_objects = part.count(b"{")
        return min(
            (MAX_VALUES - 100) // n_values if n_values else MAX_PAYLOAD_BYTES,
            (MAX_OBJECTS - 10) // n_objects if n_objects else MAX_PAYLOAD_BYTES,
        )


def always(part: bytes) -> Callable[[int], bytes]:
    """Return a part that is the same all the time."""
    return lambda i: part


def extreme_before(part: bytes) -> Callable[[int], bytes]:
    """Return a part that begins with as many extreme numbers as there may be."""
    return lambda i: b"1e308," if i < MAX_EXTREME_NUMBERS else part


NATIVE: Final = b'{"start":1,"rate":1,"acc_unit":"g","gyro_unit":"rad/s","gyro":[[0,0,0]],'
CHANNELS: Final = (
    b'{"start":1,"rate":1,"channels":["body_acc_x","body_acc_y","body_acc_z","body_gyro_x",'
    b'"body_gyro_y","body_gyro_z","total_acc_x","total_acc_y","total_acc_z"],"samples":['
)
BROWSER: Final = b'{"unit":"g","gyro_unit":"rad/s","samples":['
SENSOR_LOGGER: Final = b'{"deviceId":"a","payload":['
PHYPHOX: Final = b'{"accX":1,"accY":1,"accZ":1,"t":'
SPOT: Final = b'{"type":"android.sensor.gravity","timestamp":1,"values":['
UP: Final = b'"time":0,"values":{"x":0,"y":0,"z":9}'

FILLINGS: Final[dict[str, dict[str, Filling]]] = {
    "native": {
        "rows": Filling(NATIVE + b'"acc":[', always(b"[0,0,9],"), b"]}"),
        "times": Filling(NATIVE + b'"time":[', always(b"0,"), b"]}"),
        "extreme times": Filling(NATIVE + b'"time":[', extreme_before(b"9,"), b"]}"),
        "huge times": Filling(NATIVE + b'"time":[', always(b"1e308,"), b"]}"),
        "tiny times": Filling(NATIVE + b'"time":[', always(b"5e-324,"), b"]}"),
        "halfway times": Filling(NATIVE + b'"time":[', always(b"1e23,"), b"]}"),
        "long halfway": Filling(NATIVE + b'"time":[', always(b"9007199254740993.0,"), b"]}"),
        "tiny without exponent": Filling(
            NATIVE + b'"time":[', always(b"0." + b"0" * 225 + b"12345678901234567e-99,"), b"]}"
        ),
        "huge without exponent": Filling(NATIVE + b'"time":[', always(b"1" * 309 + b","), b"]}"),
        "99 zeros": Filling(
            NATIVE + b'"time":[', always(b"0." + b"0" * 97 + b"12345678901234567e-99,"), b"]}"
        ),
        "prepared": Filling(CHANNELS, always(b"[0,0,0,0,0,0,0,0,0],"), b"]}"),
        "channels": Filling(b'{"samples":[],"channels":[', lambda i: b'"%x",' % (i * i), b"]}"),
        "sensor": Filling(
            b'{"sensors":{"gravity":{"unit":"g","time":[0],"values":[', always(b"[0,0,9],"), b"]}}}"
        ),
        "unit": Filling(NATIVE + b'"acc_unit":"', always(b"a"), WIDE + b'"}'),
        "recording": Filling(NATIVE + b'"acc":[[0,0,0]],"recording":"', always(WIDE), b'"}'),
        "sensor's name": Filling(b'{"sensors":{"' + WIDE, always(b"a"), b'":0}}'),
        "unknown lists": Filling(NATIVE + b'"x":[', always(b"[],"), b"]}"),
        "unknown keys": Filling(NATIVE, lambda i: b'"%x":0,' % i, b'"x":0}'),
        "one key": Filling(NATIVE, always(b'"acc":[[0,0,0],[0,0,0]],'), b'"v":1}'),
        "depth": Filling(NATIVE + b'"x":', always(b"["), b"}"),
        "digits": Filling(NATIVE + b'"time":[', always(b"9"), b"]}"),
        "blanks": Filling(NATIVE[:-1], always(b" "), b"}"),
    },
    "browser": {
        "samples": Filling(
            BROWSER, always(b'{"t":0,"agx":0,"agy":0,"agz":1,"rx":0,"ry":0,"rz":0},'), b"]}"
        ),
        "without a number": Filling(
            BROWSER, always(b'{"t":0,"agx":0,"agy":0,"agz":1,"rx":0,"ry":0,"rz":null},'), b"]}"
        ),
        "unit": Filling(b'{"gyro_unit":"rad/s","samples":[],"unit":"', always(b"a"), WIDE + b'"}'),
        "device": Filling(BROWSER + b'],"device":"', always(WIDE), b'"}'),
    },
    "sensor-logger": {
        "readings": Filling(SENSOR_LOGGER, always(b'{"name":"gravity",' + UP + b"},"), b"]}"),
        "names alone": Filling(SENSOR_LOGGER, always(b'{"name":"gravity"},'), b"]}"),
        "names": Filling(SENSOR_LOGGER, lambda i: b'{"name":"%x"},' % i, b"]}"),
        "long names": Filling(SENSOR_LOGGER, lambda i: b'{"name":"_%062x"},' % i, b"]}"),
        "a long name": Filling(SENSOR_LOGGER + b'{"name":"', always(b"a_"), b'"}]}'),
        "lists for an accuracy": Filling(
            SENSOR_LOGGER + b'{"name":"gravity","accuracy":[', always(b"[],"), b"]}]}"
        ),
        "annotations": Filling(
            SENSOR_LOGGER, always(b'{"name":"annotation","time":0,"values":{"text":"ab"}},'), b"]}"
        ),
        "a thousand annotations": Filling(
            SENSOR_LOGGER,
            lambda i: b'{"name":"annotation","time":0,"values":{"text":"%s"}},' % (b"ab" * 490),
            b"]}",
        ),
        "long times": Filling(
            SENSOR_LOGGER,
            always(b'{"name":"gravity",' + UP.replace(b":0", b":" + b"9" * 4300, 1) + b"},"),
            b"]}",
        ),
        "session": Filling(b'{"deviceId":"a","payload":[],"sessionId":"', always(WIDE), b'"}'),
    },
    "phyphox": {
        "times": Filling(PHYPHOX + b"[", always(b"0,"), b"]}"),
        "nulls": Filling(PHYPHOX + b"[", always(b"null,"), b"]}"),
        "extreme times": Filling(PHYPHOX + b"[", extreme_before(b"9,"), b"]}"),
        "keys": Filling(b"{", lambda i: b'"%x":0,' % i, b'"x":0}'),
        "a long key": Filling(b'{"', always(b"a_"), b'":0}'),
        "starts": Filling(
            PHYPHOX + b'0,"time":{"events":[',
            always(b'{"event":"START","experimentTime":0,"systemTime":0},'),
            b"]}}",
        ),
        "recording": Filling(PHYPHOX + b'0,"time":{"events":[{"event":"', always(WIDE), b'"}]}}'),
    },
    "sensorspot": {
        "values": Filling(SPOT, always(b"0,"), b"]}"),
        "extreme values": Filling(SPOT, extreme_before(b"9,"), b"]}"),
        "type": Filling(b'{"type":"', always(WIDE), b'"}'),
        "timestamp": Filling(b'{"type":"android.sensor.gravity","timestamp":1', always(b"0"), b"}"),
    },
    "calibration": {
        "numbers": Filling(b'{"v":1,"rotation":[[', always(b"0,"), b"]]}"),
        "tiny numbers": Filling(b'{"v":1,"rotation":[[', always(b"5e-324,"), b"]]}"),
        "rows": Filling(b'{"v":1,"rotation":[', always(b"[1,0,0],"), b"]}"),
        "depth": Filling(b'{"v":1,"x":', always(b"["), b"}"),
    },
    "label": {
        "letters": Filling(b"", always("ΐ".encode()), b""),  # three in upper case
        "spaces": Filling(b"", always(b"a "), WIDE),
        "text": Filling(b'{"label":"', always(b"a"), WIDE + b'"}'),
        "depth": Filling(b'{"label":"a","x":', always(b"["), b"}"),
    },
}
"""What messages may be filled with, by their kind"""

SIZES: Final = {"calibration": MAX_CALIBRATION_BYTES, "label": MAX_LABEL_BYTES}
"""Largest messages of a kind, where they are not `MAX_PAYLOAD_BYTES`"""


def largest(kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is worst for a kind of message, with its name.

    Each filling fills the largest payload, and payloads so small that its values or nothing of it
    are counted, and is in the largest payload as often as it may be.
    """
    for name, filling in FILLINGS[kind].items():
        size = SIZES.get(kind, MAX_PAYLOAD_BYTES)
        yield f"{name}, all", filling.payload(size=size)
        if size > MAX_VALUES:
            yield f"{name}, uncounted", filling.payload(size=MAX_VALUES)
            yield f"{name}, unchecked", filling.payload(size=HARMLESS_PAYLOAD_BYTES)
            yield f"{name}, at the limit", filling.payload(size=size, n_parts=filling.n_parts)
