"""Tracks: phones of people held out, and what is decided of them.

A track's probabilities are of a model that was trained on other people; its decisions, by numbers
that were learnt from other people. What is measured of the windows does not depend on the weights,
so that many weights can be tried (`decision_weights`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.evidence import EvidenceModel, Measured, window_weight
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.judgement.sanity_checks.plausibility import Plausibility
from pipeline.recognition.judgement.states import States
from pipeline.recognition.judgement.timeline import SHIFT_S
from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.results import Episode
from pipeline.recognition.rounds import rounds_of
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH

FILTER_ROWS: Final = 2
"""Samples by which the filters delay a window"""
NO_LABEL: Final = -1

_WINDOW_S: Final = (WINDOW_LENGTH - 1) / SAMPLING_RATE_HZ  # from its first sample to its last


@dataclass(frozen=True, eq=False)
class HeldOutTrack:
    """The samples of a phone, and the probabilities of a model that was trained on other people."""

    group: int
    """Of people, whose model and numbers judge it"""
    samples: NDArray[np.float32]
    """``(n_samples, 9)``"""
    labels: NDArray[np.int8]
    """``(n_samples,)``: index into `States.labels`, or -1"""
    hop: int
    """Samples between the windows of `probabilities`"""
    probabilities: NDArray[np.float32]
    """``(n_windows, n_activities)``"""

    def at(self, hop: int) -> "HeldOutTrack":
        """Return the track with only the windows of a longer hop, a multiple of its own."""
        thinned = self.probabilities[:: hop // self.hop]
        return HeldOutTrack(self.group, self.samples, self.labels, hop, thinned)

    @property
    def first_settled(self) -> int:
        """The number of the first window that decides."""
        return -(-SETTLING_ROWS // self.hop)

    @cached_property
    def settled_windows(self) -> NDArray[np.float32]:
        """The windows that decide, ``(n, 128, 9)``."""
        views = sliding_window_view(self.samples, WINDOW_LENGTH, axis=0)[:: self.hop]
        return views[self.first_settled :].transpose(0, 2, 1)


@dataclass(frozen=True, eq=False)
class Decided:
    """What was decided for a track, at each sample: index into `States.labels`, or -1."""

    now: NDArray[np.int8]
    timeline: NDArray[np.int8]


class MeasuredTracks:
    """Tracks of one hop, with all that is measured of their windows."""

    def __init__(
        self,
        tracks: Sequence[HeldOutTrack],
        learnt: Sequence[Learnt],
        activities: Sequence[str],
        *,
        checked: bool = True,
        any_way_round: bool = False,
    ) -> None:
        """Measure the windows.

        Args:
            tracks: at least one, all of one hop.
            learnt: the numbers of each group.
            activities: the models'.
            checked: whether problems that the sanity checks find make windows unknown.
            any_way_round: whether the models are for phones that are worn so.
        """
        self.tracks, self.states = tracks, States(activities)
        self._learnt = learnt
        self._of_groups = [
            [i for i, track in enumerate(tracks) if track.group == group]
            for group in range(len(learnt))
        ]
        self._measured = [self._measure(track) for track in tracks]
        self._implausible = [
            _implausible(track, any_way_round=any_way_round) & checked for track in tracks
        ]

    @property
    def hop(self) -> int:
        """Samples between the windows."""
        return self.tracks[0].hop

    def decided(self, weights: Weights) -> list[Decided]:
        """Return what is decided with these weights."""
        decided = [
            Decided(*(np.full(len(track.samples), NO_LABEL, np.int8) for _ in range(2)))
            for track in self.tracks
        ]
        for places, numbers in zip(self._of_groups, self._learnt, strict=True):
            if places:
                self._decide(places, replace(numbers, weights=weights), decided)
        return decided

    def _measure(self, track: HeldOutTrack) -> Measured:
        model = EvidenceModel(self.states, self._learnt[track.group], weight=1.0)
        settled = track.probabilities[track.first_settled :]
        return model.measure(track.settled_windows, settled)

    def _decide(self, places: Sequence[int], learnt: Learnt, decided: Sequence[Decided]) -> None:
        """Fill in what is decided for the tracks of one group, one phone each."""
        tracks = [self.tracks[place] for place in places]
        counts = [len(self._implausible[place]) for place in places]
        slots = np.repeat(np.arange(len(places)), counts)
        firsts = np.concatenate(
            [
                (track.first_settled + np.arange(count)) * track.hop
                for track, count in zip(tracks, counts, strict=True)
            ]
        )
        weight = window_weight(self.hop, learnt.weights.largest)
        model = EvidenceModel(self.states, learnt, weight=weight)
        decider = Decider(len(places), self.states.activities, hop=self.hop, learnt=learnt)
        decisions = decider.decide(
            rounds_of(slots),
            firsts / SAMPLING_RATE_HZ,
            model.weigh(Measured.joined([self._measured[place] for place in places])),
            np.concatenate([self._implausible[place] for place in places]),
        )
        labels = self.states.labels
        for change in decisions.changes:
            now = decided[places[change.slot]].now
            first_change = (now == NO_LABEL).all()
            after_since_s = _WINDOW_S if first_change else SHIFT_S + self.hop / SAMPLING_RATE_HZ / 2
            known_from = round((change.since + after_since_s) * SAMPLING_RATE_HZ) + FILTER_ROWS
            now[known_from:] = labels.index(change.activity)
        last = decider.interrupt(range(len(places)))
        self._draw([*decisions.episodes, *last], [decided[place] for place in places])

    def _draw(self, episodes: Iterable[Episode], decided: Sequence[Decided]) -> None:
        for episode in episodes:
            start, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
            label = self.states.labels.index(episode.activity)
            decided[episode.slot].timeline[start:end] = label


def _implausible(track: HeldOutTrack, *, any_way_round: bool) -> NDArray[np.bool_]:
    """Return ``(n,)``, whether a problem is in force after each settled window."""
    rounds = rounds_of(np.zeros(len(track.settled_windows), np.intp))
    plausibility = Plausibility(1, hop=track.hop, any_way_round=any_way_round)
    problems = plausibility.problems_after(rounds, check(track.settled_windows))
    implausible: NDArray[np.bool_] = np.logical_or.reduce(problems, axis=1)
    return implausible
