"""Cross-validation over the training subjects, by which the raw recipe is chosen.

The subjects are dealt out into five groups. What is to be judged is trained five times, each time
on the raw recordings of the other groups' subjects. It is then judged by the published windows of
the group that was held out: windows like those of the test split, of people that it was not trained
on. The test split has no part in it, and there is no way for it to come in.

Who is held out together is decided by `groups`, `without` and `held_out` alone: to leave out whole
data sets, they are the place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import Split
from pipeline.vocabulary import ACTIVITIES
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.evaluation import STILL_UPRIGHT, Scores, score

N_GROUPS: Final = 5


def groups() -> list[tuple[int, ...]]:
    """Return the subjects of each group; every training subject is in one."""
    order = np.random.default_rng(0).permutation(TRAINING_SUBJECTS)
    return [tuple(sorted(order[group::N_GROUPS].tolist())) for group in range(N_GROUPS)]


def without(recordings: Sequence[Recording], group: int) -> list[Recording]:
    """Return the raw recordings of the other groups' subjects."""
    return [one for one in recordings if int(one.person) not in groups()[group]]


def held_out(published: Split, group: int) -> Split:
    """Return the published training windows of a group's subjects."""
    chosen = np.isin(published.subjects, groups()[group])
    return published.chosen(chosen)


@dataclass(frozen=True, eq=False)
class HeldOutProbabilities:
    """A model's probabilities for the windows of people held out, group by group."""

    probabilities: Sequence[NDArray[np.float32]]
    """Of each group ``(n_windows, n_activities)``"""
    labels: Sequence[NDArray[np.int8]]
    """Of each group ``(n_windows,)``"""

    @property
    def scores(self) -> Scores:
        """Over the windows of all groups."""
        predictions = np.concatenate([group.argmax(axis=1) for group in self.probabilities])
        return score(np.concatenate(self.labels), predictions, n_activities=len(ACTIVITIES))

    @property
    def accuracies(self) -> list[float]:
        """Of each group."""
        return [
            float((probabilities.argmax(axis=1) == labels).mean())
            for probabilities, labels in zip(self.probabilities, self.labels, strict=True)
        ]

    @property
    def sitting_standing(self) -> float:
        """Accuracy over all windows of sitting and standing."""
        return self.scores.accuracy_among(STILL_UPRIGHT)


def together(models: Sequence[HeldOutProbabilities]) -> HeldOutProbabilities:
    """Return the means of the probabilities of models, as if they were those of one model."""
    return HeldOutProbabilities(
        [
            np.mean(of_group, axis=0)
            for of_group in zip(*(model.probabilities for model in models), strict=True)
        ],
        models[0].labels,
    )
