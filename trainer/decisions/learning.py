"""Learns the numbers that decisions over time need from labelled raw recordings (HAPT).

    python -m trainer.decisions.learning

What is learnt is small: two networks of a dozen units, a direction, a table of rates. Nothing here
depends on the classifier, so the numbers serve any model of the same activities. What else a phone
may send, which no body does, is made up here too (`strange_rows`).
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.signal import butter, lfilter

from pipeline.models.decisions import decisions_file
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import (
    MOTIONS,
    MOVING_ACTIVITIES,
    STILL_ACTIVITIES,
    motion_features,
)
from pipeline.recognition.judgement.network import Network
from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import Summary, summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.preparation.windows import turned
from pipeline.recordings import hapt
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import (
    ACTIVITIES,
    SAMPLING_RATE_HZ,
    STANDARD_GRAVITY,
    WINDOW_LENGTH,
    Orientation,
)
from trainer.data.raw_windows import TRAINING_SUBJECTS, Turns, cut, prepare, random_turns

HOP: Final = 16
"""Samples between the windows that are learnt from"""

TURNS: Final = Turns(around_deg=12.0, tilt_deg=0.0)
"""With which phones are worn elsewhere around the waist"""

ANY_TURN: Final = Turns(any_way_round=True)

_LABELS: Final = (*ACTIVITIES, *hapt.TRANSITIONS)
_ARRIVALS: Final = {"SIT": "SITTING", "STAND": "STANDING", "LIE": "LAYING"}
"""The activity that a transition leads to, by the last word of its name"""

_MOTION_UNITS: Final = 16
_NOVELTY_UNITS: Final = 12
_MOTION_DECAY: Final = 3e-4
_NOVELTY_DECAY: Final = 1e-4
_ITERATIONS: Final = 150
_UNSEEN_SHARE: Final = 0.15
"""Share of the changes from a state that is spread evenly over all states"""
_TILT_PRIOR: Final = 1e-6

_STRANGE_HOP: Final = 48  # samples
_STRANGE_ROWS: Final = 700  # 14 s, of which the filters take the first 3 to settle
_N_NOISES: Final = 500
_N_SHAKINGS: Final = 500
_N_DEAD: Final = 150
_FAR_FROM_UPRIGHT_G: Final = 0.7  # 45 degrees
_UPSIDE_DOWN_G: Final = -0.4
_TURNS_A_STRETCH: Final = 23
_FAULTS_A_STRETCH: Final = 3


@dataclass(frozen=True, eq=False)
class LabelledStretch:
    """Raw rows with the labels of the HAPT data set, transitions included."""

    subject: int
    rows: NDArray[np.float64]
    """``(n_samples, 6)`` in m/s² and rad/s"""
    samples: NDArray[np.float32]
    """``(n_samples - 1, 9)`` in g and rad/s: what the filters make of it"""
    labels: NDArray[np.int8]
    """``(n_samples - 1,)``: index into `ACTIVITIES` and then `hapt.TRANSITIONS`, or -1"""


def labelled_stretches(
    recordings: Sequence[Recording], segments: NDArray[np.int64]
) -> list[LabelledStretch]:
    """Return the stretches of raw recordings with what `hapt.label_segments` says of them."""
    found = []
    for recording in recordings:
        subject = int(recording.device[-2:])
        own = segments[segments[:, 1] == subject]
        for experiment, stretch in zip(np.unique(own[:, 0]), recording.stretches, strict=True):
            labels = np.full(len(stretch.samples) - 1, -1, np.int8)
            for _, _, label, first, last in own[own[:, 0] == experiment].tolist():
                labels[first - 1 : last] = label - 1
            rows = np.asarray(stretch.samples, np.float64)
            found.append(LabelledStretch(subject, rows, prepare(stretch), labels))
    return found


def learn(
    stretches: Sequence[LabelledStretch], *, seed: int, orientation: Orientation = "training"
) -> Learnt:
    """Return the numbers learnt from labelled raw recordings.

    Args:
        stretches: of the training subjects.
        seed: draws initial weights, and what is made up.
        orientation: how the phones are worn that the numbers are for. If it is any way round, all
            windows are turned at random, so that sitting and standing differ in the sway alone.
    """
    rng = np.random.default_rng(seed)
    windows = [_settled(stretch.samples) for stretch in stretches]
    if orientation == "any":
        windows = [turned(own, random_turns(rng, len(own), ANY_TURN)) for own in windows]
    labels = [_settled(stretch.labels[:, None])[:, :, 0] for stretch in stretches]
    summaries = [summarize(own) for own in windows]

    newest = np.concatenate([own[:, -1] for own in labels])
    known = newest >= 0
    motions = _MOTION_OF[newest[known]]
    motion = fit_network(
        np.concatenate([motion_features(own) for own in summaries])[known],
        motions,
        n_units=_MOTION_UNITS,
        decay=_MOTION_DECAY,
        rng=rng,
    )

    middle = np.concatenate([own[:, WINDOW_LENGTH // 2] for own in labels])
    known = middle >= 0
    worn = np.concatenate(windows)[known]
    turns = TURNS if orientation == "training" else ANY_TURN
    rotations = random_turns(np.random.default_rng(seed), len(worn), turns)
    usual = np.concatenate(
        [novelty_features(summarize(own)) for own in (worn, turned(worn, rotations))]
    )
    strange = _strange_features(stretches, rng, orientation)
    novelty = fit_network(
        np.concatenate([usual, strange]),
        np.repeat([0, 1], [len(usual), len(strange)]),
        n_units=_NOVELTY_UNITS,
        decay=_NOVELTY_DECAY,
        rng=rng,
        balanced=True,
    )
    sitting, standing = _postures(summaries, labels)
    direction = _tilt(sitting, standing)
    high = np.array([(features @ direction).mean() for features in sitting])
    low = np.array([(features @ direction).mean() for features in standing])
    scatter = np.mean([(features @ direction).var() for features in (*sitting, *standing)])
    return Learnt(
        motion=motion,
        motion_shares=np.bincount(motions, minlength=len(MOTIONS)) / len(motions),
        tilt=direction,
        boundary=float((high + low).mean() / 2),
        boundary_sd=float(((high + low) / 2).std()),
        half_gap=float((high - low).mean() / 2),
        tilt_sd=float(np.sqrt(scatter + ((high - low) / 2).var())),
        rates=_rates([stretch.labels for stretch in stretches]),
        novelty=novelty,
    )


def fit_network(
    features: NDArray[np.float64],
    classes: NDArray[np.int64],
    *,
    n_units: int,
    decay: float,
    rng: np.random.Generator,
    balanced: bool = False,
) -> Network:
    """Return a network that gives the classes' probabilities from features.

    Args:
        features: ``(n, n_features)``.
        classes: ``(n,)``, from 0 on.
        n_units: of the hidden layer.
        decay: weight of the squares of all weights in the loss.
        rng: draws the initial weights.
        balanced: whether each class counts alike, however often it occurs.
    """
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs = _with_bias((features - center) / scale)
    n_classes = int(classes.max()) + 1
    weights = np.ones(len(classes))
    if balanced:
        weights /= np.bincount(classes)[classes]
    weights /= weights.sum()
    truth = np.eye(n_classes)[classes]
    shapes = ((inputs.shape[1], n_units), (n_units + 1, n_classes))
    split = shapes[0][0] * shapes[0][1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        hidden, output = flat[:split].reshape(shapes[0]), flat[split:].reshape(shapes[1])
        layer = np.tanh(inputs @ hidden)
        logits = _with_bias(layer) @ output
        logits -= logits.max(axis=1, keepdims=True)
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        errors = weights[:, None] * (np.exp(log_probabilities) - truth)
        backward = errors @ output[:-1].T * (1 - layer**2)
        gradient = np.concatenate(
            [(inputs.T @ backward).ravel(), (_with_bias(layer).T @ errors).ravel()]
        )
        value = -(weights * log_probabilities[np.arange(len(classes)), classes]).sum()
        return float(value + decay * (flat**2).sum()), gradient + 2 * decay * flat

    start = np.concatenate([rng.normal(size=shape).ravel() / shape[0] ** 0.5 for shape in shapes])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    return Network(
        center, scale, found[:split].reshape(shapes[0]), found[split:].reshape(shapes[1])
    )


def strange_rows(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return raw rows that no body makes, ``(n, 700, 6)`` in m/s² and rad/s.

    Noise of all colours, shaking by hand, and dead sensors, each with or without gravity.
    """
    return np.stack(
        [
            *(_noise(rng) for _ in range(_N_NOISES)),
            *(_shaking(rng) for _ in range(_N_SHAKINGS)),
            *(_dead(rng) for _ in range(_N_DEAD)),
        ]
    )


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a rotation ``(3, 3)``, all of them alike probable."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    return q


def _settled(signals: NDArray[Any]) -> NDArray[Any]:
    """Return the windows that a live phone's decisions are made of."""
    return cut(signals, hop=HOP, offset=SETTLING_ROWS)


def _postures(
    summaries: Sequence[Summary], labels: Sequence[NDArray[np.int8]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return the tilt features of each recording's sitting windows, and of its standing ones."""
    sitting, standing = [], []
    for summary, own in zip(summaries, labels, strict=True):
        features = tilt_features(summary)
        pure = (own == own[:, :1]).all(axis=1)
        sits, stands = (
            features[pure & (own[:, 0] == ACTIVITIES.index(name))]
            for name in ("SITTING", "STANDING")
        )
        if min(len(sits), len(stands)) > 1:
            sitting.append(sits)
            standing.append(stands)
    return sitting, standing


def _tilt(
    sitting: Sequence[NDArray[np.float64]], standing: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the direction in which sitting differs from standing in everyone, ``(n_features,)``.

    It is Fisher's, of windows about the mean of their own recording and posture: the boundary
    between the postures need not be the same for everyone. The recordings' differences scatter too.
    """
    within = np.mean([np.cov(features.T) for features in (*sitting, *standing)], axis=0)
    differences = np.array(
        [high.mean(axis=0) - low.mean(axis=0) for high, low in zip(sitting, standing, strict=True)]
    )
    scatter = within + np.cov(differences.T) / 2 + _TILT_PRIOR * np.eye(len(within))
    return np.linalg.solve(scatter, differences.mean(axis=0))


def _rates(labels: Iterable[NDArray[np.int8]]) -> NDArray[np.float64]:
    """Return the changes a second between activities and changes of posture, by their counts.

    What is unlabelled in between is passed over.
    """
    n = len(ACTIVITIES) + len(CHANGES_TOWARDS)
    counts, seconds = np.zeros((n, n)), np.zeros(n)
    for own in labels:
        states = _STATE_OF[own[own >= 0]]
        seconds += np.bincount(states, minlength=n) / SAMPLING_RATE_HZ
        np.add.at(counts, (states[:-1], states[1:]), 1)
    np.fill_diagonal(counts, 0)
    totals = counts.sum(axis=1, keepdims=True)
    even = (1 - np.eye(n)) / (n - 1)
    shares = (1 - _UNSEEN_SHARE) * counts / totals + _UNSEEN_SHARE * even
    rates: NDArray[np.float64] = shares * totals / seconds[:, None]
    return rates


def _strange_features(
    stretches: Sequence[LabelledStretch], rng: np.random.Generator, orientation: Orientation
) -> NDArray[np.float64]:
    """Return the novelty features of what no phone worn so sends."""
    features = [_features_of(strange_rows(rng))]
    for stretch in stretches:
        if orientation == "training":
            features.append(_of_turned(stretch, rng))
        features.append(_features_of(_faulty(stretch, rng)))
    return np.concatenate(features)


def _features_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the novelty features of raw rows ``(n, n_rows, 6)``."""
    return novelty_features(summarize(_windows_of(rows)))


def _windows_of(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the settled windows of raw rows ``(n, n_rows, 6)``, one after the other."""
    samples = Preprocessor(len(rows)).push(np.arange(len(rows)), rows)
    return np.concatenate([cut(own, hop=_STRANGE_HOP, offset=SETTLING_ROWS) for own in samples])


def _of_turned(stretch: LabelledStretch, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the features of a recording as if the phone had been worn in other frames.

    Only what cannot be a body at rest: walking with gravity far from x, and upside down.
    """
    walking = np.flatnonzero(np.isin(stretch.labels, range(3)))
    latest = len(stretch.rows) - _STRANGE_ROWS
    if len(walking) == 0 or latest < 0:
        return np.empty((0, _N_NOVELTY_FEATURES))
    rows, walks = [], []
    for _ in range(_TURNS_A_STRETCH):
        first = int(np.clip(rng.choice(walking) - _STRANGE_ROWS // 2, 0, latest))
        rotation = random_rotation(rng)
        piece = stretch.rows[first : first + _STRANGE_ROWS].reshape(-1, 3)  # either sensor's rows
        rows.append((piece @ rotation.T).reshape(-1, 6))
        walks.append(np.isin(stretch.labels[first : first + _STRANGE_ROWS - 1], range(3)))
    windows = _windows_of(np.stack(rows))
    walked = _windows_of_labels(walks)
    upward = windows[:, :, 6].mean(axis=1)  # g
    far = walked & (upward < _FAR_FROM_UPRIGHT_G)
    strange = far | (upward < _UPSIDE_DOWN_G)
    return novelty_features(summarize(windows[strange]))


def _windows_of_labels(walks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return of which windows all samples are true."""
    cuts = [cut(own[:, None], hop=_STRANGE_HOP, offset=SETTLING_ROWS) for own in walks]
    whole: NDArray[np.bool_] = np.logical_and.reduce(np.concatenate(cuts)[:, :, 0], axis=1)
    return whole


def _faulty(stretch: LabelledStretch, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return pieces of a recording ``(n, 700, 6)`` with wrong units or a dead sensor."""
    pieces = []
    for fault in range(_FAULTS_A_STRETCH):
        first = rng.integers(0, len(stretch.rows) - _STRANGE_ROWS + 1)
        piece = stretch.rows[first : first + _STRANGE_ROWS].copy()
        if fault == 0:
            piece[:, :3] *= rng.choice([STANDARD_GRAVITY, 1 / STANDARD_GRAVITY, 0.0])
        else:
            piece[:, 3:] *= np.rad2deg(1.0) if fault == 1 else 0.0
        pieces.append(piece)
    return np.stack(pieces)


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise of any colour, up to 50 m/s²; with gravity, not so little as a body at rest."""
    gravity = _gravity(rng)
    acc = _log_uniform(rng, 0.3 if gravity.any() else 0.005, 50.0)  # m/s²
    scales = np.repeat([acc, acc * _log_uniform(rng, 0.03, 3.0)], 3)  # gyroscope: rad/s
    rows = rng.normal(size=(_STRANGE_ROWS, 6))
    if rng.random() < 0.5:
        nyquist_hz = SAMPLING_RATE_HZ / 2
        rows = lfilter(*butter(1, _log_uniform(rng, 0.5, 20.0) / nyquist_hz), rows, axis=0)
        rows /= rows.std(axis=0)
    rows *= scales
    rows[:, :3] += gravity
    return rows


def _shaking(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return one to three swings of 0.8 to 8 Hz in any direction."""
    seconds = np.arange(_STRANGE_ROWS) / SAMPLING_RATE_HZ
    rows = rng.normal(size=(_STRANGE_ROWS, 6)) * _log_uniform(rng, 0.01, 0.3)
    rows[:, :3] += STANDARD_GRAVITY * _direction(rng) * (rng.random() < 0.9)
    for _ in range(rng.integers(1, 4)):
        first_hz = _log_uniform(rng, 0.8, 8.0)
        last_hz = first_hz * _log_uniform(rng, 0.7, 1.5)
        turns = first_hz * seconds + (last_hz - first_hz) * seconds**2 / 2 / seconds[-1]
        for sensor, size in ((slice(0, 3), (3.0, 30.0)), (slice(3, 6), (0.3, 12.0))):
            swing = np.sin(2 * np.pi * (turns + rng.random()))
            rows[:, sensor] += _log_uniform(rng, *size) * swing[:, None] * _direction(rng)
    return rows


def _dead(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return rows that never change, or all but."""
    still = np.concatenate([_gravity(rng), np.zeros(3)])
    if rng.random() < 0.3:
        still[:3] *= _log_uniform(rng, 0.01, 10.0)
    if rng.random() < 0.4:
        still[3:] = _direction(rng) * _log_uniform(rng, 0.001, 5.0)
    noise = _log_uniform(rng, 1e-8, 1e-4) if rng.random() < 0.4 else 0.0
    return still + noise * rng.normal(size=(_STRANGE_ROWS, 6))


def _gravity(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return no gravity, gravity anywhere, or gravity where it is in training, in m/s²."""
    choice = rng.integers(3)
    if choice == 0:
        return np.zeros(3)
    return STANDARD_GRAVITY * (_direction(rng) if choice == 1 else np.array([1.0, 0.0, 0.0]))


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(size=3)
    direction: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return direction


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _with_bias(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _state_of(label: str) -> int:
    """Return the hidden state of a label: an activity, or a change of posture by where it leads."""
    if label in ACTIVITIES:
        return ACTIVITIES.index(label)
    return len(ACTIVITIES) + CHANGES_TOWARDS.index(_ARRIVALS[label.rpartition("_")[2]])


def _motion_of(label: str) -> int:
    if label in STILL_ACTIVITIES | MOVING_ACTIVITIES:
        return MOTIONS.index("still" if label in STILL_ACTIVITIES else "moving")
    return MOTIONS.index(f"towards {_ARRIVALS[label.rpartition('_')[2]]}")


_STATE_OF: Final = np.array([_state_of(label) for label in _LABELS])
_MOTION_OF: Final = np.array([_motion_of(label) for label in _LABELS])
_N_NOVELTY_FEATURES: Final = novelty_features(
    summarize(np.zeros((1, WINDOW_LENGTH, 9), np.float32))
).shape[1]


def main() -> None:
    """Learn from the training subjects of HAPT and write what ships with the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="HAPT's zip or folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--out", type=Path, default=Path(str(files("pipeline"))) / "models")
    options = parser.parse_args()
    recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
    stretches = labelled_stretches(recordings, hapt.label_segments(options.data))
    for orientation in get_args(Orientation):
        learnt = learn(stretches, seed=1, orientation=orientation)
        (options.out / decisions_file(orientation)).write_bytes(learnt.encode() + b"\n")


if __name__ == "__main__":
    main()
