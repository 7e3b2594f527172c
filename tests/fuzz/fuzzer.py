"""Messages that are wrong in any way, and what may come of them.

What is decoded, how inputs are made out of the kept ones, and what a decoder may do are decided
here; how many inputs there are, in `test_fuzz` and `run`.
"""

import gc
import json
import math
import random
import re
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.calibration_message import decode_calibration
from pipeline.commands.record.labels import decode_label
from pipeline.formats import FORMATS
from pipeline.readings import (
    MAX_PAYLOAD_BYTES,
    Label,
    MessageError,
    Readings,
    is_messagepack,
)
from pipeline.subscriptions import parse, route

SEEDS: Final = Path(__file__).parent / "seeds"
EXAMPLES: Final = Path(__file__).parents[1] / "formats" / "examples"

MAX_TIME_S: Final = 0.05
"""Processor time of a decoder"""
MAX_MEMORY_BYTES: Final = 10 << 20
"""Of a decoder, at once"""
REPEATS: Final = 3
"""How often a decoder that took too long may try: something else may have had the processor."""
REASONS: Final = {
    "device", "size", "json", "format", "field", "length", "time", "magnitude",
    "calibration", "label",
}  # fmt: skip

LARGE_BYTES: Final = 1 << 16
"""From here on an input's memory is measured, which takes longer than to decode it."""
LARGE_EVERY: Final = 200
"""One input in so many is blown up, to any size up to the largest."""

MOST_FINDINGS: Final = 5

Decoder = Callable[[bytes], object]


def _through(subscription: str, topic: str) -> Decoder:
    found = route([parse(subscription)], topic)
    assert found is not None
    return found.decode


def _decoders() -> dict[str, tuple[Decoder, ...]]:
    decoders: dict[str, tuple[Decoder, ...]] = {
        name: (
            _through(f"{one.topic}={name}", one.topic.replace("+", "phone-7").replace("/#", "")),
            _through(f"lab/#={name}", "lab"),
            _through(f"lab/+={name}", "lab/phone-7"),
        )
        for name, one in FORMATS.items()
    }
    return decoders | {"calibration": (decode_calibration,), "label": (decode_label,)}


DECODERS: Final = _decoders()
"""What decodes which kind of message: each format as har-stream would read it on its usual topic,
on one that names no device, and on one that does."""


def seeds(kind: str) -> dict[str, bytes]:
    """Return the kept inputs of a kind of message by their file's name, which begins with it.

    Names that begin with ``any`` are for all kinds.
    """
    files = sorted([*EXAMPLES.iterdir(), *SEEDS.iterdir()])
    return {
        file.name: file.read_bytes()
        for file in files
        if f"{file.stem}-".startswith((f"{kind}-", "any-"))
    }


# Inputs

VALUES: Final = (
    b"0", b"-0", b"-1", b"0.1", b"5e-324", b"1e-310", b"1.7976931348623157e308", b"1e999", b"1e23",
    b"1E+2", b"1698501144.4", b"1698501144401773000", b"1e11", b"400", b"9" * 19, b"9" * 20,
    b"9" * 400, b"9" * 4300, b"9" * 5000, b"0." + b"1" * 800, b"null", b"true", b"false",
    b"{}", b"[]", b"[[]]", b"[null]", b'{"":null}', b'""', b'"x"', b'"m\\/s2"',
    b'"\\ud83d\\ude00"', b'"\\u0000"', '"📱"'.encode(), b'"' + b"a" * 3000 + b'"',
)  # fmt: skip
FRAGMENTS: Final = (
    b"NaN", b"Infinity", b"-Infinity", b"00", b"1.", b".5", b"+1", b"0x10", b"-1e999", b"e5",
    b'"\\ud800"', b'"\\udc00"', b'"\\x"', b'"\xff"', b'"\xed\xa0\x80"', b"[" * 1500,
    b'{"a":' * 1500, b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\x00", b"\xef\xbb\xbf",
    b" " * 100, b"/**/", b"\x91" * 1500, b"\xc0", b"\xc1", b"\xcb\x7f\xf8" + bytes(6),
    b"\xdd\xff\xff\xff\xff", b"\xdc\x27\x11",
    b"\xc6\x00\x0f\xff\xf0", b"\xc4\x01", b"\xd4\x01",
)  # fmt: skip
"""Of what is no JSON, or by and by becomes none, and parts of MessagePack"""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


def places(payload: bytes) -> list[tuple[int, int]]:
    """Return where the values and keys of JSON begin and end, inner ones before outer ones.

    In MessagePack none is looked for: any byte of it may be changed.
    """
    if is_messagepack(payload):
        return []
    found, opened = [], []
    for token in _TOKEN.finditer(payload):
        if token[0] in (b"[", b"{"):
            opened.append(token.start())
        elif token[0] in (b"]", b"}"):
            if opened:
                found.append((opened.pop(), token.end()))
        elif token[0] not in (b",", b":"):
            found.append(token.span())
    return found


class Fuzzer:
    """An endless source of inputs; what they are depends on nothing but what it begins with."""

    def __init__(self, kept: Mapping[str, bytes], seed: str) -> None:
        """Make inputs out of ``kept`` ones by name; those for all kinds serve as parts."""
        self._random = random.Random(seed)
        found = {name: (payload, places(payload)) for name, payload in kept.items()}
        self._parts = list(found.values())
        self._kept = [part for name, part in found.items() if not name.startswith("any-")]

    def inputs(self) -> Iterator[bytes]:
        """Yield inputs, `MAX_PAYLOAD_BYTES` long at most."""
        choose = self._random
        while True:
            payload, at = choose.choice(self._kept)
            if choose.random() < 1 / LARGE_EVERY:
                payload = self._blown_up(payload, at)
            elif at and choose.random() < 0.9:
                payload = self._with_places_changed(payload, at)
            if not at or choose.random() < 0.1:
                payload = self._with_bytes_changed(payload)
            yield payload[:MAX_PAYLOAD_BYTES]

    def _with_places_changed(self, payload: bytes, at: Sequence[tuple[int, int]]) -> bytes:
        n_changed = self._random.choice((1, 1, 1, 2, 4))
        untouched = len(payload)
        for begin, end in sorted(self._random.choices(at, k=n_changed), reverse=True):
            if end <= untouched:
                payload = payload[:begin] + self._instead_of(payload[begin:end]) + payload[end:]
                untouched = begin
        return payload

    def _instead_of(self, value: bytes) -> bytes:
        choose = self._random
        match choose.randrange(11):
            case 0:
                return choose.choice(VALUES)
            case 1:
                return choose.choice((*VALUES, *FRAGMENTS))
            case 2:
                (number,) = struct.unpack("d", choose.randbytes(8))
                return json.dumps(number).encode()
            case 3:
                sign = choose.choice((1, -1))
                return b"%d" % (sign * choose.getrandbits(choose.randrange(1, 130)))
            case 4:
                other, at = choose.choice(self._parts)
                begin, end = choose.choice(at) if at else (0, len(other))
                return other[begin:end]
            case 5:
                return b",".join([value] * choose.randrange(5))
            case 6:
                return b"[" + value + b"]"
            case 7:
                return b'{"x":' + value + b"}"
            case 8:
                return b'"' + value.strip(b'"') + b'"'
            case _:
                return b"%.*g" % (choose.randrange(1, 18), choose.uniform(-20, 20))

    def _with_bytes_changed(self, payload: bytes) -> bytes:
        choose = self._random
        for _ in range(choose.randint(1, 3)):
            at = choose.randint(0, len(payload))
            inserted = choose.choice((b"", choose.randbytes(choose.randint(1, 4)), *FRAGMENTS))
            payload = payload[:at] + inserted + payload[at + choose.choice((0, 1, 1, 2, 20)) :]
        return payload

    def _blown_up(self, payload: bytes, at: Sequence[tuple[int, int]]) -> bytes:
        """Return an input with a very long text, or a value that stands there very often."""
        choose = self._random
        begin, end = choose.choice(at) if at else (0, len(payload))
        value = payload[begin:end]
        if value.startswith(b'"') and choose.random() < 0.5:
            begin += 1
            unit = choose.choice((value[1:-1], b"a", "📱".encode(), b"\\n", b"_a"))
        else:
            unit = value + choose.choice((b",", b",", b",", b" " * 10 + b",", b""))
        size = math.exp(choose.uniform(math.log(LARGE_BYTES), math.log(MAX_PAYLOAD_BYTES)))
        times = int((size - len(payload)) / max(len(unit), 1))
        return payload[:begin] + unit * times + payload[begin:]


# Judgement


@dataclass
class Cost:
    """What a decoder took at most."""

    time_s: float = 0.0
    """Processor time"""
    memory_bytes: int = 0
    n_inputs: int = 0
    n_taken: int = 0
    """Inputs that were no error"""


def judge(decode: Decoder, payload: bytes, cost: Cost, *, with_memory: bool = False) -> str | None:
    """Decode an input, add to what it cost, and return what is wrong with that, if anything."""
    cost.n_inputs += 1
    try:
        begin = time.process_time()
        contents = decode(payload)
        time_s = time.process_time() - begin
    except MessageError as error:
        time_s = time.process_time() - begin
        if error.reason not in REASONS:
            return f"rejected for {error.reason!r}"
        if not 1 <= len(str(error)) <= 10_000:
            return f"an explanation of {len(str(error))} characters"
    except Exception as error:
        return f"raised {error!r:.200}"
    else:
        cost.n_taken += 1
        if not _is_plausible(contents):
            return f"gave {contents!r:.200}"
    if time_s > MAX_TIME_S:
        time_s = min(time_s, *(_time_s(decode, payload) for _ in range(REPEATS - 1)))
    cost.time_s = max(cost.time_s, time_s)
    if time_s > MAX_TIME_S:
        return f"took {1000 * time_s:.0f} ms"
    if with_memory or len(payload) >= LARGE_BYTES:
        memory_bytes = _memory_bytes(decode, payload)
        cost.memory_bytes = max(cost.memory_bytes, memory_bytes)
        if memory_bytes > MAX_MEMORY_BYTES:
            return f"took {memory_bytes / (1 << 20):.1f} MiB"
    return None


def _is_plausible(contents: object) -> bool:
    match contents:
        case None | (None | str(), None | float()):  # no calibration; a label
            return True
        case np.ndarray():  # a calibration
            return bool(np.allclose(contents @ contents.T, np.eye(3), rtol=0, atol=1e-9))
        case list():
            return all(
                math.isfinite(one.time)
                if isinstance(one, Label)
                else isinstance(one, Readings)
                and 1 <= len(one.times) == len(one.values)
                and bool(np.isfinite(one.times).all() and np.isfinite(one.values).all())
                for one in contents
            )
    return False


def _time_s(decode: Decoder, payload: bytes) -> float:
    gc.collect()  # what others left behind is not its own
    begin = time.process_time()
    try:
        decode(payload)
    except MessageError:
        pass
    return time.process_time() - begin


def _memory_bytes(decode: Decoder, payload: bytes) -> int:
    tracemalloc.start()
    try:
        decode(payload)
    except MessageError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@dataclass(frozen=True)
class Finding:
    """An input that a decoder must not do this with."""

    kind: str
    payload: bytes
    fault: str


def fuzz(
    kind: str, decoders: Sequence[Decoder], kept: Mapping[str, bytes], *, n_inputs: int, seed: int
) -> tuple[Cost, list[Finding]]:
    """Decode so many inputs, and return what they cost and what was wrong.

    It stops after `MOST_FINDINGS`: the next are likely of the same kind.
    """
    cost, findings = Cost(), []
    fuzzer = Fuzzer(kept, f"{seed} {kind}")
    for i, payload in zip(range(n_inputs), fuzzer.inputs(), strict=False):
        fault = judge(decoders[i % len(decoders)], payload, cost)
        if fault is not None:
            findings.append(Finding(kind, payload, fault))
            if len(findings) == MOST_FINDINGS:
                break
    return cost, findings
