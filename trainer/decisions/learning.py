"""Learns the numbers that decisions over time need from labelled recordings.

They are few: two networks of a dozen units (`networks`), a direction, a table of rates. Nothing
here depends on the classifier, so the numbers serve any model of the same activities. Samples that
no body sends are made up in `novel`. The weights are chosen elsewhere (`trainer.selection`).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.judgement.motion import (
    MOTIONS,
    MOVING_ACTIVITIES,
    STILL_ACTIVITIES,
    motion_features,
)
from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.states import CHANGE_NAMES
from pipeline.recognition.judgement.summary import Summary, summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.network import Network
from pipeline.recognition.preparation.windows import rotate
from pipeline.vocabulary import SAMPLING_RATE_HZ, Orientation
from trainer.data.random_rotations import RandomRotation, random_rotations
from trainer.decisions.labelled import LabelledStretch
from trainer.decisions.labelled_windows import (
    HOP,
    NO_STATE,
    LabelledWindows,
    of_stretch,
    state_names,
)
from trainer.decisions.networks import fit_network
from trainer.decisions.novel import novel_features

AROUND_THE_WAIST: Final = RandomRotation(around_deg=12.0, tilt_deg=0.0)
ANY_WAY_ROUND: Final = RandomRotation(any_way_round=True)

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
    activities: tuple[str, ...],
    seed: int,
    orientation: Orientation = "training",
    more: Sequence[LabelledWindows] = (),
) -> Learnt:
    """Return the numbers learnt from labelled recordings.

    Args:
        stretches: raw recordings of the training subjects of HAPT, from which samples that no body
            sends are made up too.
        weights: chosen ones, which are taken over.
        activities: those to be decided among; of each there is a window.
        seed: draws initial weights, rotations, and samples that no body sends.
        orientation: how the phones are worn that the numbers are for. If it is any way round, all
            windows are rotated at random, so that sitting and standing differ in the sway alone.
        more: windows of other recordings, as of placement sets.

    Raises:
        ValueError: an activity is in no window.
    """
    rng = np.random.default_rng(seed)
    parts = [*(of_stretch(stretch, activities) for stretch in stretches), *more]
    if orientation == "any":
        parts = [
            part.rotated(random_rotations(rng, len(part.samples), ANY_WAY_ROUND)) for part in parts
        ]
    summaries = [summarize(part.samples) for part in parts]

    motion, motion_shares = _motion(summaries, parts, activities, rng)
    usual = _usual_features(
        np.concatenate([part.samples[part.middle != NO_STATE] for part in parts]), seed, orientation
    )
    novelty = _novelty(usual, novel_features(stretches, rng, orientation), rng)
    sitting, standing = _postures(summaries, parts, activities)
    direction = _tilt(sitting, standing)
    high = np.array([(features @ direction).mean() for features in sitting])
    low = np.array([(features @ direction).mean() for features in standing])
    scatter = np.mean([(features @ direction).var() for features in (*sitting, *standing)])
    return Learnt(
        activities=activities,
        motion=motion,
        motion_shares=motion_shares,
        tilt=direction,
        boundary=float((high + low).mean() / 2),
        boundary_sd=float(((high + low) / 2).std()),
        half_gap=float((high - low).mean() / 2),
        tilt_sd=float(np.sqrt(scatter + ((high - low) / 2).var())),
        rates=_rates(parts, activities),
        novelty=novelty,
        weights=weights,
    )


def _motion(
    summaries: Sequence[Summary],
    parts: Sequence[LabelledWindows],
    activities: Sequence[str],
    rng: np.random.Generator,
) -> tuple[Network, NDArray[np.float64]]:
    """Return the network that judges a window's newest motion, and how often each motion occurs."""
    of_states = np.array([*map(_motion_of, state_names(activities)), _NO_MOTION])
    newest = of_states[np.concatenate([part.newest for part in parts])]
    known = newest != _NO_MOTION
    motions = newest[known]
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


def _postures(
    summaries: Sequence[Summary], parts: Sequence[LabelledWindows], activities: Sequence[str]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return the tilt features of each recording's sitting windows, and of its standing ones."""
    sitting, standing = [], []
    for summary, part in zip(summaries, parts, strict=True):
        features = tilt_features(summary)
        sits, stands = (
            features[part.whole == activities.index(name)] for name in ("SITTING", "STANDING")
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


def _rates(parts: Sequence[LabelledWindows], activities: Sequence[str]) -> NDArray[np.float64]:
    """Return the changes a second between activities and changes of posture, by their counts.

    Windows without a state in between are left out. What never changed in the recordings is taken
    to have done so once, to anything.
    """
    names = state_names(activities)
    n = len(names)
    counts, seconds = np.zeros((n, n)), np.zeros(n)
    for part in parts:
        states = part.newest[part.newest != NO_STATE]
        seconds += np.bincount(states, minlength=n) * HOP / SAMPLING_RATE_HZ
        np.add.at(counts, (states[:-1], states[1:]), 1)
    if not seconds.all():
        missing = ", ".join(name for name, of in zip(names, seconds, strict=True) if of == 0)
        raise ValueError(f"there are no windows of {missing}")
    np.fill_diagonal(counts, 0)
    even = (1 - np.eye(n)) / (n - 1)
    counts[~counts.any(axis=1)] = even[~counts.any(axis=1)]
    totals = counts.sum(axis=1, keepdims=True)
    shares = (1 - _EVEN_SHARE) * counts / totals + _EVEN_SHARE * even
    rates: NDArray[np.float64] = shares * totals / seconds[:, None]
    return rates


def _motion_of(state: str) -> int:
    """Return the motion of a state; of an activity that may be either, none."""
    if state in CHANGE_NAMES:
        return MOTIONS.index(state)
    if state in STILL_ACTIVITIES:
        return MOTIONS.index("still")
    return MOTIONS.index("moving") if state in MOVING_ACTIVITIES else _NO_MOTION


_NO_MOTION: Final = -1
