"""How right a phone's predictions are, where the label of its wearer is known."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

MOST_LABELS: Final = 200
"""Of a phone, the latest; a replay has one a bout"""
HALF_A_SAMPLE_S: Final = 0.01
"""A label holds from its sample on; times of the two may differ by rounding"""


class Truth:
    """The labels of a phone's wearer, and the predictions of windows that lie within one."""

    def __init__(self) -> None:
        """Begin without labels."""
        self._labels: deque[tuple[float, str | None]] = deque(maxlen=MOST_LABELS)
        self._counts: Counter[tuple[str, str]] = Counter()  # of true and predicted activities
        self._last_start: float | None = None

    def label(self, activity: str | None, time: float) -> None:
        """Note the activity from a time on, None for none; it replaces labels of later times."""
        while self._labels and self._labels[-1][0] >= time:
            self._labels.pop()
        self._labels.append((time, activity))

    def judge(self, start: float, end: float, predicted: str, known: Sequence[str]) -> bool:
        """Count a window's prediction; return whether its activity is known.

        As in har-replay, windows of which the model does not know the activity do not count.
        """
        true = self._shared(start + HALF_A_SAMPLE_S, end + HALF_A_SAMPLE_S)
        if true is None or true not in known or start == self._last_start:
            return False
        self._last_start = start
        self._counts[true, predicted] += 1
        return True

    def summary(self, activities: Sequence[str]) -> dict[str, object]:
        """Return windows, how many were right, and the confusion matrix over ``activities``."""
        return {
            "windows": self._counts.total(),
            "right": sum(n for (true, predicted), n in self._counts.items() if true == predicted),
            "confusion": [
                [self._counts[true, predicted] for predicted in activities] for true in activities
            ],
        }

    def _shared(self, start: float, end: float) -> str | None:
        """Return the activity that holds from ``start`` to ``end``, None if none does."""
        for time, activity in reversed(self._labels):
            if time <= start:
                return activity
            if time < end:
                return None
        return None
