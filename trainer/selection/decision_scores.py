"""How right, how early and how steady the decisions of tracks are, at every sample.

A change of posture is no activity: the activities' samples are those with the label of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import SAMPLING_RATE_HZ, TRANSITION, UNKNOWN, WINDOW_LENGTH
from trainer.selection.decision_tracks import FILTER_ROWS, NO_LABEL, Decided, HeldOutTrack

_A_MINUTE: Final = 60 * SAMPLING_RATE_HZ  # samples


@dataclass(frozen=True)
class Shares:
    """Shares of samples, 0 to 1; all but the last two among those of activities."""

    wrong: float
    """Another than the label"""
    unknown: float
    taken: float
    """A change of posture, though there is none"""
    wrong_with_transitions: float
    """Another than the label, among all with a label"""
    seen: float
    """A change of posture, among those of changes of posture; NaN if there are none"""


@dataclass(frozen=True)
class DecisionScores:
    """The scores of tracks at one hop."""

    newest_wrong: float
    """Share of the activities' samples at which the newest window's activity is another"""
    now: Shares
    timeline: Shares
    delays: tuple[float, ...]
    """Seconds until now shows each change to another activity, infinite if it never does"""
    false_changes: float
    """A minute: changes of now within a bout, but for the one that leads to its activity"""


def score(
    tracks: Sequence[HeldOutTrack], decided: Sequence[Decided], states: States
) -> DecisionScores:
    """Return how right the decisions of tracks are."""
    labels = np.concatenate([track.labels for track in tracks])
    now, timeline = (
        np.concatenate([getattr(one, which) for one in decided]) for which in ("now", "timeline")
    )
    newest = np.concatenate([newest_alone(track) for track in tracks])
    active = (labels >= 0) & (labels < states.n_activities)
    delays, false = [], 0
    for track, one in zip(tracks, decided, strict=True):
        delays_of_track, more = _changes(track.labels, one.now, states)
        delays += delays_of_track
        false += more
    return DecisionScores(
        float((newest != labels)[active].mean()),
        _shares(now, labels, states),
        _shares(timeline, labels, states),
        tuple(delays),
        false / active.sum() * _A_MINUTE,
    )


def newest_alone(track: HeldOutTrack) -> NDArray[np.int8]:
    """Return at each sample the most probable activity of the newest window."""
    labels = track.probabilities.argmax(axis=1)
    newest = np.arange(len(track.samples)) - (WINDOW_LENGTH - 1 + FILTER_ROWS)
    states = labels[np.clip(newest // track.hop, 0, len(labels) - 1)]
    return np.where(newest >= 0, states, NO_LABEL).astype(np.int8)


def _shares(shown: NDArray[np.int8], labels: NDArray[np.int8], states: States) -> Shares:
    transition, unknown = (states.labels.index(name) for name in (TRANSITION, UNKNOWN))
    active = (labels >= 0) & (labels < states.n_activities)
    changing = labels == transition
    return Shares(
        float((shown != labels)[active].mean()),
        float((shown == unknown)[active].mean()),
        float((shown == transition)[active].mean()),
        float((shown != labels)[labels >= 0].mean()),
        float((shown == transition)[changing].mean()) if changing.any() else np.nan,
    )


def _changes(
    labels: NDArray[np.int8], now: NDArray[np.int8], states: States
) -> tuple[list[float], int]:
    """Return the delay of each change to another activity, in seconds, and the false changes."""
    bounds = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    delays: list[float] = []
    false, before = 0, NO_LABEL
    for first, last in pairwise(bounds):
        label = int(labels[first])
        if label == NO_LABEL or label == states.labels.index(TRANSITION):
            continue
        bout = now[first:last]
        n_changes = int(np.count_nonzero(np.diff(bout)))
        false += max(0, n_changes - int(bout[0] != label))
        if before not in (NO_LABEL, label):
            right = np.flatnonzero(bout == label)
            delays.append(right[0] / SAMPLING_RATE_HZ if len(right) else np.inf)
        before = label
    return delays, false
