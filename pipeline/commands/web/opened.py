"""The nine prepared signals of the phones that somebody has opened, as har-stream has them.

Each has a preparation of its own, placed as the phone's info says. Its windows follow so closely
on one another that the newest rows of each are a signal.
"""

from collections import deque
from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.calibration_message import decode_calibration
from pipeline.commands.calibrate.wire import Info
from pipeline.commands.web.signals import SHOWN_S, Kept, KeptMessage, delivery_of
from pipeline.readings import MessageError
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.placement.sign import ACCELERATION_SIGN
from pipeline.recognition.preparation.preparation import Preparation
from pipeline.vocabulary import CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

MOST_OPENED: Final = 20
"""Phones, of all browsers together"""
HOP: Final = 5
"""Rows from one window to the next: a tenth of a second"""
_SLOT: Final = 0
_HALF_A_ROW_S: Final = 0.5 / SAMPLING_RATE_HZ
_CHANNELS: Final = msgspec.json.encode(CHANNELS)


class _Rows(NamedTuple):
    number: int
    start: float
    end: float
    """When the row after the last is due"""
    json: bytes
    """The rows without the outer brackets"""


class OpenedPhone:
    """The prepared signals of one phone."""

    def __init__(self, device: str) -> None:
        """Begin without samples, worn as in training."""
        self._device = device
        self._preparation = Preparation(1, hop=HOP)
        self._placement: tuple[bytes, bytes] | None = None
        self._rows: deque[_Rows] = deque()
        self._number = 0

    def place(self, info: bytes, calibration: bytes) -> None:
        """Place the phone as its info and calibration, as published, say."""
        if (info, calibration) == self._placement:
            return
        self._placement = info, calibration
        sign, rotation = _placement(info, calibration)
        self._preparation.place(_SLOT, sign, rotation)

    def take(self, kept: KeptMessage) -> None:
        """Take a message of samples."""
        delivery = delivery_of(kept, self._device)
        if delivery is None:
            return
        for part in self._preparation.push({_SLOT: [delivery]}).parts:
            for start, samples in zip(part.windows.starts, part.windows.samples, strict=True):
                self._add(float(start), samples)

    def since(self, number: int) -> tuple[msgspec.Raw | None, int]:
        """Return the first block of rows after a number, and the number of its last rows."""
        newer = [rows for rows in self._rows if rows.number > number]
        if not newer:
            return None, number
        block = newer[:1]
        for rows in newer[1:]:
            if abs(rows.start - block[-1].end) > _HALF_A_ROW_S:
                break
            block.append(rows)
        json = b'{"start":%.3f,"rate":50,"channels":%b,"rows":[%b]}' % (
            block[0].start,
            _CHANNELS,
            b",".join(rows.json for rows in block),
        )
        return msgspec.Raw(json), block[-1].number

    def _add(self, start: float, samples: NDArray[np.float32]) -> None:
        """Add what a window ``(128, 9)`` has beyond the one before."""
        end = start + WINDOW_LENGTH / SAMPLING_RATE_HZ
        first = 0
        if self._rows and abs(self._rows[-1].end + HOP / SAMPLING_RATE_HZ - end) < _HALF_A_ROW_S:
            first = WINDOW_LENGTH - HOP
        rows = np.round(samples[first:].astype(np.float64), 4).tolist()
        self._number += 1
        begin = start + first / SAMPLING_RATE_HZ
        self._rows.append(_Rows(self._number, begin, end, msgspec.json.encode(rows)[1:-1]))
        while self._rows[0].end < end - SHOWN_S:
            self._rows.popleft()


class Opened:
    """The phones that somebody has opened."""

    def __init__(self, kept: Kept) -> None:
        """Begin with none."""
        self._kept = kept
        self._phones: dict[str, OpenedPhone] = {}

    def open(self, devices: Collection[str]) -> list[str]:
        """Have these phones open from now on, and no others; return those that were not before."""
        for device in self._phones.keys() - set(devices):
            del self._phones[device]
        new = [device for device in devices if device not in self._phones]
        new = new[: max(0, MOST_OPENED - len(self._phones))]
        self._phones |= {device: OpenedPhone(device) for device in new}
        return new

    def place(self, device: str, info: bytes, calibration: bytes) -> None:
        """Place a phone, if it is open, and begin with the samples that are kept of it."""
        phone = self._phones.get(device)
        if phone is not None:
            phone.place(info, calibration)

    def begin(self, device: str) -> None:
        """Take the messages of a phone that have come before it was opened."""
        phone = self._phones.get(device)
        if phone is not None:
            for kept in self._kept.of(device):
                phone.take(kept)

    def take(self, device: str, kept: KeptMessage) -> None:
        """Take a message of a phone, if it is open."""
        phone = self._phones.get(device)
        if phone is not None:
            phone.take(kept)

    def since(self, device: str, number: int) -> tuple[msgspec.Raw | None, int]:
        """Return the first block of a phone's rows after a number, and its last number."""
        phone = self._phones.get(device)
        return (None, number) if phone is None else phone.since(number)


def _placement(info: bytes, calibration: bytes) -> tuple[float, NDArray[np.float64]]:
    """Return sign and rotation ``(3, 3)`` of a phone, those of training where it is not known."""
    try:
        known = msgspec.json.decode(info, type=Info)
        rotation = decode_calibration(calibration)
    except (msgspec.MsgspecError, MessageError):
        return 1.0, FRAMES["landscape"]
    if known.frame != "calibrated" or rotation is None:
        rotation = FRAMES.get(known.frame, FRAMES["landscape"])
    return ACCELERATION_SIGN[known.convention], rotation
