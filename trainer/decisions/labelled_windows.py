"""Windows with the states of their samples, from which all numbers are learnt.

A state is an activity or a change of posture, by where it leads. Placement sets have no labels of
changes, and label whole windows only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import CHANGE_NAMES
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings import hapt
from pipeline.vocabulary import ACTIVITIES, WINDOW_LENGTH
from trainer.data.raw_windows import cut
from trainer.data.recorded_windows import RecordedWindows
from trainer.decisions.labelled import LabelledStretch

HOP: Final = 16
"""Samples between the windows that are learnt from"""

NO_STATE: Final = -1

_ARRIVALS: Final = {"SIT": "SITTING", "STAND": "STANDING", "LIE": "LAYING"}
"""The activity that a transition leads to, by the last word of its name"""


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """Settled windows of one person, `HOP` samples apart, without a gap."""

    samples: NDArray[np.float32]
    """``(n, 128, 9)`` in g and rad/s"""
    newest: NDArray[np.intp]
    """``(n,)``: state of the newest sample, its place among `state_names`, or `NO_STATE`"""
    middle: NDArray[np.intp]
    """``(n,)``: the same of the sample in the middle"""
    whole: NDArray[np.intp]
    """``(n,)``: the state that all samples share, or `NO_STATE`"""

    def rotated(self, rotations: NDArray[np.float64]) -> "LabelledWindows":
        """Return the windows as if the phone had been worn otherwise, ``(n, 3, 3)``."""
        return replace(self, samples=rotate(self.samples, rotations))


def state_names(activities: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the states that have labels: activities, then changes of posture."""
    return (*activities, *CHANGE_NAMES)


def of_stretch(stretch: LabelledStretch, activities: Sequence[str]) -> LabelledWindows:
    """Return the windows of a recording of HAPT.

    Raises:
        ValueError: it has a label that is none of the activities, nor a change of posture.
    """
    names = state_names(activities)
    states = np.array([*(names.index(_state(label)) for label in _LABELS), NO_STATE])
    of_samples = states[stretch.labels]  # -1 is the last
    in_windows = _settled(of_samples[:, None])[:, :, 0]
    newest = in_windows[:, -1]
    whole = (in_windows == newest[:, None]).all(axis=1)
    return LabelledWindows(
        _settled(stretch.samples),
        newest,
        in_windows[:, WINDOW_LENGTH // 2],
        np.where(whole, newest, NO_STATE),
    )


def of_recorded(windows: RecordedWindows, activities: Sequence[str]) -> Iterator[LabelledWindows]:
    """Yield the settled windows of a person of a placement set, from gap to gap.

    They are `HOP` samples apart. Windows of other activities have no state.
    """
    names = state_names(activities)
    states = [names.index(name) if name in names else NO_STATE for name in windows.activities]
    of_windows = np.array([*states, NO_STATE])[windows.labels]
    for section in windows.sections(hop=HOP):
        settled = section[windows.is_settled[section]]
        if len(settled):
            state = of_windows[settled]
            yield LabelledWindows(windows.samples[settled], state, state, state)


def _settled(signals: NDArray[Any]) -> NDArray[Any]:
    """Return the windows of which a live phone's decisions are made: the filters have settled."""
    return cut(signals, hop=HOP, offset=SETTLING_ROWS)


def _state(label: str) -> str:
    """Return the state of a label of HAPT."""
    if label in ACTIVITIES:
        return label
    return f"towards {_ARRIVALS[label.rpartition('_')[2]]}"


_LABELS: Final = (*ACTIVITIES, *hapt.TRANSITIONS)
