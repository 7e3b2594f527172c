"""Learns the numbers that decisions over time need from labelled raw recordings (HAPT).

    python -m trainer.decisions.learning

They are few: two networks of a dozen units (`networks`), a direction, a table of rates. Nothing
here depends on the classifier, so the numbers serve any model of the same activities. Samples that
no body sends are made up in `novel`.
"""

import argparse
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing
from pipeline.models.decisions import decisions_file, shipped
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import (
    MOTIONS,
    MOVING_ACTIVITIES,
    STILL_ACTIVITIES,
    motion_features,
)
from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import Summary, summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.network import Network
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings import hapt
from pipeline.vocabulary import (
    ACTIVITIES,
    SAMPLING_RATE_HZ,
    WINDOW_LENGTH,
    Orientation,
)
from trainer.data.random_rotations import RandomRotation, random_rotations
from trainer.data.raw_windows import TRAINING_SUBJECTS, cut
from trainer.decisions.labelled import LabelledStretch, labelled_stretches
from trainer.decisions.networks import fit_network
from trainer.decisions.novel import novel_features

HOP: Final = 16
"""Samples between the windows that are learnt from"""

AROUND_THE_WAIST: Final = RandomRotation(around_deg=12.0, tilt_deg=0.0)
ANY_WAY_ROUND: Final = RandomRotation(any_way_round=True)

_LABELS: Final = (*ACTIVITIES, *hapt.TRANSITIONS)
_ARRIVALS: Final = {"SIT": "SITTING", "STAND": "STANDING", "LIE": "LAYING"}
"""The activity that a transition leads to, by the last word of its name"""

_MOTION_UNITS: Final = 16
_NOVELTY_UNITS: Final = 12
_MOTION_DECAY: Final = 3e-4
_NOVELTY_DECAY: Final = 1e-4
"""Weights of the squares of all weights in the loss"""

_EVEN_SHARE: Final = 0.15
"""Share of the changes from a state that is spread evenly over all states"""
_TILT_PRIOR: Final = 1e-6


def learn(
    stretches: Sequence[LabelledStretch],
    weights: Weights,
    *,
    seed: int,
    orientation: Orientation = "training",
) -> Learnt:
    """Return the numbers learnt from labelled raw recordings.

    Args:
        stretches: of the training subjects.
        weights: chosen ones, which are taken over.
        seed: draws initial weights, rotations, and samples that no body sends.
        orientation: how the phones are worn that the numbers are for. If it is any way round, all
            windows are rotated at random, so that sitting and standing differ in the sway alone.
    """
    rng = np.random.default_rng(seed)
    windows = [_settled(stretch.samples) for stretch in stretches]
    if orientation == "any":
        windows = [
            rotate(of_stretch, random_rotations(rng, len(of_stretch), ANY_WAY_ROUND))
            for of_stretch in windows
        ]
    labels = [_settled(stretch.labels[:, None])[:, :, 0] for stretch in stretches]
    summaries = [summarize(of_stretch) for of_stretch in windows]

    motion, motion_shares = _motion(summaries, labels, rng)
    middle = np.concatenate([of_stretch[:, WINDOW_LENGTH // 2] for of_stretch in labels])
    usual = _usual_features(np.concatenate(windows)[middle >= 0], seed, orientation)
    novelty = _novelty(usual, novel_features(stretches, rng, orientation), rng)
    sitting, standing = _postures(summaries, labels)
    direction = _tilt(sitting, standing)
    high = np.array([(features @ direction).mean() for features in sitting])
    low = np.array([(features @ direction).mean() for features in standing])
    scatter = np.mean([(features @ direction).var() for features in (*sitting, *standing)])
    return Learnt(
        activities=ACTIVITIES,
        motion=motion,
        motion_shares=motion_shares,
        tilt=direction,
        boundary=float((high + low).mean() / 2),
        boundary_sd=float(((high + low) / 2).std()),
        half_gap=float((high - low).mean() / 2),
        tilt_sd=float(np.sqrt(scatter + ((high - low) / 2).var())),
        rates=_rates([stretch.labels for stretch in stretches]),
        novelty=novelty,
        weights=weights,
    )


def _motion(
    summaries: Sequence[Summary], labels: Sequence[NDArray[np.int8]], rng: np.random.Generator
) -> tuple[Network, NDArray[np.float64]]:
    """Return the network that judges a window's newest motion, and how often each motion occurs.

    ``labels`` are ``(n_windows, 128)`` for each summary.
    """
    newest = np.concatenate([of_stretch[:, -1] for of_stretch in labels])
    known = newest >= 0
    motions = _MOTION_OF[newest[known]]
    features = np.concatenate([motion_features(summary) for summary in summaries])
    network = fit_network(
        features[known], motions, n_units=_MOTION_UNITS, decay=_MOTION_DECAY, rng=rng
    )
    return network, np.bincount(motions, minlength=len(MOTIONS)) / len(motions)


def _usual_features(
    windows: NDArray[np.float32], seed: int, orientation: Orientation
) -> NDArray[np.float64]:
    """Return the novelty features of windows ``(n, 128, 9)``, as they are and rotated at random."""
    how = AROUND_THE_WAIST if orientation == "training" else ANY_WAY_ROUND
    rotations = random_rotations(np.random.default_rng(seed), len(windows), how)
    return np.concatenate(
        [novelty_features(summarize(worn)) for worn in (windows, rotate(windows, rotations))]
    )


def _novelty(
    usual: NDArray[np.float64], novel: NDArray[np.float64], rng: np.random.Generator
) -> Network:
    """Return the network that gives the odds of novel features against usual ones."""
    return fit_network(
        np.concatenate([usual, novel]),
        np.repeat([0, 1], [len(usual), len(novel)]),
        n_units=_NOVELTY_UNITS,
        decay=_NOVELTY_DECAY,
        rng=rng,
        balanced=True,
    )


def _settled(signals: NDArray[Any]) -> NDArray[Any]:
    """Return the windows of which a live phone's decisions are made: the filters have settled."""
    return cut(signals, hop=HOP, offset=SETTLING_ROWS)


def _postures(
    summaries: Sequence[Summary], labels: Sequence[NDArray[np.int8]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return the tilt features of each recording's sitting windows, and of its standing ones."""
    sitting, standing = [], []
    for summary, of_windows in zip(summaries, labels, strict=True):
        features = tilt_features(summary)
        pure = (of_windows == of_windows[:, :1]).all(axis=1)
        sits, stands = (
            features[pure & (of_windows[:, 0] == ACTIVITIES.index(name))]
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

    Unlabelled samples in between are left out.
    """
    n = len(ACTIVITIES) + len(CHANGES_TOWARDS)
    counts, seconds = np.zeros((n, n)), np.zeros(n)
    for of_stretch in labels:
        states = _STATE_OF[of_stretch[of_stretch >= 0]]
        seconds += np.bincount(states, minlength=n) / SAMPLING_RATE_HZ
        np.add.at(counts, (states[:-1], states[1:]), 1)
    np.fill_diagonal(counts, 0)
    totals = counts.sum(axis=1, keepdims=True)
    even = (1 - np.eye(n)) / (n - 1)
    shares = (1 - _EVEN_SHARE) * counts / totals + _EVEN_SHARE * even
    rates: NDArray[np.float64] = shares * totals / seconds[:, None]
    return rates


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


def main() -> None:
    """Learn from the training subjects of HAPT and write what ships with the package."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="HAPT's zip or folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--out", type=Path, default=Path(str(files("pipeline"))) / "models")
    options = parser.parse_args()
    recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
    stretches = labelled_stretches(recordings, hapt.label_segments(options.data))
    for orientation in get_args(Orientation):
        weights = shipped(orientation).weights
        learnt = learn(stretches, weights, seed=1, orientation=orientation)
        with replacing(options.out / decisions_file(orientation)) as file:
            file.write(learnt.encode() + b"\n")


if __name__ == "__main__":
    main()
