"""People made up, who do one after the other what the subjects of HAPT did."""

from typing import Final

import numpy as np

from pipeline.recordings import hapt
from pipeline.recordings.recording import Recording, Stretch, grid_times
from pipeline.vocabulary import ACTIVITIES, STANDARD_GRAVITY
from trainer.decisions.labelled import LabelledStretch, labelled_stretches

BOUT: Final = 400  # samples
CHANGE: Final = 150
SUBJECTS: Final = (1, 3, 5)
PROTOCOL: Final = (
    *("STANDING", "STAND_TO_SIT", "SITTING", "SIT_TO_STAND", "STANDING", "STAND_TO_LIE"),
    *("LAYING", "LIE_TO_SIT", "SITTING", "SIT_TO_LIE", "LAYING", "LIE_TO_STAND", "STANDING"),
    *("WALKING", "WALKING_DOWNSTAIRS", "WALKING_UPSTAIRS", "WALKING"),
)
UP: Final = {
    "STAND": np.array([0.98, -0.2, 0.0]),
    "SIT": np.array([0.9, 0.3, 0.3]),
    "LIE": np.array([0.1, 0.3, 0.95]),
}
"""Gravity in each posture, in g"""


def posture(name: str) -> str:
    """Return the posture of an activity."""
    return {"SITTING": "SIT", "LAYING": "LIE"}.get(name, "STAND")


def made_up(subject: int) -> tuple[Recording, list[list[int]]]:
    """Return a person's recording after the protocol, with its segments as HAPT has them."""
    rng = np.random.default_rng(subject)
    names = (*ACTIVITIES, *hapt.TRANSITIONS)
    pieces, labels, segments = [], [], []
    for name in PROTOCOL:
        first, last = name.split("_TO_") if "_TO_" in name else [posture(name)] * 2
        n = CHANGE if "_TO_" in name else BOUT
        way = np.linspace(0, 1, n)[:, None]
        acc = (1 - way) * UP[first] + way * UP[last]
        gyro = np.zeros((n, 3))
        if name.startswith("WALKING"):
            swing = np.sin(2 * np.pi * 2 * np.arange(n) / 50)[:, None]
            acc = acc + swing * [0.3, 0.1, 0.1]
            gyro += swing * [0.5, 0.3, 0.3]
        elif first != last:
            gyro += np.sin(np.pi * way) * [0.2, 1.0, 0.5]
        rows = np.hstack([acc * STANDARD_GRAVITY, gyro]) + rng.normal(size=(n, 6)) * 0.03
        begin = sum(map(len, pieces)) + 1
        segments.append([1, subject, names.index(name) + 1, begin, begin + n - 1])
        pieces.append(rows)
        labels += [names.index(name) if name in ACTIVITIES else -1] * n
    times = grid_times(0.0, len(labels))
    stretch = Stretch(times, np.concatenate(pieces), np.array(labels, np.int8))
    recording = Recording(f"subject-{subject:02d}", (stretch,), person=str(subject))
    return recording, segments


def made_up_stretches() -> list[LabelledStretch]:
    """Return what three people made up do after the protocol."""
    made = [made_up(subject) for subject in SUBJECTS]
    segments = np.array([segment for _, of_person in made for segment in of_person])
    return labelled_stretches([recording for recording, _ in made], segments)
