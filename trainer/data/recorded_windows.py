"""Windows of recordings of any rate, as a live phone that sends the same samples has them.

Each recording passes the stages of a live phone, which begins anew with it; the phone's axes stay
as they are. Rules: a window has the label that all its samples share; and a window across a gap
that a live phone bridges is left out, because what happened in it is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.prepared import Windows
from pipeline.recordings.person_file import LONGEST_PAUSE_S, PLACEMENT_ACTIVITIES
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

_MESSAGE_ROWS: Final = 1_000
"""Samples pushed at once: results do not depend on it, and many at once are quicker."""


@dataclass(frozen=True, eq=False)
class RecordedWindows:
    """The windows of one person with one device, in the order of their recording."""

    person: str
    """As `Recording` names it"""
    data_set: str
    worn_at: str
    activities: tuple[str, ...]
    samples: NDArray[np.float32]
    """``(n, 128, 9)`` in g and rad/s, channels in the order of `CHANNELS`"""
    labels: NDArray[np.int8]
    """``(n,)``: index into `activities`; -1 of other activities, of several and of none"""
    is_settled: NDArray[np.bool_]
    """``(n,)``: whether the filters had settled when it began"""
    recordings: NDArray[np.int16]
    """``(n,)``: number of its recording, from 0"""
    starts: NDArray[np.float64]
    """``(n,)``: seconds of its first sample on its recording's clock"""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)


def windows_of(
    recordings: Sequence[Recording],
    *,
    hop: int,
    activities: tuple[str, ...] = PLACEMENT_ACTIVITIES,
) -> RecordedWindows:
    """Return the windows of one person's recordings with one device.

    Args:
        recordings: at least one, all of the same person, data set and place.
        hop: samples between the starts of neighbouring windows.
        activities: what labels stand for.

    Raises:
        ValueError: there is no recording, or they are not of one person and device.
    """
    (owner,) = {(one.person, one.data_set, one.worn_at) for one in recordings}
    of_each = [_windows(recording, hop=hop) for recording in recordings]
    labels = {name: label for label, name in enumerate(activities)}
    names = [
        name
        for recording, windows in zip(recordings, of_each, strict=True)
        for name in recording.window_activities(windows.starts)
    ]
    together = Windows.joined(of_each)
    return RecordedWindows(
        *owner,
        activities,
        samples=together.samples,
        labels=np.array([-1 if name is None else labels.get(name, -1) for name in names], np.int8),
        is_settled=~together.settling,
        recordings=np.repeat(np.arange(len(of_each), dtype=np.int16), [*map(len, of_each)]),
        starts=together.starts,
    )


def _windows(recording: Recording, *, hop: int) -> Windows:
    """Return a recording's windows, but for those across a gap."""
    phone = RecordedPhone(hop=hop)
    messages = recording.cut(_MESSAGE_ROWS).messages
    passed = [phone.push([part.readings for part in message]) for message in messages]
    windows = Windows.joined([*passed, phone.finish()])
    return windows.chosen(~_is_across_a_gap(windows.starts, recording))


def _is_across_a_gap(starts: NDArray[np.float64], recording: Recording) -> NDArray[np.bool_]:
    """Return ``(n,)``, whether each window that begins at ``starts`` ``(n,)`` goes over a gap."""
    times = np.sort(np.concatenate([stretch.times for stretch in recording.stretches]))
    last_before = times[:-1][np.diff(times) > LONGEST_PAUSE_S]  # (n_gaps,)
    ends = starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    n_before: NDArray[np.intp] = last_before.searchsorted(starts)
    return n_before < last_before.searchsorted(ends)
