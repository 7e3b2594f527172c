"""The windows that a trained model is fine-tuned to: new ones, and others against forgetting.

Those against forgetting are the training windows of UCI HAR; and for a model for any place on the
body, of each placement set about as many of each activity.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.uci_har import OVERLAP, Split
from pipeline.vocabulary import ACTIVITIES
from trainer.data.placement_windows import windows_by_person
from trainer.data.published_wearers import frames_of
from trainer.data.splits import joined
from trainer.data.user_recordings import NOBODY

REPEATS_UP_TO: Final = 0.2
"""Where the windows of user recordings are fewer, they are repeated to be this share of all."""
OF_ACTIVITY: Final = 1_200
"""Most windows of an activity of a placement set: about as many as UCI HAR has"""


@dataclass(frozen=True, eq=False)
class TuningWindows:
    """Windows to fit a trained model to."""

    split: Split
    wearer_frames: NDArray[np.float32]
    """``(n_windows, 10)``: the wearers' frames as known at each window's last sample"""

    @classmethod
    def together(cls, several: Sequence["TuningWindows"]) -> "TuningWindows":
        """Return the windows of several, one after the other."""
        return cls(
            joined([some.split for some in several]),
            np.concatenate([some.wearer_frames for some in several]),
        )


def of_training_split(train: Split, activities: Sequence[str]) -> TuningWindows:
    """Return the training windows of UCI HAR, whose labels are indices into a model's activities.

    Its own must be among them.
    """
    return TuningWindows(relabelled(train, activities), frames_of(train))


def relabelled(split: Split, activities: Sequence[str]) -> Split:
    """Return windows of UCI HAR whose labels are indices into other activities.

    Its own must be among them.
    """
    numbers = np.array([activities.index(activity) for activity in ACTIVITIES], np.int8)
    return Split(split.windows, numbers[split.labels], split.subjects)


def of_sets(
    sets: Iterable[PlacementSet], activities: Sequence[str], *, seed: int, cache: Path
) -> list[TuningWindows]:
    """Return windows of placement sets, whose labels are indices into a model's activities.

    Args:
        sets: where they are.
        activities: the model's; windows of others are left out.
        seed: draws them, up to `OF_ACTIVITY` of each activity of each set.
        cache: folder that keeps windows.

    Raises:
        DataError: a file is damaged, or not as it should be.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for one in sets:
        parts = []
        for windows in windows_by_person([one], hop=OVERLAP, cache=cache):
            numbers = [
                activities.index(name) if name in activities else -1 for name in windows.activities
            ]
            labels = np.array([*numbers, -1], np.int8)[windows.labels]
            usable = windows.is_settled & (labels >= 0)
            split = Split(
                windows.samples[usable],
                labels[usable],
                np.full(np.count_nonzero(usable), NOBODY, np.int8),
            )
            parts.append(TuningWindows(split, windows.wearer_frames[usable]))
        every = TuningWindows.together(parts)
        chosen = np.zeros(len(every.split.labels), np.bool_)
        for label in np.unique(every.split.labels):
            places = np.flatnonzero(every.split.labels == label)
            chosen[rng.permutation(places)[:OF_ACTIVITY]] = True
        drawn.append(TuningWindows(every.split.chosen(chosen), every.wearer_frames[chosen]))
    return drawn


def mixed(new: TuningWindows, rehearsed: Sequence[TuningWindows]) -> TuningWindows:
    """Return all windows to fit to, the new ones repeated where they are few."""
    n_rehearsed = sum(len(some.split.labels) for some in rehearsed)
    wanted = REPEATS_UP_TO / (1 - REPEATS_UP_TO) * n_rehearsed
    repeats = max(1, math.ceil(wanted / len(new.split.labels)))
    return TuningWindows.together([*rehearsed, *[new] * repeats])
