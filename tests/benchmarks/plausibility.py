"""How surely, and how soon, the sanity checks see what of a phone's samples cannot be right.

The raw recordings of the 21 training subjects as they are, and spoilt as phones and apps spoil
them. What is measured on the recordings as they are is the false alarms: the share of the windows
within one activity at which any problem is in force.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.judgement.sanity_checks.plausibility import Plausibility
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.preparation.filters import SETTLING_ROWS, Preprocessor
from pipeline.recognition.preparation.windows import Windower
from pipeline.recognition.rounds import rounds_of
from pipeline.recordings.recording import Stretch
from pipeline.vocabulary import SAMPLING_RATE_HZ, STANDARD_GRAVITY, WINDOW_LENGTH
from tests.benchmarks.figures import Figure, Options, raw_stretches, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS

HOP: Final = 64
SWAPPED: Final = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

Rows = NDArray[np.floating]
"""``(n_rows, 6)`` in m/s² and rad/s"""


def rotated(rows: Rows, acc: NDArray[np.float64], gyro: NDArray[np.float64]) -> Rows:
    """Return rows with each sensor in other axes."""
    return np.hstack([rows[:, :3] @ acc.T, rows[:, 3:] @ gyro.T])


def without_gravity(rows: Rows) -> Rows:
    """Return rows as an app sends that subtracts gravity."""
    high_pass = butter(2, 0.3, "highpass", fs=SAMPLING_RATE_HZ, output="sos")
    return np.hstack([sosfilt(high_pass, rows[:, :3], axis=0), rows[:, 3:]])


SPOILT: Final[dict[str, tuple[str, Callable[[Rows], Rows]]]] = {
    "m/s² declared as g": ("acc-unit", lambda rows: rows * ([STANDARD_GRAVITY] * 3 + [1] * 3)),
    "g declared as m/s²": ("acc-unit", lambda rows: rows / ([STANDARD_GRAVITY] * 3 + [1] * 3)),
    "gravity subtracted": ("no-gravity", without_gravity),
    "deg/s declared as rad/s": ("gyro-unit", lambda rows: rows * [1, 1, 1, *[180 / np.pi] * 3]),
    "rad/s declared as deg/s": ("gyro-unit", lambda rows: rows * [1, 1, 1, *[np.pi / 180] * 3]),
    "gyroscope's x and y exchanged": (
        "swapped-axes",
        lambda rows: rotated(rows, np.eye(3), SWAPPED),
    ),
    "gyroscope's signs reversed": ("swapped-axes", lambda rows: rows * [1, 1, 1, -1, -1, -1]),
    "accelerometer's x and y exchanged": (
        "swapped-axes",
        lambda rows: rotated(rows, SWAPPED, np.eye(3)),
    ),
    "iPhone taken for Android": ("wrong-frame", lambda rows: rows * [-1, -1, -1, 1, 1, 1]),
    **{
        f"worn {frame}": ("wrong-frame", partial(rotated, acc=back.T, gyro=back.T))
        for frame, back in FRAMES.items()
        if frame != "landscape"
    },
}
"""By what is wrong, the problem that is to be found, and what makes it of good samples."""


def measure(options: Options) -> list[Figure]:
    """Return the false alarms, and for each fault the share of recordings that miss it.

    Raises:
        NotMeasuredError: the raw recordings are not at hand.
    """
    stretches = raw_stretches(options, TRAINING_SUBJECTS)
    figures = [_false_alarms(stretches)]
    for fault, (problem, spoil) in SPOILT.items():
        seconds = [_seen_after_s(_watched(spoil(one.samples)), problem) for one in stretches]
        seen = [one for one in seconds if one is not None]
        figures.append(
            Figure(
                "plausibility",
                f"{fault}: missed",
                100 * (1 - len(seen) / len(stretches)),
                "%",
                detail=f"{problem} after {np.median(seen):.0f} s in the median, "
                f"{np.quantile(seen, 0.9):.0f} s in 90 %; {len(stretches)} recordings",
            )
        )
    return figures


def _watched(rows: Rows) -> NDArray[np.bool_]:
    """Return the problems in force after each window once the filters have settled."""
    samples = Preprocessor(1).push(np.array([0]), rows[np.newaxis].astype(np.float64))
    windows = Windower(1, hop=HOP).push(np.array([0]), samples).windows
    plausibility = Plausibility(1, hop=HOP)
    first = -(-SETTLING_ROWS // HOP)
    settled = windows[first:]
    rounds = rounds_of(np.zeros(len(settled), np.intp))
    return plausibility.problems_after(rounds, check(settled))


def _seen_after_s(in_force: NDArray[np.bool_], problem: str) -> float | None:
    """Return the seconds from the recording's start until a problem is in force, if ever."""
    when = np.flatnonzero(in_force[:, PROBLEMS.index(problem)])
    if len(when) == 0:
        return None
    first = (-(-SETTLING_ROWS // HOP) + int(when[0])) * HOP
    return (first + WINDOW_LENGTH) / SAMPLING_RATE_HZ


def _false_alarms(stretches: list[Stretch]) -> Figure:
    first = -(-SETTLING_ROWS // HOP)
    flagged = total = 0
    for stretch in stretches:
        for k, in_force in enumerate(_watched(stretch.samples), first):
            labels = stretch.labels[k * HOP : k * HOP + WINDOW_LENGTH]
            if (labels >= 0).all():
                total += 1
                flagged += bool(in_force.any())
    return Figure(
        "plausibility",
        "as recorded: false alarms",
        100 * flagged / total,
        "%",
        detail=f"{flagged} of {total} windows within the six activities",
    )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what the sanity checks find, and miss")


if __name__ == "__main__":
    main()
