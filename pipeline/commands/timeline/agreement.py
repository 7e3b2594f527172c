"""How well the predictions of a recording agree with its labels, as har-replay reports it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.recognition.results import Prediction
from pipeline.recordings.recording import Recording

ROUNDING_S: Final = 1e-6
"""By which a window may begin before its first sample's label"""


class Agreement:
    """The labelled windows of a recording, counted by activity and by what was recognised."""

    def __init__(self, recording: Recording) -> None:
        """Begin with no windows."""
        self._recording = recording
        self.counts: Counter[tuple[str, str]] = Counter()
        """Windows by true activity and recognised one, of activities that the model has"""
        self.others: Counter[str] = Counter()
        """Windows of activities that the model has not, by activity"""
        self.n_unlabelled = 0
        """Windows without a label, or with several"""

    def note(self, predictions: Sequence[Prediction]) -> None:
        """Count predictions."""
        starts = np.array([prediction.start for prediction in predictions])
        for prediction, true in zip(
            predictions, self._recording.window_activities(starts + ROUNDING_S), strict=True
        ):
            if true is None:
                self.n_unlabelled += 1
            elif true in prediction.activities:
                self.counts[true, prediction.activity] += 1
            else:
                self.others[true] += 1

    @property
    def n(self) -> int:
        """Number of windows that count."""
        return self.counts.total()

    @property
    def accuracy(self) -> float | None:
        """Share of them that were recognised, 0 to 1, None if there are none."""
        right = sum(n for (true, recognised), n in self.counts.items() if true == recognised)
        return right / self.n if self.n else None
