"""How right, how early and how steady the decisions are about people held out.

The training subjects of HAPT are dealt out into five groups. For each group a CNN-LSTM and the
decisions' numbers are learnt from the other four. Then the group's raw recordings are decided as
live phones would be, worn as in training and otherwise (`decision_samples`, `decision_tracks`).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.states import TRANSITION, UNKNOWN
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, WINDOW_LENGTH, Orientation
from tests.benchmarks.decision_samples import (
    FRAMES,
    NAMES,
    NO_LABEL,
    constant,
    noise,
    rotated,
    shaken,
    worn,
)
from tests.benchmarks.decision_tracks import FILTER_ROWS, Track, decide, tracks_of
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.decisions.labelled import labelled_stretches
from trainer.decisions.learning import learn
from trainer.selection.cross_validation import groups
from trainer.selection.group_models import SEED, of_all_groups, train_all
from trainer.training.recipe import ANY_RECIPE, RawRecipe

HOPS: Final = (16, 64)
NOVEL_HOP: Final = 64

# What the project allows itself
TIMELINE_LIMIT_PERCENT: Final = 3.0
NOW_LIMIT_PERCENT: Final = 7.0
DELAY_LIMIT_S: Final = 2.0
FALSE_LIMIT: Final = 0.5  # a minute
UNKNOWN_LIMIT_PERCENT: Final = 2.0
MISSED_LIMIT_PERCENT: Final = 10.0


def measure(options: Options) -> list[Figure]:
    """Return the figures.

    Raises:
        NotMeasuredError: the data set is missing.
    """
    models = of_all_groups("cnn-lstm", RawRecipe())
    any_models = of_all_groups("cnn-lstm", ANY_RECIPE)
    trained = all(model.done for model in (*models, *any_models))
    if not trained and not options.training:
        print("  skipped: takes ten minutes the first time; measure it with --training")
        return []
    try:
        recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
        stretches = labelled_stretches(recordings, hapt.label_segments(options.data))
        train_all([*models, *any_models], options.data, progress=print)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    learnt, learnt_any = (
        [
            learn(
                [one for one in stretches if one.subject not in subjects],
                shipped(orientation).weights,
                seed=SEED,
                orientation=orientation,
            )
            for subjects in groups()
        ]
        for orientation in get_args(Orientation)
    )
    as_worn = tracks_of(models, "worn", worn(stretches), hop=min(HOPS))
    figures = [figure for hop in HOPS for figure in _figures_worn(as_worn, learnt, hop)]
    made_up = {"noise": noise, "shaken": shaken, "constant": constant}
    for name, make in made_up.items():
        tracks = tracks_of(models, name, make(np.random.default_rng(SEED)), hop=NOVEL_HOP)
        figures.append(_figure_novel(name, tracks, learnt))
    for name, frame in FRAMES.items():
        tracks = tracks_of(models, name, rotated(stretches, frame), hop=NOVEL_HOP)
        figures += _figures_rotated(name, tracks, learnt)
    tracks = tracks_of(any_models, "any", rotated(stretches, None), hop=NOVEL_HOP)
    return figures + _figures_any(tracks, learnt_any)


def _figures_worn(tracks: Sequence[Track], learnt: Sequence[Learnt], hop: int) -> list[Figure]:
    """Return the figures of phones worn as in training."""
    of_tracks = decide(tracks, learnt, hop)
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    raw = np.concatenate([_newest_alone(track, hop) for track in tracks])
    figures = [_figure(f"newest window alone wrong, hop {hop}", _percent(raw != labels, active))]
    for which, limit in (("now", NOW_LIMIT_PERCENT), ("timeline", TIMELINE_LIMIT_PERCENT)):
        states = np.concatenate([getattr(of_track, which) for of_track in of_tracks])
        wrong = states != labels
        transitions = labels == NAMES.index(TRANSITION)
        detail = (
            f"{_percent(wrong, labels >= 0):.1f} % with transitions, of which "
            f"{_percent(~wrong, transitions):.0f} % are seen"
        )
        figures.append(
            _figure(f"{which} wrong, hop {hop}", _percent(wrong, active), limit, detail=detail)
        )
        unknown = states == NAMES.index(UNKNOWN)
        figures.append(
            _figure(f"{which} unknown, hop {hop}", _percent(unknown, active), UNKNOWN_LIMIT_PERCENT)
        )
    delays, false, minutes = [], 0, active.sum() / SAMPLING_RATE_HZ / 60
    for track, of_track in zip(tracks, of_tracks, strict=True):
        delays_of_track, more = _changes(track.labels, of_track.now)
        delays += delays_of_track
        false += more
    missed = np.mean(np.isinf(delays)) * 100
    detail = f"median of {len(delays)}; 90 %: {np.quantile(delays, 0.9):.1f}; {missed:.1f} % missed"
    figures += [
        _figure(
            f"delay of a change, hop {hop}",
            float(np.median(delays)),
            DELAY_LIMIT_S,
            unit="s",
            detail=detail,
        ),
        _figure(f"false changes, hop {hop}", false / minutes, FALSE_LIMIT, unit="a minute"),
    ]
    return figures


def _figures_any(tracks: Sequence[Track], learnt: Sequence[Learnt]) -> list[Figure]:
    """Return the figures of phones worn any way round, with a model for such."""
    of_tracks = decide(tracks, learnt, NOVEL_HOP, any_way_round=True)
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    figures = []
    for which in ("now", "timeline"):
        states = np.concatenate([getattr(of_track, which) for of_track in of_tracks])
        unknown = _percent(states == NAMES.index(UNKNOWN), active)
        wrong = _percent(states != labels, active)
        what = f"any way round (cnn-lstm-any), {which} wrong"
        figures.append(_figure(what, wrong, detail=f"unknown {unknown:.2f} %, hop {NOVEL_HOP}"))
    return figures


def _figure_novel(name: str, tracks: Sequence[Track], learnt: Sequence[Learnt]) -> Figure:
    """Return the share of samples that no body sends which is not unknown."""
    of_tracks = decide(tracks, learnt, NOVEL_HOP)
    states = np.concatenate([of_track.now[of_track.now != NO_LABEL] for of_track in of_tracks])
    missed = _percent(states != NAMES.index(UNKNOWN), np.ones(len(states), np.bool_))
    detail = f"{len(tracks)} phones, hop {NOVEL_HOP}"
    return _figure(f"{name}, not unknown", missed, MISSED_LIMIT_PERCENT, detail=detail)


def _figures_rotated(
    name: str, tracks: Sequence[Track], learnt: Sequence[Learnt]
) -> Iterator[Figure]:
    """Yield how much of the time phones in another frame are not unknown."""
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    walking = (labels >= 0) & (labels < 3)
    for checked in (False, True):
        states = np.concatenate(
            [of_track.now for of_track in decide(tracks, learnt, NOVEL_HOP, checked=checked)]
        )
        known = states != NAMES.index(UNKNOWN)
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


def _newest_alone(track: Track, hop: int) -> NDArray[np.int8]:
    """Return at each sample the most probable activity of the newest window."""
    labels = track.probabilities[:: hop // track.hop].argmax(axis=1)
    newest = np.arange(len(track.samples)) - (WINDOW_LENGTH - 1 + FILTER_ROWS)
    states = labels[np.clip(newest // hop, 0, len(labels) - 1)]
    return np.where(newest >= 0, states, NO_LABEL).astype(np.int8)


def _changes(labels: NDArray[np.int8], now: NDArray[np.int8]) -> tuple[list[float], int]:
    """Return the delay of each change to another activity, in seconds, and the false changes.

    A change of now within a bout is false but for the one that leads to the bout's activity.
    """
    bounds = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    delays: list[float] = []
    false, before = 0, NO_LABEL
    for first, last in pairwise(bounds):
        label = int(labels[first])
        if label == NO_LABEL or label == NAMES.index(TRANSITION):
            continue
        bout = now[first:last]
        n_changes = int(np.count_nonzero(np.diff(bout)))
        false += max(0, n_changes - int(bout[0] != label))
        if before not in (NO_LABEL, label):
            right = np.flatnonzero(bout == label)
            delays.append(right[0] / SAMPLING_RATE_HZ if len(right) else np.inf)
        before = label
    return delays, false


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
