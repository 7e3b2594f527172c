import json
import re
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pipeline.formats import FORMATS
from pipeline.readings import MAX_PAYLOAD_BYTES, MAX_ROWS, MessageError, Readings
from pipeline.vocabulary import CHANNELS
from tests.fuzz.fuzzer import (
    DECODERS,
    LARGE_BYTES,
    MAX_MEMORY_BYTES,
    MAX_TIME_S,
    Cost,
    Decoder,
    Fuzzer,
    fuzz,
    judge,
    places,
    seeds,
)
from tests.fuzz.largest import FILLINGS, largest
from tests.fuzz.largest_compact import COMPACT
from tests.fuzz.run import run

N_INPUTS: Final = 10_000
"""Over all kinds of message"""

TIMES: Final = [round(1698501144.4 + i / 50, 3) for i in range(MAX_ROWS)]
ACC: Final = [[round(0.1234567 + i / 1e5, 7), -9.8012345, 1.05] for i in range(MAX_ROWS)]
GYRO: Final = [[0.0123456, -0.02, round(i / 1e5, 7)] for i in range(MAX_ROWS)]
MOTION: Final = {"acc": ACC, "acc_unit": "m/s2", "gyro": GYRO, "gyro_unit": "rad/s"}
N_LONG: Final = 8_000
"""Rows of formats that say so much of a row that `MAX_ROWS` do not fit in a payload"""


def columns(rows: list[list[float]], **names: str) -> dict[str, list[float]]:
    """Return the columns x, y and z of rows under other names."""
    return {names[axis]: [row[i] for row in rows] for i, axis in enumerate("xyz")}


LEGAL: Final[dict[str, tuple[str, Any, int]]] = {
    "native": ("native", MOTION | {"start": TIMES[0], "rate": 50}, MAX_ROWS),
    "native, dated": ("native", MOTION | {"time": TIMES}, MAX_ROWS),
    "native, prepared": (
        "native",
        {
            "time": TIMES,
            "channels": CHANNELS,
            "samples": [
                [round(x / 10, 6) for x in acc + gyro + acc]
                for acc, gyro in zip(ACC, GYRO, strict=True)
            ],
        },
        MAX_ROWS,
    ),
    "native, two sensors": (
        "native",
        {
            "sensors": {
                "accelerometer": {"time": TIMES, "values": ACC, "unit": "m/s2"},
                "gyroscope": {"time": TIMES, "values": GYRO, "unit": "rad/s"},
            }
        },
        MAX_ROWS,
    ),
    "browser": (
        "browser",
        {
            "unit": "m/s2",
            "gyro_unit": "rad/s",
            "samples": [
                {"t": t, "agx": a[0], "agy": a[1], "agz": a[2], "rx": g[0], "ry": g[1], "rz": g[2]}
                for t, a, g in zip(TIMES[:N_LONG], ACC, GYRO, strict=False)
            ],
        },
        N_LONG,
    ),
    "phyphox": (
        "phyphox",
        {"t": TIMES, "gyrT": TIMES}
        | columns(ACC, x="accX", y="accY", z="accZ")
        | columns(GYRO, x="gyrX", y="gyrY", z="gyrZ"),
        MAX_ROWS,
    ),
    "sensor-logger": (
        "sensor-logger",
        {
            "deviceId": "phone-7",
            "payload": [
                {"name": "gyroscope", "time": int(t * 1e9), "values": {"x": x, "y": y, "z": z}}
                for t, (x, y, z) in zip(TIMES[:N_LONG], GYRO, strict=False)
            ],
        },
        N_LONG,
    ),
}
"""Format, message and number of rows of messages as long as phones may send"""


@pytest.mark.parametrize("kind", DECODERS)
def test_ten_thousand_inputs(kind: str) -> None:
    """Whatever is sent, nothing but a MessageError is raised, within the limits of time and memory.

    The inputs are the same in every run.
    """
    n_inputs = -(-N_INPUTS // len(DECODERS))
    cost, findings = fuzz(kind, DECODERS[kind], seeds(kind), n_inputs=n_inputs, seed=0)
    assert [] == [(finding.fault, finding.payload[:200]) for finding in findings]
    assert n_inputs == cost.n_inputs
    assert cost.n_taken > n_inputs / 50  # the inputs are not all too wrong to get far


@pytest.mark.parametrize("kind", DECODERS)
def test_kept_inputs(kind: str) -> None:
    """What was once a finding, or looks like one, stays within the limits."""
    faults = {
        name: judge(decode, payload, Cost(), with_memory=True)
        for name, payload in seeds(kind).items()
        for decode in DECODERS[kind]
    }
    assert dict.fromkeys(seeds(kind)) == faults


@pytest.mark.parametrize("kind", FILLINGS)
def test_the_largest_payloads(kind: str) -> None:
    """The payloads that cost most stay within the limits of time and memory."""
    decode = DECODERS[kind][-1]
    faults = {
        name: fault
        for name, payload in largest(kind)
        if (fault := judge(decode, payload, Cost(), with_memory=True)) is not None
    }
    assert {} == faults


@pytest.mark.parametrize("name", COMPACT)
def test_the_largest_compact_payloads(name: str) -> None:
    """Whatever lengths they declare, and whatever they repeat, they stay within the limits."""
    assert len(COMPACT[name]) <= MAX_PAYLOAD_BYTES
    assert judge(DECODERS["native"][-1], COMPACT[name], Cost(), with_memory=True) is None


@pytest.mark.parametrize("name", [name for name in LEGAL if name.startswith("native")])
def test_long_messages_as_messagepack(name: str) -> None:
    """As many rows as are taken are taken as lists in MessagePack, too."""
    _, message, n_rows = LEGAL[name]
    payload = msgspec.msgpack.encode(message)
    assert judge(DECODERS["native"][-1], payload, Cost(), with_memory=True) is None
    contents = DECODERS["native"][-1](payload)
    assert isinstance(contents, Sequence)
    assert [n_rows] * len(contents) == [len(readings.times) for readings in contents]


@pytest.mark.parametrize("name", LEGAL)
def test_long_messages(name: str) -> None:
    """A phone's message of as many rows as are taken is taken, and within the limits."""
    kind, message, n_rows = LEGAL[name]
    payload = json.dumps(message, separators=(",", ":")).encode()
    decode = DECODERS[kind][-1]
    assert len(payload) > MAX_PAYLOAD_BYTES / 2
    assert judge(decode, payload, Cost(), with_memory=True) is None
    contents = decode(payload)
    assert isinstance(contents, Sequence)
    for readings in contents:
        assert isinstance(readings, Readings)
        assert n_rows == len(readings.times)


def test_every_kind_has_its_worst() -> None:
    """Each format, and whatever else phones' messages are decoded by, is tried with the largest."""
    assert {*FORMATS, "calibration", "label"} == set(DECODERS) == set(FILLINGS)


def test_every_kind_has_kept_inputs() -> None:
    """Each kind of message has inputs of its own, and those for all."""
    for kind in DECODERS:
        names = list(seeds(kind))
        assert any(name.startswith(kind) for name in names)
        assert "any-empty.bin" in names


def test_inputs_are_those_of_their_seed() -> None:
    """The same seed gives the same inputs, another one others; none is too large."""
    kept = seeds("native")
    one, again, other = (
        list(islice(Fuzzer(kept, seed).inputs(), 2_000)) for seed in ("1", "1", "2")
    )
    assert one == again
    assert len(set(one) & set(other)) < 100
    assert LARGE_BYTES < max(len(payload) for payload in one) <= MAX_PAYLOAD_BYTES


def test_places() -> None:
    """All values and keys are found, whatever is within a text."""
    payload = rb'{"a[\"":[1, {}],"b":-2e3}'
    found = {payload[begin:end] for begin, end in places(payload)}
    assert {payload, rb'"a[\""', b"[1, {}]", b"1", b"{}", b'"b"', b"-2e3"} == found


def slow(payload: bytes) -> None:
    """Take longer than a decoder may."""
    end = time.process_time() + 1.1 * MAX_TIME_S
    while time.process_time() < end:
        pass


def greedy(payload: bytes) -> None:
    """Take more memory than a decoder may."""
    bytes(MAX_MEMORY_BYTES + 1)


def broken(payload: bytes) -> None:
    """Raise something else than a decoder may."""
    raise RecursionError


def silent(payload: bytes) -> None:
    """Raise an error that explains nothing."""
    raise MessageError("field", "")


def vague(payload: bytes) -> None:
    """Raise an error for a reason that nobody counts."""
    raise MessageError("somehow", "it is wrong")  # type: ignore[arg-type]


def wrong(payload: bytes) -> list[str]:
    """Return what is no reading."""
    return ["reading"]


@pytest.mark.parametrize(
    ("decode", "fault"),
    [
        (slow, "took .* ms"),
        (greedy, "took 10.0 MiB"),
        (broken, "raised RecursionError"),
        (silent, "an explanation of 0 characters"),
        (vague, "rejected for 'somehow'"),
        (wrong, "gave .*reading"),
    ],
)
def test_what_is_a_finding(decode: Decoder, fault: str) -> None:
    """Too much time or memory, other errors and implausible results are each told."""
    found = judge(decode, b"", Cost(), with_memory=True)
    assert found is not None
    assert re.match(fault, found)


def test_a_finding_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run with a finding says so, is not well, and keeps the input."""
    decoders = {"label": DECODERS["label"], "native": (broken,)}
    _, is_well = run(decoders, n_inputs=100, seed=1, folder=tmp_path)
    assert not is_well
    kept = list(tmp_path.iterdir())
    assert 1 <= len(kept) <= 5
    assert all(file.name.startswith("native-found-") for file in kept)
    printed = capsys.readouterr().out
    assert "raised RecursionError()" in printed
    assert str(kept[0]) in printed


def test_a_run_without_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without findings is well, and its figures tell the worst of each kind."""
    (figure,), is_well = run({"label": DECODERS["label"]}, n_inputs=100, seed=1, folder=tmp_path)
    assert is_well
    assert [] == list(tmp_path.iterdir())
    assert figure.value > 0
    assert "100;" in figure.detail
    assert "0 findings" in figure.detail
    assert str(figure) in capsys.readouterr().out
