"""The starts of a sensor's last messages, by which a repeated message is recognised."""

from typing import Final

import numpy as np

N_STARTS: Final = 256
"""Messages of a sensor whose repetition is recognised, however late it comes"""


class Starts:
    """The starts of a sensor's last messages, in seconds on its clock."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ring = np.zeros(N_STARTS)
        self.count = 0  # of all there ever were

    def __contains__(self, start: float) -> bool:
        """Whether a message began then."""
        return bool((self.ring[: self.count] == start).any())

    def append(self, start: float) -> None:
        """Remember a message."""
        self.ring[self.count % N_STARTS] = start
        self.count += 1
