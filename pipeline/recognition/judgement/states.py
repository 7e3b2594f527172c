"""The hidden states that a phone's activity is decided among, and the labels that are published.

States, in their order: the activities of the model; a change of posture towards each activity of
`CHANGES_TOWARDS`; unknown. Labels: the activities; `TRANSITION`, which stands for any change of
posture; `UNKNOWN`.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.vocabulary import TRANSITION, UNKNOWN

CHANGES_TOWARDS: Final = ("SITTING", "STANDING", "LAYING")
"""The activities that a change of posture leads to; each such change is a hidden state."""

CHANGE_NAMES: Final = tuple(f"towards {activity}" for activity in CHANGES_TOWARDS)
"""Names of these changes"""


class States:
    """The states and labels that go with a model's activities."""

    def __init__(self, activities: Sequence[str]) -> None:
        """Name them for a model whose probabilities are those of ``activities``."""
        self.activities = tuple(activities)
        self.names = (*self.activities, *CHANGE_NAMES, UNKNOWN)
        self.labels = (*self.activities, TRANSITION, UNKNOWN)
        self.n_activities = len(self.activities)
        self._transition = self.n_activities  # index among the labels
        self.postures = self._places("SITTING", "STANDING")
        """Indices of sitting and standing, None if the model does not know both"""

    def __len__(self) -> int:
        """Return the number of states."""
        return len(self.names)

    def label_probabilities(self, of_states: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Return the labels' probabilities from those of the states, along the last axis."""
        n = self.n_activities
        transition = of_states[..., n:-1].sum(axis=-1, keepdims=True)
        return np.concatenate([of_states[..., :n], transition, of_states[..., -1:]], axis=-1)

    def scale_transition(
        self, of_labels: NDArray[np.float64], factors: float | NDArray[np.float64]
    ) -> None:
        """Multiply the odds of `TRANSITION` in place, on the last axis, by one factor or each's.

        ``of_labels`` is ``(..., n_labels)``, with a sum of 1, ``factors`` is ``(...)``.
        """
        transition = of_labels[..., self._transition]
        sums = 1 + transition * (factors - 1)
        transition *= factors
        of_labels /= sums[..., None]

    def _places(self, *names: str) -> list[int] | None:
        """Return the indices of these activities, None unless all of them are there."""
        if not set(names) <= set(self.activities):
            return None
        return [self.activities.index(name) for name in names]
