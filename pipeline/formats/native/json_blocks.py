"""JSON messages of a tick, decoded together.

Only *plain* messages are: ``acc`` and ``gyro`` with their times, nothing wrong with them. Those of
as many rows become a block; their numbers are brought into arrays, scaled and checked for all of
them at once. What is not plain is left out: `decode` says what is wrong with it, too.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from pipeline.blocks import Block
from pipeline.formats.native.document import MAX_RATE_HZ, Array, Vector, vectors, worn_at
from pipeline.readings import ACC_UNITS, GYRO_UNITS, Convention

_PACKED_TOGETHER: Final = 1_000
"""Rows that are brought into an array together: with more, their objects leave the caches, and the
garbage collector looks at them"""
_NO_ROWS: Final[list[Vector]] = []
_JSON_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Plain(msgspec.Struct, gc=False):
    """A plain document; the keys that would make it another are None."""

    acc: list[Vector]
    gyro: list[Vector]
    acc_unit: str
    gyro_unit: str
    start: float | None = None
    rate: Annotated[float, msgspec.Meta(gt=0, le=MAX_RATE_HZ)] | None = None
    time: list[float] | None = None
    v: Literal[1] = 1
    recording: str = ""
    placement: str | None = None
    convention: Convention | None = None
    acc_scale: None = None
    gyro_scale: None = None
    sensors: None = None
    channels: None = None
    samples: None = None


_decode = msgspec.json.Decoder(_Plain).decode


def json_blocks(payloads: Iterable[tuple[int, bytes]]) -> list[Block]:
    """Return the plain ones of these messages, which are given with their places, in blocks."""
    alike: dict[tuple[int, bool], _Alike] = {}
    for place, payload in payloads:
        try:
            message = _decode(payload)
        except _JSON_ERRORS:
            continue
        n_rows = len(message.acc)
        if n_rows and n_rows == len(message.gyro) and _is_dated(message, n_rows):
            key = n_rows, message.time is None
            if key not in alike:
                alike[key] = _Alike(n_rows)
            alike[key].add(place, message)
    return [some.block() for some in alike.values()]


def _is_dated(message: _Plain, n_rows: int) -> bool:
    """Return whether a message has a time for each row, in one of both ways."""
    if message.time is None:
        return message.start is not None and message.rate is not None
    return message.start is None and message.rate is None and len(message.time) == n_rows


class _Alike:
    """Plain messages of as many rows, dated in the same way."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._places: list[int] = []
        self._messages: list[_Plain] = []  # with their rows taken out of most of them
        self._rows: list[Vector] = []  # of the latest, the acceleration of each before its other
        self._values: list[Array] = []  # of those before, (n, n_rows, 2, 3)

    def add(self, place: int, message: _Plain) -> None:
        """Add a message."""
        self._places.append(place)
        self._messages.append(message)
        self._rows += message.acc
        self._rows += message.gyro
        message.acc = message.gyro = _NO_ROWS
        if len(self._rows) >= _PACKED_TOGETHER:
            self._pack()

    def block(self) -> Block:
        """Return all of them but for those with errors."""
        if self._rows:
            self._pack()
        values, messages = np.concatenate(self._values), self._messages
        units = [
            (ACC_UNITS.get(message.acc_unit, np.nan), GYRO_UNITS.get(message.gyro_unit, np.nan))
            for message in messages
        ]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows does not pass
            if any(factors != (1.0, 1.0) for factors in units):
                values *= np.array(units)[:, np.newaxis, :, np.newaxis]
            return Block(
                np.array(self._places),
                _times(messages, self._n_rows),
                values.reshape(len(messages), self._n_rows, 6),
                [message.recording for message in messages],
                [message.convention for message in messages],
                [worn_at(message.placement) for message in messages],
            ).passing()

    def _pack(self) -> None:
        """Bring the rows of the latest messages into an array, so that their objects can go."""
        by_sensor = vectors(self._rows, n_rows=self._n_rows)
        by_message = by_sensor.reshape(-1, 2, self._n_rows, 3).swapaxes(1, 2)
        self._values.append(by_message.astype(np.float64, order="C"))
        self._rows = []


def _times(messages: list[_Plain], n_rows: int) -> Array:
    """Return the time of each row ``(n, n_rows)`` in seconds since the epoch."""
    if messages[0].time is not None:
        return np.array([message.time for message in messages], np.float64)
    starts = np.array([message.start for message in messages], np.float64)
    rates_hz = np.array([message.rate for message in messages], np.float64)
    return row_times(starts, rates_hz, n_rows)


def row_times(starts: Array, rates_hz: Array, n_rows: int) -> Array:
    """Return the time of each row ``(n, n_rows)``, of starts and rates ``(n,)``."""
    return starts[:, np.newaxis] + np.arange(n_rows) / rates_hz[:, np.newaxis]
