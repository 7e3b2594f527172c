"""How right, how early and how steady the decisions are about people that nothing was learnt from.

The training subjects of HAPT are dealt out into five groups. For each group a CNN-LSTM and the
decisions' numbers are learnt from the other four; then the group's raw recordings are decided as
live phones would be, worn as in training and otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.checks import check
from pipeline.recognition.judgement.decisions import Decider
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.plausibility import Plausibility
from pipeline.recognition.judgement.states import TRANSITION, UNKNOWN
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.results import Episode
from pipeline.recognition.rounds import rounds_of
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError
from pipeline.vocabulary import (
    ACTIVITIES,
    SAMPLING_RATE_HZ,
    STANDARD_GRAVITY,
    WINDOW_LENGTH,
    Orientation,
)
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS, cut
from trainer.decisions.labelled import LabelledStretch, labelled_stretches
from trainer.decisions.learning import learn
from trainer.decisions.novel import random_rotation
from trainer.selection.cross_validation import N_GROUPS, groups
from trainer.selection.group_models import SEED, GroupModel, of_all_groups, train_all
from trainer.training.processes import quiet_tensorflow
from trainer.training.recipe import ANY_RECIPE, RawRecipe

HOPS: Final = (16, 64)
NOVEL_HOP: Final = 64
FILTER_ROWS: Final = 2
"""Samples by which the filters delay a window"""

NAMES: Final = (*ACTIVITIES, TRANSITION, UNKNOWN)
NOTHING: Final = -1

GROUP_OF: Final = {subject: i for i, group in enumerate(groups()) for subject in group}
NOVEL_ROWS: Final = 1500  # 30 s
REPEATS: Final = 10
FRAMES: Final = {
    "portrait": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "portrait upside down": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "landscape upside down": np.diag([-1.0, -1, 1]),
    "a random frame, 45 degrees or more off": None,
}
"""How else phones are worn: what turns the sensors' axes."""

# What the project allows itself
TIMELINE_LIMIT_PERCENT: Final = 3.0
NOW_LIMIT_PERCENT: Final = 7.0
DELAY_LIMIT_S: Final = 2.0
FALSE_LIMIT: Final = 0.5  # a minute
UNKNOWN_LIMIT_PERCENT: Final = 2.0
MISSED_LIMIT_PERCENT: Final = 10.0


@dataclass(frozen=True, eq=False)
class Track:
    """What a phone sent, and what a model says of it that never saw the person."""

    fold: int
    samples: NDArray[np.float32]
    """``(n_samples, 9)``"""
    labels: NDArray[np.int8]
    """``(n_samples,)``: index into `NAMES`, or -1"""
    hop: int
    """Samples between the windows of which the model speaks"""
    probabilities: NDArray[np.float32]
    """``(n_windows, 6)``"""


@dataclass(frozen=True, eq=False)
class Shown:
    """What was decided of a track, at each sample: index into `NAMES`, or -1 for nothing."""

    now: NDArray[np.int8]
    timeline: NDArray[np.int8]


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
                seed=SEED,
                orientation=orientation,
            )
            for subjects in groups()
        ]
        for orientation in get_args(Orientation)
    )
    worn = _heard(models, "worn", _worn(stretches), hop=min(HOPS))
    figures = [figure for hop in HOPS for figure in _figures_worn(worn, learnt, hop)]
    made_up = {"noise": _noise, "shaken": _shaken, "constant": _constant}
    for name, make in made_up.items():
        tracks = _heard(models, name, make(np.random.default_rng(SEED)), hop=NOVEL_HOP)
        figures.append(_figure_novel(name, tracks, learnt))
    for name, frame in FRAMES.items():
        tracks = _heard(models, name, _turned(stretches, frame), hop=NOVEL_HOP)
        figures += _figures_turned(name, tracks, learnt)
    tracks = _heard(any_models, "any", _turned(stretches, None), hop=NOVEL_HOP)
    return figures + _figures_any(tracks, learnt_any)


def _heard(
    models: Sequence[GroupModel],
    name: str,
    sent: Iterable[tuple[int, NDArray[np.float64], NDArray[np.int8]]],
    *,
    hop: int,
) -> list[Track]:
    """Return tracks of what was sent: group, raw rows ``(n_rows, 6)``, labels ``(n_rows - 1,)``.

    What the models say is kept with them.
    """
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
        said = [
            probabilities(by_group[group], cut(samples, hop=hop)) for group, samples, _ in parts
        ]
        np.savez(file, *said)
    with np.load(file) as kept:
        return [
            Track(group, samples, labels, hop, kept[f"arr_{i}"])
            for i, (group, samples, labels) in enumerate(parts)
        ]


# What is sent


def _worn(
    stretches: Sequence[LabelledStretch],
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int8]]]:
    """Yield the recordings as they are."""
    for stretch in stretches:
        labels = np.minimum(stretch.labels, NAMES.index(TRANSITION)).astype(np.int8)
        yield GROUP_OF[stretch.subject], stretch.rows, labels


def _turned(
    stretches: Sequence[LabelledStretch], frame: NDArray[np.float64] | None
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int8]]]:
    """Yield the recordings of phones worn in another frame, a random one each if it is None."""
    rng = np.random.default_rng(SEED)
    for fold, rows, labels in _worn(stretches):
        turn = frame
        while turn is None:
            drawn = random_rotation(rng)
            turn = drawn if drawn[0, 0] < np.cos(np.pi / 4) else None
        yield fold, (rows.reshape(-1, 3) @ turn.T).reshape(-1, 6), labels


def _noise(
    rng: np.random.Generator,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int8]]]:
    """Yield white noise of four sizes, without gravity, and of the larger two about gravity."""
    upright = np.array([STANDARD_GRAVITY, 0, 0, 0, 0, 0])
    for size in (0.02, 0.2, 2.0, 20.0):  # m/s², and in rad/s a tenth to once that
        for repeat in range(REPEATS):
            scales = np.repeat([size, size * rng.uniform(0.1, 1.0)], 3)
            noise = rng.normal(size=(NOVEL_ROWS, 6)) * scales
            for gravity in (0, 1) if size >= 1 else (0,):
                yield _made_up(repeat, noise + gravity * upright)


def _shaken(
    rng: np.random.Generator,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int8]]]:
    """Yield phones shaken by hand: swings of a steady or of a rising frequency."""
    seconds = np.arange(NOVEL_ROWS) / SAMPLING_RATE_HZ
    for repeat in range(4 * REPEATS):
        first_hz = rng.uniform(1.5, 5.0)
        last_hz = first_hz * (1 if repeat % 2 else rng.uniform(1.2, 2.0))
        turns = first_hz * seconds + (last_hz - first_hz) * seconds**2 / 2 / seconds[-1]
        swing = np.sin(2 * np.pi * turns)[:, None]
        acc = STANDARD_GRAVITY * _direction(rng) + swing * _direction(rng) * rng.uniform(5, 25)
        gyro = np.roll(swing, 5, axis=0) * _direction(rng) * rng.uniform(1, 8)
        noise = rng.normal(size=(NOVEL_ROWS, 6)) * 0.05
        yield _made_up(repeat, np.hstack([acc, gyro]) + noise)


def _constant(
    rng: np.random.Generator,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int8]]]:
    """Yield sensors that never change: all zero, gravity along x or anywhere, anything at all."""
    rows = [np.zeros(6), np.array([STANDARD_GRAVITY, 0, 0, 0, 0, 0])]
    rows += [np.r_[STANDARD_GRAVITY * _direction(rng), 0, 0, 0] for _ in range(REPEATS)]
    rows += [rng.normal(size=6) * 5 for _ in range(REPEATS)]
    for repeat, row in enumerate(rows):
        yield _made_up(repeat, np.tile(row, (NOVEL_ROWS, 1)))


def _made_up(
    number: int, rows: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64], NDArray[np.int8]]:
    return number % N_GROUPS, rows, np.full(len(rows) - 1, NOTHING, np.int8)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(size=3)
    direction: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return direction


# What is decided


def _decide(
    tracks: Sequence[Track],
    learnt: Sequence[Learnt],
    hop: int,
    *,
    checked: bool = True,
    any_way_round: bool = False,
) -> list[Shown]:
    """Return what is decided of tracks, with the sanity checks or without."""
    shown = [
        Shown(*(np.full(len(track.samples), NOTHING, np.int8) for _ in range(2)))
        for track in tracks
    ]
    for fold, numbers in enumerate(learnt):
        places = [i for i, track in enumerate(tracks) if track.fold == fold]
        _decide_fold(
            [tracks[i] for i in places],
            [shown[i] for i in places],
            Decider(len(places), ACTIVITIES, hop=hop, learnt=numbers),
            Plausibility(len(places), hop=hop, any_way_round=any_way_round),
            hop=hop,
            checked=checked,
        )
    return shown


def _decide_fold(
    tracks: Sequence[Track],
    shown: Sequence[Shown],
    decider: Decider,
    plausibility: Plausibility,
    *,
    hop: int,
    checked: bool,
) -> None:
    """Fill in what the decider says of tracks, one phone each, their windows at the same times."""
    said = [track.probabilities[:: hop // track.hop] for track in tracks]
    for number in range(max(map(len, said))):
        first = number * hop
        slots = np.array([i for i, own in enumerate(said) if number < len(own)])
        windows = np.stack([tracks[i].samples[first : first + WINDOW_LENGTH] for i in slots])
        if first < SETTLING_ROWS:
            continue
        rounds = rounds_of(slots)
        problems = plausibility.problems_after(rounds, check(windows)).any(axis=1)
        decided = decider.decide(
            rounds,
            np.full(len(slots), first / SAMPLING_RATE_HZ),
            decider.evidence(windows, np.stack([said[i][number] for i in slots])),
            problems & checked,
        )
        known_from = first + WINDOW_LENGTH - 1 + FILTER_ROWS
        for change in decided.changes:
            shown[change.slot].now[known_from:] = NAMES.index(change.activity)
        _draw(decided.episodes, shown)
    _draw(decider.interrupt(range(len(tracks))), shown)


def _draw(episodes: Iterable[Episode], shown: Sequence[Shown]) -> None:
    for episode in episodes:
        start, end = (round(at * SAMPLING_RATE_HZ) for at in (episode.start, episode.end))
        shown[episode.slot].timeline[start:end] = NAMES.index(episode.activity)


# What is right


def _figures_worn(tracks: Sequence[Track], learnt: Sequence[Learnt], hop: int) -> list[Figure]:
    """Return the figures of phones worn as in training."""
    shown = _decide(tracks, learnt, hop)
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    raw = np.concatenate([_newest_alone(track, hop) for track in tracks])
    figures = [_figure(f"newest window alone wrong, hop {hop}", _percent(raw != labels, active))]
    for which, limit in (("now", NOW_LIMIT_PERCENT), ("timeline", TIMELINE_LIMIT_PERCENT)):
        states = np.concatenate([getattr(own, which) for own in shown])
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
    for track, own in zip(tracks, shown, strict=True):
        found, more = _changes(track.labels, own.now)
        delays += found
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
    shown = _decide(tracks, learnt, NOVEL_HOP, any_way_round=True)
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    figures = []
    for which in ("now", "timeline"):
        states = np.concatenate([getattr(own, which) for own in shown])
        unknown = _percent(states == NAMES.index(UNKNOWN), active)
        wrong = _percent(states != labels, active)
        what = f"any way round (cnn-lstm-any), {which} wrong"
        figures.append(_figure(what, wrong, detail=f"unknown {unknown:.2f} %, hop {NOVEL_HOP}"))
    return figures


def _figure_novel(name: str, tracks: Sequence[Track], learnt: Sequence[Learnt]) -> Figure:
    """Return how much of what no body does is not unknown."""
    shown = _decide(tracks, learnt, NOVEL_HOP)
    states = np.concatenate([own.now[own.now != NOTHING] for own in shown])
    missed = _percent(states != NAMES.index(UNKNOWN), np.ones(len(states), np.bool_))
    detail = f"{len(tracks)} phones, hop {NOVEL_HOP}"
    return _figure(f"{name}, not unknown", missed, MISSED_LIMIT_PERCENT, detail=detail)


def _figures_turned(
    name: str, tracks: Sequence[Track], learnt: Sequence[Learnt]
) -> Iterator[Figure]:
    """Yield how much of the time phones in another frame are not unknown."""
    labels = np.concatenate([track.labels for track in tracks])
    active = (labels >= 0) & (labels < len(ACTIVITIES))
    walking = (labels >= 0) & (labels < 3)
    for checked in (False, True):
        states = np.concatenate(
            [own.now for own in _decide(tracks, learnt, NOVEL_HOP, checked=checked)]
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
    """Return at each sample what the model says of the newest window."""
    said = track.probabilities[:: hop // track.hop].argmax(axis=1)
    newest = np.arange(len(track.samples)) - (WINDOW_LENGTH - 1 + FILTER_ROWS)
    states = said[np.clip(newest // hop, 0, len(said) - 1)]
    return np.where(newest >= 0, states, NOTHING).astype(np.int8)


def _changes(labels: NDArray[np.int8], now: NDArray[np.int8]) -> tuple[list[float], int]:
    """Return the delay of each change to another activity, in seconds, and the false changes.

    A change of now within a bout is false but for the one that leads to the bout's activity.
    """
    bounds = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    delays, false, before = [], 0, NOTHING
    for first, last in pairwise(bounds):
        label = int(labels[first])
        if label == NOTHING or label == NAMES.index(TRANSITION):
            continue
        bout = now[first:last]
        false += max(0, np.count_nonzero(np.diff(bout)) - int(bout[0] != label))
        if before not in (NOTHING, label):
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
    run_alone(measure, "Decisions about people that nothing was learnt from")


if __name__ == "__main__":
    main()
