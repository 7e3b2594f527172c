"""Tracks: samples with a model's probabilities, and the states that are decided from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.judgement.sanity_checks.plausibility import Plausibility
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.results import Episode
from pipeline.recognition.rounds import rounds_of
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.benchmarks.decision_samples import NAMES, NO_LABEL, Sent
from trainer.data.raw_windows import cut
from trainer.selection.group_models import GroupModel
from trainer.training.processes import quiet_tensorflow

FILTER_ROWS: Final = 2
"""Samples by which the filters delay a window"""


@dataclass(frozen=True, eq=False)
class Track:
    """The samples of a phone, and the probabilities of a model that was trained on other people."""

    group: int
    """Of people, whose model and numbers judge it"""
    samples: NDArray[np.float32]
    """``(n_samples, 9)``"""
    labels: NDArray[np.int8]
    """``(n_samples,)``: index into `NAMES`, or -1"""
    hop: int
    """Samples between the windows of `probabilities`"""
    probabilities: NDArray[np.float32]
    """``(n_windows, 6)``"""


@dataclass(frozen=True, eq=False)
class States:
    """The states that were decided for a track, at each sample: index into `NAMES`, or -1."""

    now: NDArray[np.int8]
    timeline: NDArray[np.int8]


def tracks_of(
    models: Sequence[GroupModel],
    name: str,
    sent: Iterable[Sent],
    *,
    hop: int,
) -> list[Track]:
    """Return the tracks of samples; the probabilities are kept in a file beside the models."""
    parts = [
        (group, Preprocessor(1).push(np.array([0]), rows[None])[0], labels)
        for group, rows, labels in sent
    ]
    file = models[0].file.with_name(f"{models[0].file.stem} {name} {hop}.npz")
    if not file.is_file():
        with quiet_tensorflow():
            import keras

            from trainer.training.fitted import probabilities

        by_group = [keras.saving.load_model(model.file) for model in models]
        by_part = [
            probabilities(by_group[group], cut(samples, hop=hop)) for group, samples, _ in parts
        ]
        np.savez(file, *by_part)
    with np.load(file) as kept:
        return [
            Track(group, samples, labels, hop, kept[f"arr_{i}"])
            for i, (group, samples, labels) in enumerate(parts)
        ]


def decide(
    tracks: Sequence[Track],
    learnt: Sequence[Learnt],
    hop: int,
    *,
    checked: bool = True,
    any_way_round: bool = False,
) -> list[States]:
    """Return the states that are decided for tracks, with the sanity checks or without."""
    states = [
        States(*(np.full(len(track.samples), NO_LABEL, np.int8) for _ in range(2)))
        for track in tracks
    ]
    for group, numbers in enumerate(learnt):
        places = [i for i, track in enumerate(tracks) if track.group == group]
        _decide_group(
            [tracks[i] for i in places],
            [states[i] for i in places],
            Decider(len(places), ACTIVITIES, hop=hop, learnt=numbers),
            Plausibility(len(places), hop=hop, any_way_round=any_way_round),
            hop=hop,
            checked=checked,
        )
    return states


def _decide_group(
    tracks: Sequence[Track],
    states: Sequence[States],
    decider: Decider,
    plausibility: Plausibility,
    *,
    hop: int,
    checked: bool,
) -> None:
    """Fill in the states of tracks, one phone each, their windows at the same times."""
    probabilities = [track.probabilities[:: hop // track.hop] for track in tracks]
    for number in range(max(map(len, probabilities))):
        first = number * hop
        slots = np.array([i for i, of_track in enumerate(probabilities) if number < len(of_track)])
        windows = np.stack([tracks[i].samples[first : first + WINDOW_LENGTH] for i in slots])
        if first < SETTLING_ROWS:
            continue
        rounds = rounds_of(slots)
        in_force = plausibility.problems_after(rounds, check(windows))  # (n_windows, n_problems)
        problems = np.logical_or.reduce(in_force, axis=1) if checked else np.zeros(len(slots), bool)
        decided = decider.decide(
            rounds,
            np.full(len(slots), first / SAMPLING_RATE_HZ),
            decider.evidence(windows, np.stack([probabilities[i][number] for i in slots])),
            problems,
        )
        known_from = first + WINDOW_LENGTH - 1 + FILTER_ROWS
        for change in decided.changes:
            states[change.slot].now[known_from:] = NAMES.index(change.activity)
        _draw(decided.episodes, states)
    _draw(decider.interrupt(range(len(tracks))), states)


def _draw(episodes: Iterable[Episode], states: Sequence[States]) -> None:
    for episode in episodes:
        start, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
        states[episode.slot].timeline[start:end] = NAMES.index(episode.activity)
