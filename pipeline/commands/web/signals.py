"""The raw signals of the last ten seconds, of the phones that somebody watches.

Rules:

* The messages of the last ten seconds are kept of all phones, as they came, in bounds: so a strip
  is full as soon as somebody looks. Only those of watched phones are decoded.
* Rows are on the grid of har-stream's own intake, 50 a second, in the phone's axes and sign. A gap
  begins a new block.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Message
from pipeline.readings import Delivery, MessageError, Readings, is_device
from pipeline.recognition.preparation.intake import Intake
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.resampler import DEFAULT_LATENESS_S
from pipeline.subscriptions import Route, Subscription, route
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY

SHOWN_S: Final = 10.0
MOST_WATCHED: Final = 1_000
MOST_KEPT_BYTES: Final = 262_144
"""Of one phone's messages"""
MOST_KEPT_PHONES: Final = 10_000
MOST_KEPT_BYTES_IN_ALL: Final = 64 << 20
_RAW: Final = 6


class KeptMessage(NamedTuple):
    """A message of samples as it came."""

    route: Route
    payload: bytes
    received: float
    """Epoch seconds"""


class Kept:
    """The messages of samples of the last ten seconds, by phone."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        """Begin with none; the subscriptions tell each topic's format."""
        self._route = lru_cache(10_000)(lambda topic: route(subscriptions, topic))
        self._of_phones: dict[str, deque[KeptMessage]] = {}
        self._n_bytes: dict[str, int] = {}
        self._n_bytes_in_all = 0

    def take(self, message: Message, now: float) -> tuple[str, KeptMessage] | None:
        """Keep a message of samples; return it with its phone, None if it is none.

        ``now`` is epoch seconds when it came.
        """
        sent_by = self._route(message.topic)
        if sent_by is None or message.oversize:
            return None
        kept = KeptMessage(sent_by, message.payload, now)
        device = sent_by.device if sent_by.device is not None else _named_in(kept)
        if device is None or not is_device(device):
            return None
        if device not in self._of_phones and len(self._of_phones) >= MOST_KEPT_PHONES:
            return device, kept
        messages = self._of_phones.setdefault(device, deque())
        messages.append(kept)
        self._add_bytes(device, len(message.payload))
        while messages and (
            messages[0].received < now - SHOWN_S
            or self._n_bytes[device] > MOST_KEPT_BYTES
            or self._n_bytes_in_all > MOST_KEPT_BYTES_IN_ALL
        ):
            self._add_bytes(device, -len(messages.popleft().payload))
        return device, kept

    def of(self, device: str) -> list[KeptMessage]:
        """Return the messages of a phone, the oldest first."""
        return list(self._of_phones.get(device, ()))

    def expire(self, now: float) -> None:
        """Forget the messages of phones that have been silent for long."""
        for device, messages in list(self._of_phones.items()):
            if not messages or messages[-1].received < now - SHOWN_S:
                self._add_bytes(device, -self._n_bytes[device])
                del self._of_phones[device], self._n_bytes[device]

    def _add_bytes(self, device: str, n_bytes: int) -> None:
        self._n_bytes[device] = self._n_bytes.get(device, 0) + n_bytes
        self._n_bytes_in_all += n_bytes


def _named_in(kept: KeptMessage) -> str | None:
    """Return the phone that a message on a shared topic names, None if it names none."""
    try:
        return kept.route.decode(kept.payload)[0].device
    except (MessageError, IndexError):
        return None


def delivery_of(kept: KeptMessage, device: str) -> Delivery | None:
    """Return the samples of a phone that a message holds, None if it holds none."""
    try:
        parts = kept.route.decode(kept.payload)
    except MessageError:
        return None  # har-stream says so in the phone's info
    readings = [part for part in parts if isinstance(part, Readings) and part.device == device]
    return Delivery(readings, kept.received) if readings else None


@dataclass(frozen=True)
class Chunk:
    """Rows that follow one another."""

    number: int
    """Counts the chunks of all phones"""
    start: float
    """Epoch seconds of the first row"""
    n_rows: int
    acc: bytes
    """JSON of the rows ``[x, y, z]`` without the outer brackets, in m/s²"""
    gyro: bytes
    """So too, in rad/s"""

    @property
    def end(self) -> float:
        """When the row after the last is due."""
        return self.start + self.n_rows / SAMPLING_RATE_HZ


class RawSignals:
    """The grid rows of watched phones."""

    def __init__(self, kept: Kept) -> None:
        """Begin with nobody watched."""
        self._kept = kept
        self._intake = Intake(
            MOST_WATCHED, lateness_s=DEFAULT_LATENESS_S, needed_rates=NeededRates()
        )
        self._slots: dict[str, int] = {}
        self._free = list(range(MOST_WATCHED - 1, -1, -1))
        self._ends: dict[str, float] = {}  # when each phone's next row is due
        self._waiting: dict[str, list[Delivery]] = {}
        self._chunks: dict[str, deque[Chunk]] = {}
        self.n_chunks = 0
        """Made so far"""

    def watch(self, devices: Collection[str]) -> None:
        """Watch these phones from now on, and no others."""
        for device in self._slots.keys() - set(devices):
            slot = self._slots.pop(device)
            self._intake.reset([slot])
            self._free.append(slot)
            for of_phones in (self._ends, self._waiting, self._chunks):
                of_phones.pop(device, None)
        for device in devices:
            if device not in self._slots and self._free:
                self._slots[device] = self._free.pop()
                self._chunks[device] = deque()
                for kept in self._kept.of(device):
                    self.take(device, kept)

    def take(self, device: str, kept: KeptMessage) -> None:
        """Take a message of a phone, if it is watched."""
        if device in self._slots:
            delivery = delivery_of(kept, device)
            if delivery is not None:
                self._waiting.setdefault(device, []).append(delivery)

    def advance(self) -> None:
        """Put on the grid what has come, of all phones together."""
        if not self._waiting:
            return
        devices = {self._slots[device]: device for device in self._waiting}
        taken = self._intake.push({slot: self._waiting[d] for slot, d in devices.items()})
        self._waiting.clear()
        for rows in taken.rows:
            for slot, of_phone in zip(rows.slots.tolist(), rows.rows, strict=True):
                self._add(devices[slot], None, of_phone)
        for piece in taken.pieces:
            if len(piece.rows):
                self._add(devices[piece.slot], piece.origin, piece.rows)

    def since(self, device: str, number: int) -> tuple[msgspec.Raw | None, int]:
        """Return the first block of a phone's rows after a chunk, and its last chunk's number."""
        newer: list[Chunk] = []
        for chunk in reversed(self._chunks.get(device, ())):
            if chunk.number <= number:
                break
            newer.append(chunk)
        if not newer:
            return None, number
        block = [newer.pop()]
        for chunk in reversed(newer):
            if abs(chunk.start - block[-1].end) > 0.5 / SAMPLING_RATE_HZ:
                break
            block.append(chunk)
        acc, gyro = (
            b",".join(parts) for parts in zip(*((c.acc, c.gyro) for c in block), strict=True)
        )
        json = b'{"start":%.3f,"rate":50,"acc":[%b],"gyro":[%b]}' % (block[0].start, acc, gyro)
        return msgspec.Raw(json), block[-1].number

    def _add(self, device: str, origin: float | None, rows: NDArray[np.float64]) -> None:
        start = self._ends.get(device, 0.0) if origin is None else origin
        self.n_chunks += 1
        acc, gyro = _acc_and_gyro(rows)
        chunk = Chunk(self.n_chunks, start, len(rows), _json_rows(acc, 2), _json_rows(gyro, 3))
        self._ends[device] = chunk.end
        chunks = self._chunks[device]
        chunks.append(chunk)
        while chunks[0].end < chunk.end - SHOWN_S:
            chunks.popleft()


def _acc_and_gyro(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return accelerations in m/s² and angular velocities in rad/s of raw or prepared rows."""
    if rows.shape[1] == _RAW:
        return rows[:, :3], rows[:, 3:]
    return rows[:, 6:9] * STANDARD_GRAVITY, rows[:, 3:6]


def _json_rows(values: NDArray[np.float64], decimals: int) -> bytes:
    return msgspec.json.encode(np.round(values, decimals).tolist())[1:-1]


def watched_by(several: Iterable[Collection[str]]) -> list[str]:
    """Return the phones that any of several browsers watches, as many as may be."""
    together = dict.fromkeys(device for devices in several for device in devices)
    return list(together)[:MOST_WATCHED]
