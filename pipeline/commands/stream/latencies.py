"""How long predictions take: from a phone's message to the broker's confirmation, and from samples.

The receipt of a prediction is that of its phone's last message, which completed the window. The
results of a tick are published together, and the broker confirms them in their order; so they are
confirmed together, when the last of them is. The network thread notes when that was; nothing waits
for it here.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.commands.monitoring.families import Histogram
from pipeline.mqtt.publisher import Progress

CONFIRMATION_BOUNDS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
SAMPLE_BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
"""Phones send samples some tenths of a second after they are measured"""


class Latencies:
    """The latencies of all predictions since the start."""

    def __init__(self) -> None:
        """Begin without predictions."""
        self.to_confirmation = Histogram(CONFIRMATION_BOUNDS_S)
        """Seconds from receipt to confirmation, of the predictions that are confirmed"""
        self.from_samples = Histogram(SAMPLE_BOUNDS_S)
        """Seconds by this machine's clock from a live window's last sample to its prediction"""
        self._received: list[float] = []  # of predictions that are not published yet
        self._published: deque[tuple[int, NDArray[np.float64]]] = deque()
        """Publications made with those of a tick, and the receipts of its predictions"""

    def predicted(self, received: Sequence[float], ends: Sequence[float], time_s: float) -> None:
        """Note predictions.

        Args:
            received: when the messages came, in monotonic seconds.
            ends: times of the last samples of those windows that are of now, in epoch seconds.
            time_s: now, in epoch seconds.
        """
        self._received += received
        if ends:
            self.from_samples.add(np.maximum(time_s - np.asarray(ends), 0.0))

    def published(self, n_made: int) -> None:
        """Note that they are published; ``n_made`` publications have been made by now."""
        if self._received:
            self._published.append((n_made, np.asarray(self._received)))
            self._received = []

    def confirmed(self, progress: Sequence[Progress]) -> None:
        """Take how far the broker came since this was called last."""
        for n_done, at in progress:
            while self._published and self._published[0][0] <= n_done:
                _, received = self._published.popleft()
                self.to_confirmation.add(np.maximum(at - received, 0.0))
