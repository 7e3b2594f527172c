"""What any phone said, in SI units and one frame: the form in which formats hand samples on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class MessageError(Exception):
    """A message cannot be used; its sender can mend it.

    `reason` is one word of a small fixed set, by which rejected messages are counted.
    """

    def __init__(self, reason: str, explanation: str) -> None:
        """Keep the reason's word and the explanation for the log."""
        super().__init__(explanation)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Readings:
    """The samples of one message, from one device."""

    device: str
    times: NDArray[np.float64]
    """``(n_samples,)``: seconds since the epoch"""
    values: NDArray[np.float64]
    """Raw ``(n_samples, 6)``: accelerometer with gravity in m/s², then gyroscope in rad/s, Android
    axes and signs; or prepared ``(n_samples, 9)``: `CHANNELS` in g and rad/s"""
    recording: str = ""
    """The sender's name for the recording that the samples belong to. When it changes, the
    device's clock and signals start anew."""
