"""Signals of people who wore a phone anywhere, and the windows that a training draws from them.

Windows overlap, so their samples are kept once, as signals without a gap; a window is a place in
them. So a training can also see what is beside a window, which it needs to stretch it in time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.wearer.frame import FORWARD_KNOWN, STRENGTH
from pipeline.recognition.wearer.wearers import LOOK_EVERY
from pipeline.vocabulary import WINDOW_LENGTH
from trainer.data.recorded_windows import RecordedWindows

HOP: Final = LOOK_EVERY
"""Samples between the starts of the windows that signals are made of"""
_SIGNALS: Final = slice(3, 9)  # angular velocity and total acceleration, of the channels
_ON_LEG: Final = ("trousers", "thigh", "leg")
"""Words in the names of places that move with the thigh"""


@dataclass(frozen=True, eq=False)
class Signals:
    """The signals of some people, and their windows."""

    rows: NDArray[np.float32]
    """``(n_rows, 6)``: angular velocity in rad/s and total acceleration in g, of all signals"""
    activities: tuple[str, ...]
    data_sets: tuple[str, ...]
    people: tuple[str, ...]
    """As `Recording` names them"""
    first: NDArray[np.int64]
    """``(n,)``: row of each window's first sample"""
    bounds: NDArray[np.int64]
    """``(n, 2)``: first row of its signal, and the row behind its last"""
    labels: NDArray[np.int8]
    """``(n,)``: index into `activities`, -1 if there is none"""
    is_stairs: NDArray[np.bool_]
    """``(n,)``: whether it is going up or down stairs, which is not known"""
    is_settled: NDArray[np.bool_]
    """``(n,)``: whether the filters had settled when it began"""
    frames: NDArray[np.float32]
    """``(n, 10)``: the wearer's frame as known at its last sample"""
    sets: NDArray[np.intp]
    """``(n,)``: index into `data_sets`"""
    persons: NDArray[np.intp]
    """``(n,)``: index into `people`"""
    on_leg: NDArray[np.bool_]
    """``(n,)``: whether the phone moves with the thigh"""

    def __len__(self) -> int:
        """Return how many windows there are."""
        return len(self.first)

    def chosen(self, which: NDArray[np.bool_]) -> "Signals":
        """Return those windows of which ``which`` ``(n,)`` says so, of the same signals."""
        return replace(self, **{name: getattr(self, name)[which] for name in _OF_WINDOWS})

    def of_people(self, people: Iterable[str]) -> NDArray[np.bool_]:
        """Return ``(n,)``, which windows are of these people."""
        some = frozenset(people)
        return np.array([person in some for person in self.people], np.bool_)[self.persons]

    @cached_property
    def leg_strengths(self) -> NDArray[np.float32]:
        """``(k, 2)``, what is known of the strength of walking, in windows of phones on a leg."""
        known = self.on_leg & (self.frames[:, FORWARD_KNOWN] > 0)
        return self.frames[known][:, STRENGTH]

    def samples(
        self, which: NDArray[np.intp], positions: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Return samples ``(n, n_samples, 6)`` of windows, between rows interpolated in lines.

        Args:
            which: ``(n,)``, the windows.
            positions: ``(n, n_samples)``, rows from the first one of each window on. Beyond the
                ends of its signal, the last sample there is held.
        """
        begin, end = self.bounds[which, :1], self.bounds[which, 1:]
        places = np.clip(self.first[which, np.newaxis] + positions, begin, end - 1)
        before = np.minimum(places.astype(np.int64), np.maximum(end - 2, begin))
        share = (places - before)[:, :, np.newaxis].astype(np.float32)
        after = np.minimum(before + 1, end - 1)
        samples: NDArray[np.float32] = self.rows[before] * (1 - share) + self.rows[after] * share
        return samples

    def windows(self, which: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return windows ``(n, 128, 6)`` as they are."""
        windows: NDArray[np.float32] = self.rows[
            self.first[which, np.newaxis] + np.arange(WINDOW_LENGTH)
        ]
        return windows


_OF_WINDOWS: Final = tuple(
    field.name
    for field in fields(Signals)
    if field.name not in ("rows", "activities", "data_sets", "people")
)


def signals_of(persons: Iterable[RecordedWindows]) -> Signals:
    """Return the signals of people's windows, which are `HOP` samples apart.

    Raises:
        ValueError: there are none, or their activities differ.
    """
    return _joined([_signals(windows) for windows in persons if len(windows)])


def _signals(windows: RecordedWindows) -> Signals:
    """Return the signals of one person with one device."""
    sections = windows.sections(hop=HOP)
    signals = [windows.signal(section, hop=HOP)[:, _SIGNALS] for section in sections]
    ends = np.cumsum([len(signal) for signal in signals])
    bounds = np.stack([ends - [len(signal) for signal in signals], ends], axis=1)
    n = [len(section) for section in sections]
    within = np.concatenate([np.arange(count) for count in n])
    return Signals(
        np.concatenate(signals),
        windows.activities,
        (windows.data_set,),
        (windows.person,),
        first=np.repeat(bounds[:, 0], n) + HOP * within,
        bounds=np.repeat(bounds, n, axis=0),
        labels=windows.labels,
        is_stairs=windows.is_stairs,
        is_settled=windows.is_settled,
        frames=windows.wearer_frames,
        sets=np.zeros(len(windows), np.intp),
        persons=np.zeros(len(windows), np.intp),
        on_leg=np.full(len(windows), any(word in windows.worn_at.lower() for word in _ON_LEG)),
    )


def _joined(parts: Sequence[Signals]) -> Signals:
    """Return the signals of one person after the other's."""
    (activities,) = {part.activities for part in parts}
    data_sets = sorted({part.data_sets[0] for part in parts})
    people = sorted({part.people[0] for part in parts})
    n_before = np.cumsum([0, *(len(part.rows) for part in parts)])[:-1]
    moved = [
        replace(
            part,
            first=part.first + before,
            bounds=part.bounds + before,
            sets=part.sets + data_sets.index(part.data_sets[0]),
            persons=part.persons + people.index(part.people[0]),
        )
        for part, before in zip(parts, n_before.tolist(), strict=True)
    ]
    return Signals(
        np.concatenate([part.rows for part in moved]),
        activities,
        tuple(data_sets),
        tuple(people),
        **{name: np.concatenate([getattr(part, name) for part in moved]) for name in _OF_WINDOWS},
    )
