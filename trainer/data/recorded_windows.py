"""Windows of recordings of any rate, as a live phone that sends the same samples has them.

The recordings of a person pass the stages of one live phone, whose signals begin anew with each;
the phone's axes stay as they are. Rules:

* A window has the label that all its samples share.
* A window across a gap that a live phone bridges is left out, because what happened in it is not
  known.
* The wearer's frame is learnt over all recordings, as live: a window carries what was known by its
  last sample. Sets have their recordings in any order; so those with walking pass first, in their
  order, then the others: so to speak, recordings that begin with steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.gait import shipped_gait
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.prepared import Windows
from pipeline.recordings.person_file import LONGEST_PAUSE_S, PLACEMENT_ACTIVITIES
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

STAIRS: Final = "stairs"
"""Name that a set gives to stairs in either direction, as WISDM does"""

_FIRST: Final = "WALKING"
"""Recordings with this activity come first"""
_LEAST_GAP: Final = 0.5  # samples
_MESSAGE_ROWS: Final = 1_000
"""Most samples pushed at once: what comes in longer messages is cut, on which nothing depends"""


@dataclass(frozen=True, eq=False)
class RecordedWindows:
    """The windows of one person with one device, in the order of the recordings given."""

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
    is_stairs: NDArray[np.bool_]
    """``(n,)``: whether all its samples are of stairs, up or down is not known (and it has no
    label)"""
    wearer_frames: NDArray[np.float32]
    """``(n, 10)``: the wearer's frame as known at its last sample, in `frame.COLUMNS`"""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)

    def sections(self, *, hop: int) -> list[NDArray[np.intp]]:
        """Return the numbers of the windows of each section without a gap.

        ``hop`` is how many samples apart neighbouring windows are.
        """
        if len(self) == 0:
            return []
        steps = np.diff(self.starts) * SAMPLING_RATE_HZ  # samples
        is_gap = (np.diff(self.recordings) != 0) | (np.abs(steps - hop) > _LEAST_GAP)
        return np.split(np.arange(len(self)), np.flatnonzero(is_gap) + 1)

    def signal(self, section: NDArray[np.intp], *, hop: int) -> NDArray[np.float32]:
        """Return the samples ``(n_samples, 9)`` of one of the `sections`, each of them once."""
        first, *others = self.samples[section]
        return np.concatenate([first, *(window[-hop:] for window in others)])


def windows_of(
    recordings: Sequence[Recording],
    *,
    hop: int,
    activities: tuple[str, ...] = PLACEMENT_ACTIVITIES,
    originals: Sequence[Recording] | None = None,
) -> RecordedWindows:
    """Return the windows of one person's recordings with one device.

    Args:
        recordings: at least one, all of the same person, data set and place.
        hop: samples between the starts of neighbouring windows.
        activities: what labels stand for.
        originals: the same recordings, labelled with the data set's names.

    Raises:
        ValueError: there is no recording, or they are not of one person and device.
    """
    (owner,) = {(one.person, one.data_set, one.worn_at) for one in recordings}
    of_each = _windows(recordings, hop=hop)
    labels = {name: label for label, name in enumerate(activities)}
    names = _activities(recordings, of_each)
    original_names = _activities(originals or recordings, of_each)
    together = Windows.joined(of_each)
    return RecordedWindows(
        *owner,
        activities,
        samples=together.samples,
        labels=np.array([-1 if name is None else labels.get(name, -1) for name in names], np.int8),
        is_settled=~together.settling,
        recordings=np.repeat(np.arange(len(of_each), dtype=np.int16), [*map(len, of_each)]),
        starts=together.starts,
        is_stairs=np.array([name == STAIRS for name in original_names], np.bool_),
        wearer_frames=together.wearer_frames,
    )


def _windows(recordings: Sequence[Recording], *, hop: int) -> list[Windows]:
    """Return each recording's windows, but for those across a gap."""
    phone = RecordedPhone(hop=hop, gait=shipped_gait())
    of_each: dict[int, Windows] = {}
    for number in sorted(range(len(recordings)), key=lambda one: not _walks(recordings[one])):
        recording = recordings[number]
        is_long = any(len(stretch.times) > _MESSAGE_ROWS for stretch in recording.stretches)
        messages = (recording.cut(_MESSAGE_ROWS) if is_long else recording).messages
        passed = [phone.push([part.readings for part in message]) for message in messages]
        windows = Windows.joined([*passed, phone.finish()])
        of_each[number] = windows.chosen(~_is_across_a_gap(windows.starts, recording))
    return [of_each[number] for number in range(len(recordings))]


def _walks(recording: Recording) -> bool:
    """Return whether somebody walks in a recording."""
    if _FIRST not in recording.activities:
        return False
    label = recording.activities.index(_FIRST)
    return any((stretch.labels == label).any() for stretch in recording.stretches)


def _activities(recordings: Sequence[Recording], of_each: Sequence[Windows]) -> list[str | None]:
    """Return the activity of all the recordings' windows, one after the other."""
    return [
        name
        for recording, windows in zip(recordings, of_each, strict=True)
        for name in recording.window_activities(windows.starts)
    ]


def _is_across_a_gap(starts: NDArray[np.float64], recording: Recording) -> NDArray[np.bool_]:
    """Return ``(n,)``, whether each window that begins at ``starts`` ``(n,)`` goes over a gap."""
    times = np.sort(np.concatenate([stretch.times for stretch in recording.stretches]))
    last_before = times[:-1][np.diff(times) > LONGEST_PAUSE_S]  # (n_gaps,)
    ends = starts + (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ
    n_before: NDArray[np.intp] = last_before.searchsorted(starts)
    return n_before < last_before.searchsorted(ends)
