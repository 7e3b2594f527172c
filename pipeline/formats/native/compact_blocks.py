"""Compact messages of a tick, decoded together: no step is made for each of them by itself.

Strategy: a program writes all its messages in the same way, so those of one length differ only in
the bytes of some values, always at the same places. One message is read as always; its *template*
tells where these values are. Others of its length whose other bytes are the same hold the same
otherwise, so theirs are read as columns of one array of bytes.

Rules: the values that may differ are the rows and their times, ``start``, ``rate`` and scales as
float64, and the recording's name. What fits no template is left out: `decode` says what is wrong
with it, too.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import Block
from pipeline.formats.native.compact import FLOAT32, FLOAT64, INT16, read_compact
from pipeline.formats.native.document import MAX_RATE_HZ, Array, ArrayDocument, worn_at
from pipeline.formats.native.json_blocks import row_times
from pipeline.readings import ACC_UNITS, GYRO_UNITS, MessageError

MOST_TEMPLATES: Final = 4
"""Of messages of one length; those that fit none of so many are read one by one"""

_decode_values: Final = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_MESSAGEPACK_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_KIND_OF: Final = {
    **dict.fromkeys(("start", "rate", "acc_scale", "gyro_scale"), "float64"),
    **dict.fromkeys(("time", "acc", "gyro"), "bin"),
    "recording": "text",
}
"""The values that may differ, and how they are written"""
_HEAD_BYTES: Final[dict[tuple[str | None, int], int]] = {
    ("float64", 0xCB): 1,
    ("bin", 0xC4): 2,
    ("bin", 0xC5): 3,
    ("bin", 0xC6): 5,
    **{("text", 0xA0 | n): 1 for n in range(32)},
    ("text", 0xD9): 2,
    ("text", 0xDA): 3,
}
"""Bytes of the head of a value, by how it is to be written and the head's first byte"""

_SCALES: Final = ("acc_scale", "gyro_scale")
_NIL: Final = 0xC0

_LARGEST: Final = float(np.finfo(np.float64).max)
_BIG_ENDIAN: Final = np.dtype(">f8")
"""A float64 of MessagePack's own"""

Bytes = NDArray[np.uint8]


def compact_blocks(payloads: Iterable[tuple[int, bytes]]) -> list[Block]:
    """Return the plain ones of these messages, which are given with their places, in blocks."""
    by_length: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for place, payload in payloads:
        by_length[len(payload)].append((place, payload))
    blocks = []
    for some in by_length.values():
        places = np.array([place for place, _ in some])
        rows = np.frombuffer(b"".join([payload for _, payload in some]), np.uint8)
        rows = rows.reshape(len(some), -1)
        for _ in range(MOST_TEMPLATES):
            if not len(rows):
                break
            template = _template(rows[0].tobytes())
            if template is None:
                places, rows = places[1:], rows[1:]
                continue
            fits = (rows[:, template.fixed] == rows[0, template.fixed]).all(axis=1)
            blocks.append(template.block(places[fits], rows[fits]))
            places, rows = places[~fits], rows[~fits]
    return blocks


class _Template:
    """Where the values are in messages that are alike."""

    def __init__(self, document: ArrayDocument, places: dict[str, slice], n_bytes: int) -> None:
        """Take one of them, and the bytes of each of its values that may differ, by key."""
        assert document.acc is not None
        self._document = document
        self._places = places
        self._n_rows = len(document.acc)
        is_fixed = np.ones(n_bytes, np.bool_)
        for place in places.values():
            is_fixed[place] = False
        self.fixed = np.flatnonzero(is_fixed)
        """Places of the bytes that are the same in all of them"""

    def block(self, places: NDArray[np.intp], written: Bytes) -> Block:
        """Return messages that fit, ``(n, n_bytes)``, but for those with errors."""
        document, n = self._document, len(written)
        names = self._names(written)
        ok = np.array([name is not None for name in names])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # does not pass
            if "time" in self._places:
                times = _as(FLOAT64, written[:, self._places["time"]])
            else:
                rates_hz = self._numbers("rate", written)
                ok &= (rates_hz > 0) & (rates_hz <= MAX_RATE_HZ)
                times = row_times(self._numbers("start", written), rates_hz, self._n_rows)
            values = np.empty((n, self._n_rows, 6))
            for columns, key, units in (
                (slice(0, 3), "acc", ACC_UNITS),
                (slice(3, 6), "gyro", GYRO_UNITS),
            ):
                scale_key = f"{key}_scale"
                has_scale = scale_key in self._places
                values[:, :, columns] = self._rows(key, written, INT16 if has_scale else FLOAT32)
                if has_scale:
                    scales = self._numbers(scale_key, written)
                    ok &= (scales > 0) & (scales <= _LARGEST)
                    values[:, :, columns] *= scales[:, np.newaxis, np.newaxis]
                factor = units[getattr(document, f"{key}_unit")]
                if factor != 1:
                    values[:, :, columns] *= factor
            block = Block(
                places,
                times.astype(np.float64, copy=False),
                values,
                [name or "" for name in names],
                [document.stated_convention] * n,
                [worn_at(document.placement)] * n,
            )
        return block.chosen(ok).passing()

    def _numbers(self, key: str, written: Bytes) -> Array:
        """Return the numbers ``(n,)`` of a key, which may be the same in all messages."""
        place = self._places.get(key)
        if place is None:
            return np.full(len(written), getattr(self._document, key), np.float64)
        return _as(_BIG_ENDIAN, written[:, place])[:, 0].astype(np.float64)

    def _rows(self, key: str, written: Bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the rows ``(n, n_rows, 3)`` of a sensor, as written."""
        return _as(dtype, written[:, self._places[key]]).reshape(len(written), self._n_rows, 3)

    def _names(self, written: Bytes) -> list[str | None]:
        """Return the recordings' names, None for what is no text."""
        place = self._places.get("recording")
        if place is None:
            return [self._document.recording] * len(written)
        return [_text(row.tobytes()) for row in written[:, place]]


def _as(dtype: np.dtype[Any], written: Bytes) -> NDArray[Any]:
    """Return bytes ``(n, n_bytes)`` as numbers ``(n, n_bytes / itemsize)``."""
    return np.ascontiguousarray(written).view(dtype)


def _text(written: bytes) -> str | None:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return None


def _template(payload: bytes) -> _Template | None:
    """Return the template of a message, None if it is not plain."""
    places = _places(payload)
    if places is None or "acc" not in places or "gyro" not in places:
        return None
    try:
        document = read_compact(payload)
    except MessageError:
        return None
    acc, gyro = document.acc, document.gyro
    is_plain = (
        all(getattr(document, key) is None for key in ("sensors", "channels", "samples"))
        and (acc is not None and gyro is not None and 0 < len(acc) == len(gyro))
        and (document.acc_unit is not None and document.gyro_unit is not None)
        and _is_dated(document, places)
    )
    return _Template(document, places, len(payload)) if is_plain else None


def _is_dated(document: ArrayDocument, places: dict[str, slice]) -> bool:
    """Return whether there is a time for each row, in one of both ways."""
    if document.time is None:
        return document.start is not None and document.rate is not None
    if document.acc is None or len(document.time) != len(document.acc):
        return False
    return document.start is None and document.rate is None and "time" in places


def _places(payload: bytes) -> dict[str, slice] | None:
    """Return the bytes of each value that may differ, by key.

    None if the payload is no map, or one that is written in an unusual way: keys twice, or more
    keys or longer ones than a document has, or scales that are no float64.
    """
    try:
        values = _decode_values(payload)
    except _MESSAGEPACK_ERRORS:
        return None
    places, at = {}, 1  # behind the map's head
    for key, raw in values.items():
        value = memoryview(raw)
        at += 1 + len(key.encode())
        n_head = _HEAD_BYTES.get((_KIND_OF.get(key), value[0]))
        if n_head is not None:
            places[key] = slice(at + n_head, at + len(value))
        elif key in _SCALES and value[0] != _NIL:
            return None
        at += len(value)
    # With any unusual way there are more bytes than that.
    return places if at == len(payload) else None
