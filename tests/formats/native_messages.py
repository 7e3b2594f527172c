"""Messages in the native format, right and wrong ones, and what comes of them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pipeline.formats import native
from pipeline.readings import MessageError, Readings

EXAMPLES = Path(__file__).parent / "examples"
REASONS = {"device", "size", "json", "format", "field", "length", "time", "magnitude"}


def example(name: str) -> dict[str, Any]:
    """Return one of the example messages."""
    message: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_bytes())
    return message


def raw(**changes: object) -> dict[str, Any]:
    """Return a message of raw samples, with some entries changed."""
    return example("native") | changes


def prepared(**changes: object) -> dict[str, Any]:
    """Return a message of prepared samples, with some entries changed."""
    return example("native-prepared") | changes


def sensor(**changes: object) -> dict[str, Any]:
    """Return one sensor's samples at times of their own, with some entries changed."""
    whole = {"time": [1698501144.4], "values": [[0.1, 0.2, 0.3]], "unit": "m/s2"}
    return whole | changes


def separate(**sensors: object) -> dict[str, Any]:
    """Return a message of separate sensors."""
    return {"v": 1, "sensors": sensors}


def without(message: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a message that lacks some keys."""
    return {key: value for key, value in message.items() if key not in keys}


def float32(rows: object) -> bytes:
    """Return rows of numbers as the bytes of the compact form."""
    with np.errstate(over="ignore"):
        return np.array(rows, "<f4").tobytes()


def int16(rows: object) -> bytes:
    """Return rows of integers as the bytes of the compact form."""
    return np.array(rows, "<i2").tobytes()


def float64(times: object) -> bytes:
    """Return times as the bytes of the compact form."""
    return np.array(times, "<f8").tobytes()


def as_bin(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose rows are float32 and whose times float64, as bytes."""
    binary: dict[str, Any] = dict.fromkeys(["acc", "gyro", "samples", "values"], float32)
    binary |= {"time": float64, "start": float}  # no integer of over 64 bits
    changed = {key: binary[key](value) for key, value in message.items() if key in binary}
    if "sensors" in message:
        changed["sensors"] = {name: as_bin(one) for name, one in message["sensors"].items()}
    return message | changed


def messagepack(message: object) -> bytes:
    """Return a message as MessagePack."""
    return msgspec.msgpack.encode(message)


def decode(message: object) -> Readings:
    """Return the readings that a message of one sensor holds."""
    (readings,) = native.decode(json.dumps(message).encode(), "phone-7")
    return readings


def reason_of(message: object, device: str | None = "phone-7") -> str:
    """Return the reason for which a message is rejected."""
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    with pytest.raises(MessageError) as rejected:
        native.decode(payload, device)
    assert str(rejected.value)
    return rejected.value.reason
