"""The windows that preparation hands to judgement, and where each phone's signal broke off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import COLUMNS
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of some phones, each phone's in their order."""

    slots: NDArray[np.intp]
    """``(n,)``: their phones"""
    starts: NDArray[np.float64]
    """``(n,)``: epoch seconds of each window's first sample"""
    settling: NDArray[np.bool_]
    """``(n,)``: whether the filters had not settled when it began"""
    doubtful: NDArray[np.bool_]
    """``(n,)``: whether its phone had one of `DOUBTFUL` when it was completed"""
    at_waist: NDArray[np.bool_]
    """``(n,)``: whether its phone is known to be worn at the waist, as in training"""
    samples: NDArray[np.float32]
    """``(n, 128, 9)`` in g and rad/s"""
    wearer_frames: NDArray[np.float32]
    """``(n, 10)``: each wearer's frame as known at the window's last sample, in `COLUMNS`; zeros
    if none is learnt"""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.slots)

    def chosen(self, which: NDArray[np.bool_]) -> Self:
        """Return those windows where ``which`` ``(n,)`` is true."""
        if which.all():
            return self
        return type(self)(
            self.slots[which],
            self.starts[which],
            self.settling[which],
            self.doubtful[which],
            self.at_waist[which],
            self.samples[which],
            self.wearer_frames[which],
        )

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Return all windows of several, one after the other."""
        several = [windows for windows in several if len(windows)]
        if len(several) == 1:
            return several[0]
        return cls(
            joined([np.empty(0, np.intp), *(windows.slots for windows in several)]),
            joined([np.empty(0), *(windows.starts for windows in several)]),
            joined([np.empty(0, np.bool_), *(windows.settling for windows in several)]),
            joined([np.empty(0, np.bool_), *(windows.doubtful for windows in several)]),
            joined([np.empty(0, np.bool_), *(windows.at_waist for windows in several)]),
            joined([_NO_SAMPLES, *(windows.samples for windows in several)]),
            joined([_NO_FRAMES, *(windows.wearer_frames for windows in several)]),
        )


@dataclass(frozen=True, eq=False)
class Part:
    """The windows of a tick that each phone has up to its next gap, and what precedes them."""

    interrupted: list[int]
    """Slots that had a gap before these windows"""
    new_recordings: list[int]
    """Slots whose recording is another from these windows on"""
    windows: Windows


def settled_places(parts: Sequence[Part]) -> Iterator[slice]:
    """Yield where each part's settled windows are among those of all parts."""
    begin = 0
    for part in parts:
        end = begin + int(np.count_nonzero(~part.windows.settling))
        yield slice(begin, end)
        begin = end


_NO_SAMPLES: Final = np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32)
_NO_FRAMES: Final = np.empty((0, len(COLUMNS)), np.float32)


def joined(arrays: Sequence[NDArray[S]]) -> NDArray[S]:
    """Return arrays put one after the other, without a copy of the only one that is not empty."""
    filled = [array for array in arrays if len(array)] or arrays[:1]
    return filled[0] if len(filled) == 1 else np.concatenate(filled)
