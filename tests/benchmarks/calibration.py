"""How exactly har-calibrate finds how a phone is worn, and what that is worth to the model.

Each bout of level walking of the 21 training subjects stands for the ten steps, standing of the
same recording for the three seconds before; the phone is rotated to a random frame first. Where
forward was is known from the same recording: it is what faced up while its wearer lay on the back.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.recognition.placement.calibration import CalibrationError, calibrate
from pipeline.recognition.placement.frames import FORWARD_DEG, UP, angle_deg, rotation_onto_x
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recordings.recording import Stretch
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ
from tests.benchmarks.figures import Figure, Options, raw_stretches, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS, cut, prepare
from trainer.decisions.novel import random_rotation

SEED: Final = 1
HOP: Final = 64
MODEL: Final = "cnn-lstm"
STANDS: Final = int(4 * SAMPLING_RATE_HZ)
"""Samples from the middle of the longest bout of standing"""
WALKS: Final = int(8 * SAMPLING_RATE_HZ)
"""Ten steps and a little; a bout that is shorter is passed over"""


@dataclass(frozen=True)
class Worn:
    """A calibration of a phone whose frame is known."""

    heading_deg: float
    """From the direction that faced up in lying, about the vertical"""
    lean_deg: float
    """Of gravity in upright activities from `UP`, after it"""
    right: int
    """Windows of the recording recognised after it"""


def measure(options: Options) -> list[Figure]:
    """Return the figures.

    Raises:
        NotMeasuredError: the raw recordings are not at hand.
    """
    stretches = raw_stretches(options, TRAINING_SUBJECTS)
    rng = np.random.default_rng(SEED)
    classifier = Classifier(find_model(MODEL))
    worn: list[Worn] = []
    before_deg, total, right, right_turned, refused, asked = [], 0, 0, 0, 0, 0
    for stretch in stretches:
        rotated = _rotated(stretch, random_rotation(rng))
        before_deg.append(angle_deg(_upright(stretch), UP))
        bouts = _bouts(stretch)
        asked += len(bouts)
        as_recorded, n_windows = _right(classifier, stretch)
        in_another_frame, _ = _right(classifier, rotated)
        for bout in bouts:
            try:
                rotation = calibrate(rotated.samples[bout].astype(np.float64)).rotation
            except CalibrationError:
                refused += 1
                continue
            found = _rotated(rotated, rotation)
            worn.append(
                Worn(
                    _heading_deg(found),
                    angle_deg(_upright(found), UP),
                    _right(classifier, found)[0],
                )
            )
            total += n_windows
            right += as_recorded
            right_turned += in_another_frame
    heading = np.array([one.heading_deg for one in worn])
    lean = np.array([one.lean_deg for one in worn])
    detail = f"{len(worn)} walks of {len(stretches)} recordings, {refused} of {asked} refused"
    shares = {
        "as recorded": right,
        "in a random frame": right_turned,
        "in a random frame, calibrated": sum(one.right for one in worn),
    }
    return [
        Figure(
            "calibration",
            "error of the heading, median",
            float(np.median(heading)),
            "degrees",
            detail=f"90 %: {np.quantile(heading, 0.9):.1f}; {detail}",
        ),
        Figure(
            "calibration",
            "gravity from the training's, median",
            float(np.median(lean)),
            "degrees",
            peer="as recorded",
            peer_value=float(np.median(before_deg)),
        ),
        *(
            Figure(
                "calibration",
                f"recognised {how}",
                100 * count / total,
                "%",
                detail=f"{MODEL}, which was trained on these people; windows of one activity",
            )
            for how, count in shares.items()
        ),
    ]


def _bouts(stretch: Stretch) -> list[NDArray[np.intp]]:
    """Return the rows of each walk, with standing of the same recording before it."""
    standing = _longest(stretch, "STANDING")
    standing = standing[max(len(standing) - STANDS, 0) // 2 :][:STANDS]
    walks = np.flatnonzero(stretch.labels == ACTIVITIES.index("WALKING"))
    bouts = np.split(walks, np.flatnonzero(np.diff(walks) > 1) + 1)
    return [np.concatenate([standing, bout[:WALKS]]) for bout in bouts if len(bout) >= WALKS]


def _longest(stretch: Stretch, activity: str) -> NDArray[np.intp]:
    rows = np.flatnonzero(stretch.labels == ACTIVITIES.index(activity))
    return max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)


def _rotated(stretch: Stretch, rotation: NDArray[np.float64]) -> Stretch:
    rows = (stretch.samples.reshape(-1, 3) @ rotation.T).reshape(-1, 6)  # either sensor's
    return replace(stretch, samples=rows)


def _upright(stretch: Stretch) -> NDArray[np.float64]:
    """Return the mean acceleration ``(3,)`` over what is done upright."""
    upright = np.isin(stretch.labels, [ACTIVITIES.index("STANDING"), ACTIVITIES.index("WALKING")])
    mean: NDArray[np.float64] = stretch.samples[upright, :3].mean(axis=0)
    return mean


def _heading_deg(stretch: Stretch) -> float:
    """Return how far what faced up in lying is from the training frame's forward."""
    lying = stretch.samples[_longest(stretch, "LAYING"), :3].mean(axis=0)
    level = rotation_onto_x(UP) @ lying
    heading = np.degrees(np.arctan2(level[2], level[1]))
    return float(abs((heading - FORWARD_DEG + 180) % 360 - 180))


def _right(classifier: Classifier, stretch: Stretch) -> tuple[int, int]:
    """Return how many windows of one activity are recognised, and how many there are."""
    samples = prepare(stretch)
    labels = cut(stretch.labels[: len(samples), np.newaxis], hop=HOP)[:, :, 0]
    judged = (labels >= 0).all(axis=1) & (labels == labels[:, :1]).all(axis=1)
    judged[: -(-SETTLING_ROWS // HOP)] = False
    found = classifier.classify(cut(samples, hop=HOP)[judged]).argmax(axis=1)
    return int((found == labels[judged, -1]).sum()), len(found)


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "how exactly har-calibrate finds how a phone is worn")


if __name__ == "__main__":
    main()
