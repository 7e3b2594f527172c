"""Messages decoded together: to the last bit what `decode` makes of each by itself."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import native
from pipeline.readings import MessageError, Readings

FLOAT64 = b"\xcb"


def samples(rng: np.random.Generator, n_rows: int) -> dict[str, Any]:
    """Return a document of a phone, without its rows."""
    return {
        "start": 1.79e9 + rng.uniform(0, 1e5),
        "rate": float(rng.choice([50.0, 31.7, 100.0])),
        "acc_unit": str(rng.choice(["m/s2", "g"])),
        "gyro_unit": str(rng.choice(["rad/s", "deg/s"])),
        "acc": rng.uniform(-30, 30, (n_rows, 3)),
        "gyro": rng.uniform(-8, 8, (n_rows, 3)),
    }


def as_json(document: dict[str, Any]) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document, default=np.ndarray.tolist).encode()


def as_float32(document: dict[str, Any]) -> bytes:
    """Return a document in the compact form, its rows as float32."""
    rows = {key: document[key].astype("<f4").tobytes() for key in ("acc", "gyro")}
    return msgspec.msgpack.encode(document | rows)


def as_int16(document: dict[str, Any]) -> bytes:
    """Return a document in the compact form, its rows as int16 with scales."""
    scales = {"acc_scale": 40 / 32_768, "gyro_scale": 10 / 32_768}
    rows = {
        key: np.nan_to_num(document[key] / scales[f"{key}_scale"])
        .clip(-32_768, 32_767)
        .astype("<i2")
        .tobytes()
        for key in ("acc", "gyro")
    }
    return msgspec.msgpack.encode(document | rows | scales)


def as_dated(document: dict[str, Any]) -> bytes:
    """Return a document in the compact form with a time for each row."""
    document = dict(document)
    start = document.pop("start") or 0.0
    rate_hz = document.pop("rate") or 1.0
    times = start + np.arange(len(document["acc"])) / rate_hz
    return as_float32({"time": times.astype("<f8").tobytes()} | document)


WRITINGS = (as_json, as_float32, as_int16, as_dated)
MORE: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"recording": "walk"},
    {"recording": "späz"},
    {"placement": " Waist "},
    {"placement": "pocket"},
    {"convention": "ios"},
    {"battery": [1, {"level": 0.5}]},
    {"v": 1},
    {"v": 2},
    {"acc_unit": "furlong"},
    {"rate": 0.0},
    {"rate": 50},
    {"rate": 2_000.0},
    {"start": -5.0},
    {"start": 1.79e12},
    {"start": None},
    {"time": None},
    {"time": [1.79e9] * 25},
    {"sensors": {}},
    {"channels": ["a"]},
    {"acc_scale": -1.0},
    {"gyro": np.full((25, 3), 1e30)},
    {"gyro": np.zeros((3, 3))},
    {"gyro": np.full((25, 3), np.nan)},
)


def alone(payload: bytes) -> Readings | None:
    """Return what a message holds by itself, None if it cannot be used."""
    try:
        [readings] = native.decode(payload, "phone")
    except MessageError:
        return None
    return readings


def check(payloads: list[bytes]) -> int:
    """Check messages that are decoded together; return how many could be."""
    blocks = native.decode_together(payloads)
    places = [place for block in blocks for place in block.places.tolist()]
    assert len(places) == len(set(places))
    for block in blocks:
        assert block.places.tolist() == sorted(block.places.tolist())
        for i, place in enumerate(block.places.tolist()):
            expected, found = alone(payloads[place]), block.readings(i, "phone")
            assert expected is not None
            assert expected.times.tobytes() == found.times.tobytes()
            assert expected.values.tobytes() == found.values.tobytes()
            keys = ("sensor", "recording", "clock", "convention", "worn_at")
            assert [getattr(expected, key) for key in keys] == [getattr(found, key) for key in keys]
    return len(places)


@given(st.integers(0, 1 << 30))
def test_together_or_alone_is_the_same(seed: int) -> None:
    """Of messages of all forms and sizes, with whatever is wrong or odd about some."""
    rng, chosen = np.random.default_rng(seed), random.Random(seed)
    payloads = []
    for _ in range(chosen.randrange(1, 30)):
        document = samples(rng, chosen.choice([1, 25, 25, 25, 50])) | chosen.choice(MORE)
        payloads.append(chosen.choice(WRITINGS)(document))
    check(payloads)


@given(st.integers(0, 1 << 30), st.sampled_from(WRITINGS))
def test_damaged_messages(seed: int, write: Callable[[dict[str, Any]], bytes]) -> None:
    """Bytes that are changed, taken out or put in lead to what they lead to alone."""
    rng, chosen = np.random.default_rng(seed), random.Random(seed)
    payloads = []
    for _ in range(12):
        payload = bytearray(write(samples(rng, 4) | {"recording": "walk"}))
        for _ in range(chosen.choice([0, 0, 1, 3])):
            place = chosen.randrange(len(payload))
            end = place + chosen.choice([0, 1, 1, 9])
            payload[place:end] = chosen.randbytes(chosen.choice([0, 1, 1, 9]))
        payloads.append(bytes(payload))
    check(payloads)


@pytest.mark.parametrize("write", WRITINGS)
def test_plain_messages_are_decoded_together(write: Callable[[dict[str, Any]], bytes]) -> None:
    """All of one size are in one block, whatever their units, rates, names and scales."""
    rng = np.random.default_rng(1)
    alike = [{"acc_unit": "m/s2", "gyro_unit": "rad/s", "recording": f"{k:04}"} for k in range(40)]
    payloads = [write(samples(rng, 25) | more) for more in alike]
    assert [40] == [len(block) for block in native.decode_together(payloads)]
    assert 40 == check(payloads)


@pytest.mark.parametrize("write", [as_float32, as_int16])
def test_a_wrong_first_message(write: Callable[[dict[str, Any]], bytes]) -> None:
    """A message that is wrong does not keep those after it from being decoded together."""
    rng = np.random.default_rng(2)
    payloads = [write(samples(rng, 25) | {"acc_unit": "m/s2"}) for _ in range(10)]
    payloads[0] = payloads[0].replace(b"m/s2", b"m/h2")
    payloads[1] = payloads[1].replace(FLOAT64 + struct.pack(">d", 50.0), FLOAT64 + bytes(8))
    assert check(payloads) >= 8


def test_what_is_not_plain_is_left_out() -> None:
    """Messages with separate sensors, prepared ones, and such with two forms are not decoded."""
    prepared = {"start": 1.0, "rate": 50, "channels": ["a"] * 9, "samples": [[0] * 9]}
    both = samples(np.random.default_rng(0), 2) | {"sensors": {}}
    for document in ({}, {"sensors": {}}, prepared, both):
        for write in (as_json, msgspec.msgpack.encode):
            if write is msgspec.msgpack.encode and document is both:
                continue
            assert [] == native.decode_together([write(document)])
    assert [] == native.decode_together([b"", b"\x80", b"\x81", b"nonsense", b"\xff", b"[]"])
    assert [] == native.decode_together([])
