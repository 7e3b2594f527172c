"""Samples for the decisions that no body sends, and the frames of phones worn otherwise.

All are raw rows ``(n_rows, 6)`` in m/s² and rad/s.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY, TRANSITION, UNKNOWN
from trainer.selection.cross_validation import N_GROUPS
from trainer.selection.decision_tracks import NO_LABEL
from trainer.selection.held_out_tracks import Sent

NAMES: Final = (*ACTIVITIES, TRANSITION, UNKNOWN)

NOVEL_ROWS: Final = 1500  # 30 s
REPEATS: Final = 10
FRAMES: Final = {
    "portrait": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "portrait upside down": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "landscape upside down": np.diag([-1.0, -1, 1]),
    "a random frame, 45 degrees or more off": None,
}
"""Rotations to the axes of phones that are worn otherwise"""


def noise(
    rng: np.random.Generator,
) -> Iterator[Sent]:
    """Yield white noise of four sizes, without gravity, and of the larger two about gravity."""
    upright = np.array([STANDARD_GRAVITY, 0, 0, 0, 0, 0])
    for size in (0.02, 0.2, 2.0, 20.0):  # m/s², and in rad/s a tenth to once that
        for repeat in range(REPEATS):
            scales = np.repeat([size, size * rng.uniform(0.1, 1.0)], 3)
            rows = rng.normal(size=(NOVEL_ROWS, 6)) * scales
            for gravity in (0, 1) if size >= 1 else (0,):
                yield _made_up(repeat, rows + gravity * upright)


def shaken(
    rng: np.random.Generator,
) -> Iterator[Sent]:
    """Yield phones shaken by hand: swings of a steady or of a rising frequency."""
    seconds = np.arange(NOVEL_ROWS) / SAMPLING_RATE_HZ
    for repeat in range(4 * REPEATS):
        first_hz = rng.uniform(1.5, 5.0)
        last_hz = first_hz * (1 if repeat % 2 else rng.uniform(1.2, 2.0))
        cycles = first_hz * seconds + (last_hz - first_hz) * seconds**2 / 2 / seconds[-1]
        swing = np.sin(2 * np.pi * cycles)[:, None]
        acc = STANDARD_GRAVITY * _direction(rng) + swing * _direction(rng) * rng.uniform(5, 25)
        gyro = np.roll(swing, 5, axis=0) * _direction(rng) * rng.uniform(1, 8)
        jitter = rng.normal(size=(NOVEL_ROWS, 6)) * 0.05
        yield _made_up(repeat, np.hstack([acc, gyro]) + jitter)


def constant(
    rng: np.random.Generator,
) -> Iterator[Sent]:
    """Yield sensors that never change: all zero, gravity along x or anywhere, anything at all."""
    rows = [np.zeros(6), np.array([STANDARD_GRAVITY, 0, 0, 0, 0, 0])]
    rows += [np.r_[STANDARD_GRAVITY * _direction(rng), 0, 0, 0] for _ in range(REPEATS)]
    rows += [rng.normal(size=6) * 5 for _ in range(REPEATS)]
    for repeat, row in enumerate(rows):
        yield _made_up(repeat, np.tile(row, (NOVEL_ROWS, 1)))


def _made_up(number: int, rows: NDArray[np.float64]) -> Sent:
    return Sent(number % N_GROUPS, rows, np.full(len(rows) - 1, NO_LABEL, np.int8))


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.normal(size=3)
    direction: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return direction
