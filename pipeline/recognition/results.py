"""The results of recognition: predictions, changes of the activity now, episodes, problems.

How they are published is decided by the commands.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.dropped import Dropped


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """The model's probabilities for one window."""

    device: str
    start: float
    """Epoch seconds of the window's first sample"""
    end: float
    """Epoch seconds of the window's last sample"""
    label: int
    """Index into `activities`"""
    probabilities: NDArray[np.float32]
    """``(n_activities,)``"""
    settling: bool
    """The filters had not settled when the window began"""
    activities: tuple[str, ...]
    """The model's, names of the probabilities"""
    model: str
    """The model's name and version, ``cnn-lstm@1a2b3c4d``"""

    @property
    def activity(self) -> str:
        """Name of the most probable activity."""
        return self.activities[self.label]


@dataclass(frozen=True)
class Change:
    """A phone's activity now is another than before."""

    slot: int
    activity: str
    """An activity of the model, `TRANSITION` or `UNKNOWN`"""
    since: float
    """Epoch seconds at which it began, as far as is known now"""
    probability: float
    """0 to 1"""


@dataclass(frozen=True)
class Episode:
    """A finished period of one activity; it does not change any more."""

    slot: int
    activity: str
    """An activity of the model, `TRANSITION` or `UNKNOWN`"""
    start: float
    """Epoch seconds; the end of the episode before, unless there was a gap"""
    end: float
    """Epoch seconds"""
    probability: float
    """Mean over the episode, 0 to 1"""


@dataclass(frozen=True)
class Recognised:
    """All results of a tick's readings, each list ordered in time for each phone."""

    predictions: list[Prediction]
    changes: list[tuple[str, Change]]
    """With the device"""
    episodes: list[tuple[str, Episode]]
    """With the device"""
    problems: list[tuple[str, tuple[str, ...]]]
    """Devices whose problems changed, with those now in force: of `PROBLEMS` and `TROUBLES`"""
    dropped: dict[str, Dropped]
    """Samples of each device of which no row was made"""
    failures: list[tuple[str, Exception]]
    """Devices whose samples could not be processed because of an error of ours; they began anew"""
    faults: list[Exception]
    """Other errors of ours, for which nothing is missing"""
