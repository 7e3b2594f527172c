"""Samples for the decisions: recordings, of phones worn as in training or otherwise, and noise.

All are raw rows ``(n_rows, 6)`` in m/s² and rad/s. Their labels are of the samples after the
filters, which are fewer by one; their group is of the people whose model and numbers judge them.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.states import TRANSITION, UNKNOWN
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY
from trainer.decisions.labelled import LabelledStretch
from trainer.decisions.novel import random_rotation
from trainer.selection.cross_validation import N_GROUPS, groups
from trainer.selection.group_models import SEED

GROUP_OF: Final = {subject: i for i, group in enumerate(groups()) for subject in group}
NAMES: Final = (*ACTIVITIES, TRANSITION, UNKNOWN)
NO_LABEL: Final = -1

NOVEL_ROWS: Final = 1500  # 30 s
REPEATS: Final = 10
FRAMES: Final = {
    "portrait": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "portrait upside down": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "landscape upside down": np.diag([-1.0, -1, 1]),
    "a random frame, 45 degrees or more off": None,
}
"""Rotations to the axes of phones that are worn otherwise"""


class Sent(NamedTuple):
    """The rows of one phone."""

    group: int
    rows: NDArray[np.float64]
    """``(n_rows, 6)``"""
    labels: NDArray[np.int8]
    """``(n_rows - 1,)``: index into `NAMES`, or -1"""


def worn(
    stretches: Sequence[LabelledStretch],
) -> Iterator[Sent]:
    """Yield the recordings as they are."""
    for stretch in stretches:
        labels = np.minimum(stretch.labels, NAMES.index(TRANSITION)).astype(np.int8)
        yield Sent(GROUP_OF[stretch.subject], stretch.rows, labels)


def rotated(
    stretches: Sequence[LabelledStretch], frame: NDArray[np.float64] | None
) -> Iterator[Sent]:
    """Yield the recordings of phones worn in another frame, a random one each if it is None."""
    rng = np.random.default_rng(SEED)
    for group, rows, labels in worn(stretches):
        rotation = frame
        while rotation is None:
            drawn = random_rotation(rng)
            rotation = drawn if drawn[0, 0] < np.cos(np.pi / 4) else None
        yield Sent(group, (rows.reshape(-1, 3) @ rotation.T).reshape(-1, 6), labels)


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
