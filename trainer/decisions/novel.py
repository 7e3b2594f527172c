"""Makes up samples that no body sends, for the novelty score to be learnt from.

Noise of all colours, shaking by hand and dead sensors are made from nothing; wrong frames, wrong
units and a sensor that is off, from real recordings.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter

from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY, WINDOW_LENGTH, Orientation
from trainer.data.raw_windows import cut
from trainer.decisions.labelled import LabelledStretch

_HOP: Final = 48  # samples
_N_ROWS: Final = 700  # 14 s, of which the filters take the first 3 to settle
_N_NOISES: Final = 500
_N_SHAKINGS: Final = 500
_N_DEAD: Final = 150
_FAR_FROM_UPRIGHT_G: Final = 0.7  # 45 degrees
_UPSIDE_DOWN_G: Final = -0.4
_FRAMES_A_STRETCH: Final = 23
_FAULTS_A_STRETCH: Final = 3
_N_NOVELTY_FEATURES: Final = novelty_features(
    summarize(np.zeros((1, WINDOW_LENGTH, 9), np.float32))
).shape[1]


def novel_features(
    stretches: Sequence[LabelledStretch], rng: np.random.Generator, orientation: Orientation
) -> NDArray[np.float64]:
    """Return the novelty features ``(n, n_features)`` of windows that no phone worn so sends."""
    features = [_features_of(novel_rows(rng))]
    for stretch in stretches:
        if orientation == "training":
            features.append(_of_other_frames(stretch, rng))
        features.append(_features_of(_faulty(stretch, rng)))
    return np.concatenate(features)


def novel_rows(rng: np.random.Generator) -> NDArray[np.float64]:
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
    """Return a rotation ``(3, 3)``, all of them equally probable."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    return q


def _features_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the novelty features of raw rows ``(n, n_rows, 6)``."""
    return novelty_features(summarize(_windows_of(rows)))


def _windows_of(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the settled windows of raw rows ``(n, n_rows, 6)``, one after the other."""
    samples = Preprocessor(len(rows)).push(np.arange(len(rows)), rows)
    return np.concatenate([cut(one, hop=_HOP, offset=SETTLING_ROWS) for one in samples])


def _of_other_frames(stretch: LabelledStretch, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the features of a recording as if the phone had been worn in other frames.

    Only what cannot be a body at rest: walking with gravity far from x, and upside down.
    """
    walking = np.flatnonzero(np.isin(stretch.labels, range(3)))
    latest = len(stretch.rows) - _N_ROWS
    if len(walking) == 0 or latest < 0:
        return np.empty((0, _N_NOVELTY_FEATURES))
    rows, walks = [], []
    for _ in range(_FRAMES_A_STRETCH):
        first = int(np.clip(rng.choice(walking) - _N_ROWS // 2, 0, latest))
        rotation = random_rotation(rng)
        piece = stretch.rows[first : first + _N_ROWS].reshape(-1, 3)  # either sensor's rows
        rows.append((piece @ rotation.T).reshape(-1, 6))
        walks.append(np.isin(stretch.labels[first : first + _N_ROWS - 1], range(3)))
    windows = _windows_of(np.stack(rows))
    walked = _windows_of_labels(walks)
    upward = windows[:, :, 6].mean(axis=1)  # g
    far = walked & (upward < _FAR_FROM_UPRIGHT_G)
    novel = far | (upward < _UPSIDE_DOWN_G)
    return novelty_features(summarize(windows[novel]))


def _windows_of_labels(walks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return ``(n,)``, whether all samples of each window are true."""
    cuts = [cut(one[:, None], hop=_HOP, offset=SETTLING_ROWS) for one in walks]
    whole: NDArray[np.bool_] = np.logical_and.reduce(np.concatenate(cuts)[:, :, 0], axis=1)
    return whole


def _faulty(stretch: LabelledStretch, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return pieces of a recording ``(n, 700, 6)`` with wrong units or a dead sensor."""
    pieces = []
    for fault in range(_FAULTS_A_STRETCH):
        first = rng.integers(0, len(stretch.rows) - _N_ROWS + 1)
        piece = stretch.rows[first : first + _N_ROWS].copy()
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
    rows = rng.normal(size=(_N_ROWS, 6))
    if rng.random() < 0.5:
        nyquist_hz = SAMPLING_RATE_HZ / 2
        rows = lfilter(*butter(1, _log_uniform(rng, 0.5, 20.0) / nyquist_hz), rows, axis=0)
        rows /= rows.std(axis=0)
    rows *= scales
    rows[:, :3] += gravity
    return rows


def _shaking(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return one to three swings of 0.8 to 8 Hz in any direction."""
    seconds = np.arange(_N_ROWS) / SAMPLING_RATE_HZ
    rows = rng.normal(size=(_N_ROWS, 6)) * _log_uniform(rng, 0.01, 0.3)
    rows[:, :3] += STANDARD_GRAVITY * _direction(rng) * (rng.random() < 0.9)
    for _ in range(rng.integers(1, 4)):
        first_hz = _log_uniform(rng, 0.8, 8.0)
        last_hz = first_hz * _log_uniform(rng, 0.7, 1.5)
        cycles = first_hz * seconds + (last_hz - first_hz) * seconds**2 / 2 / seconds[-1]
        for sensor, size in ((slice(0, 3), (3.0, 30.0)), (slice(3, 6), (0.3, 12.0))):
            swing = np.sin(2 * np.pi * (cycles + rng.random()))
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
    return still + noise * rng.normal(size=(_N_ROWS, 6))


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
