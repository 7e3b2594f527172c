"""How right, how early and how steady the decisions are about people held out.

The training subjects of HAPT are dealt out into five groups. For each group a CNN-LSTM and the
decisions' numbers are learnt from the other four. Then the group's raw recordings are decided as
live phones would be, worn as in training and otherwise (`decision_samples`, `held_out_tracks`).
How it is with the models for phones worn anywhere, ``python -m trainer.selection.decisions
--orientation any`` prints.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES, UNKNOWN
from tests.benchmarks.decision_samples import FRAMES, NAMES, constant, noise, shaken
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.decisions.labelled import labelled_stretches
from trainer.selection.decision_scores import score
from trainer.selection.decision_tracks import NO_LABEL, HeldOutTrack, MeasuredTracks
from trainer.selection.decision_weights import HOPS, MOST_FALSE, MOST_TAKEN
from trainer.selection.decisions import learn_for_groups, models
from trainer.selection.group_models import SEED, train_all
from trainer.selection.held_out_tracks import rotated, tracks_of, worn

NOVEL_HOP: Final = 64

# What the project allows itself
TIMELINE_LIMIT_PERCENT: Final = 3.0
NOW_LIMIT_PERCENT: Final = 7.0
DELAY_LIMIT_S: Final = 2.0
UNKNOWN_LIMIT_PERCENT: Final = 2.0
MISSED_LIMIT_PERCENT: Final = 10.0


def measure(options: Options) -> list[Figure]:
    """Return the figures.

    Raises:
        NotMeasuredError: the data set is missing.
    """
    group_models = models()
    if not all(model.done for model in group_models) and not options.training:
        print("  skipped: takes ten minutes the first time; measure it with --training")
        return []
    try:
        recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
        stretches = labelled_stretches(recordings, hapt.label_segments(options.data))
        train_all(group_models, options.data, progress=print)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    learnt = learn_for_groups(stretches)
    as_worn = tracks_of(group_models, "worn", worn(stretches), hop=min(HOPS))
    figures = [
        figure
        for hop in HOPS
        for figure in _figures_worn([track.at(hop) for track in as_worn], learnt)
    ]
    made_up = {"noise": noise, "shaken": shaken, "constant": constant}
    for name, make in made_up.items():
        tracks = tracks_of(group_models, name, make(np.random.default_rng(SEED)), hop=NOVEL_HOP)
        figures.append(_figure_novel(name, tracks, learnt))
    for name, frame in FRAMES.items():
        tracks = tracks_of(group_models, name, rotated(stretches, frame), hop=NOVEL_HOP)
        figures += _figures_rotated(name, tracks, learnt)
    return figures


def _figures_worn(tracks: Sequence[HeldOutTrack], learnt: Sequence[Learnt]) -> list[Figure]:
    """Return the figures of phones worn as in training, for tracks of one hop."""
    measured = MeasuredTracks(tracks, learnt, ACTIVITIES)
    scores = score(tracks, measured.decided(shipped().weights), measured.states)
    hop = f"hop {measured.hop}"
    figures = [_figure(f"newest window alone wrong, {hop}", 100 * scores.newest_wrong)]
    for which, shares, limit in (
        ("now", scores.now, NOW_LIMIT_PERCENT),
        ("timeline", scores.timeline, TIMELINE_LIMIT_PERCENT),
    ):
        with_transitions = f"{100 * shares.wrong_with_transitions:.1f} % with transitions"
        figures += [
            _figure(f"{which} wrong, {hop}", 100 * shares.wrong, limit, detail=with_transitions),
            _figure(f"{which} unknown, {hop}", 100 * shares.unknown, UNKNOWN_LIMIT_PERCENT),
            _figure(f"transitions seen, {which}, {hop}", 100 * shares.seen),
            _figure(
                f"activity taken for a transition, {which}, {hop}",
                100 * shares.taken,
                100 * MOST_TAKEN,
            ),
        ]
    delays = scores.delays
    missed = np.mean(np.isinf(delays)) * 100
    detail = f"median of {len(delays)}; 90 %: {np.quantile(delays, 0.9):.1f}; {missed:.1f} % missed"
    return [
        *figures,
        _figure(
            f"delay of a change, {hop}",
            float(np.median(delays)),
            DELAY_LIMIT_S,
            unit="s",
            detail=detail,
        ),
        _figure(f"false changes, {hop}", scores.false_changes, MOST_FALSE, unit="a minute"),
    ]


def _figure_novel(name: str, tracks: Sequence[HeldOutTrack], learnt: Sequence[Learnt]) -> Figure:
    """Return the share of samples that no body sends which is not unknown."""
    states = _now(tracks, learnt)
    states = states[states != NO_LABEL]
    missed = _percent(states != NAMES.index(UNKNOWN), np.ones(len(states), np.bool_))
    detail = f"{len(tracks)} phones, hop {NOVEL_HOP}"
    return _figure(f"{name}, not unknown", missed, MISSED_LIMIT_PERCENT, detail=detail)


def _figures_rotated(
    name: str, tracks: Sequence[HeldOutTrack], learnt: Sequence[Learnt]
) -> Iterator[Figure]:
    """Yield how much of the time phones in another frame are not unknown."""
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    walking = (labels >= 0) & (labels < 3)
    for checked in (False, True):
        known = _now(tracks, learnt, checked=checked) != NAMES.index(UNKNOWN)
        detail = (
            f"{_percent(known, walking):.1f} % while walking, "
            f"{_percent(known, active & ~walking):.1f} % at rest, hop {NOVEL_HOP}"
        )
        how = "with the sanity checks" if checked else "by novelty alone"
        yield _figure(
            f"{name}, not unknown {how}",
            _percent(known, active),
            MISSED_LIMIT_PERCENT if checked else None,
            detail=detail,
        )


def _now(
    tracks: Sequence[HeldOutTrack], learnt: Sequence[Learnt], *, checked: bool = True
) -> NDArray[np.int8]:
    """Return the activity now at all samples of tracks, one after the other."""
    measured = MeasuredTracks(tracks, learnt, ACTIVITIES, checked=checked)
    return np.concatenate([one.now for one in measured.decided(shipped().weights)])


def _percent(which: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(which[among].mean()) * 100


def _figure(
    name: str, value: float, limit: float | None = None, *, unit: str = "%", detail: str = ""
) -> Figure:
    return Figure("decisions", name, value, unit, limit=limit, detail=detail)


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "Decisions about people held out")


if __name__ == "__main__":
    main()
