"""The windows of evenly spaced samples, counted in place of made: preparation takes its time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Readings
from pipeline.recognition.preparation.timing import MAX_GAP_S
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH


class CountedWindows:
    """The windows of one phone whose samples, of one sensor, lie on a grid between its gaps.

    A raw window is complete one sample later than a prepared one: the median filter looks one
    sample ahead.
    """

    def __init__(self, *, hop: int) -> None:
        """Begin with nothing; ``hop`` is from one window to the next, in samples."""
        self._hop = hop
        self._start = -np.inf
        self._newest = -np.inf
        self._n_samples = 0  # since the start or the last gap

    def push(self, message: Sequence[Readings]) -> NDArray[np.float64]:
        """Return the starts ``(n,)`` of the windows that a message completes, in seconds."""
        (readings,) = message
        times = readings.times
        if times[0] - self._newest > MAX_GAP_S:
            self._start, self._n_samples = float(times[0]), 0
        needed = WINDOW_LENGTH + (readings.sensor != "prepared")
        # Of the windows 0, 1, 2, ... those that need up to the samples of this message.
        first = max(0, -((needed - self._n_samples - 1) // self._hop))
        self._n_samples += len(times)
        self._newest = float(times[-1])
        last = (self._n_samples - needed) // self._hop
        return self._start + np.arange(first, last + 1) * self._hop / SAMPLING_RATE_HZ
