"""The windows of a recorded phone, made by the very stages that make those of a live one.

What a model would say of them is left out; what they are used for, training or keeping the books
of a replay, is decided elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognised, Recognizer
from pipeline.vocabulary import ACTIVITIES, CHANNELS, WINDOW_LENGTH, Orientation


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one phone, in the order of their times."""

    starts: NDArray[np.float64]
    """``(n,)``: seconds of each window's first sample, on the phone's own clock"""
    settling: NDArray[np.bool_]
    """``(n,)``: whether the filters had not settled when it began"""
    windows: NDArray[np.float32]
    """``(n, 128, 9)``"""


class Passage:
    """One phone's way through the stages."""

    def __init__(
        self, device: str, *, hop: int, rotation: NDArray[np.float64] | None = None
    ) -> None:
        """Begin with nothing.

        Args:
            device: the phone whose readings will come.
            hop: samples from one window to the next.
            rotation: ``(3, 3)``, from the phone's axes to the training frame; by default it was
                worn as the phones of the training data were.
        """
        self._device = device
        self._keeper = _WindowKeeper()
        self._recognizer = Recognizer(self._keeper, hop=hop, max_devices=1)
        self._recognizer.admit(device)
        if rotation is not None:
            self._recognizer.place(device, 1.0, rotation)

    def push(self, readings: Sequence[Readings]) -> Windows:
        """Return the windows that a message's readings complete, on the phone's own clock."""
        # Whatever the clock, its times are taken as they are: dated by when messages came,
        # windows would lie beside the samples by as much as the message's sensors are apart.
        dated = [msgspec.structs.replace(one, clock="epoch") for one in readings]
        return self._windows(self._recognizer.push([Delivery(dated)]))

    def finish(self) -> Windows:
        """Return the windows that waited for messages which will not come."""
        return self._windows(self._recognizer.finish([self._device]))

    def _windows(self, recognised: Recognised) -> Windows:
        predictions = recognised.predictions
        return Windows(
            np.array([prediction.start for prediction in predictions], np.float64),
            np.array([prediction.settling for prediction in predictions], np.bool_),
            self._keeper.taken(),
        )


class _WindowKeeper(Classifier):
    """Keeps the windows that a model would classify, and knows nothing of any."""

    def __init__(self) -> None:  # no file is loaded
        self._kept: list[NDArray[np.float32]] = []

    @property
    def activities(self) -> tuple[str, ...]:
        return ACTIVITIES

    @property
    def orientation(self) -> Orientation:
        return "training"

    def classify(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self._kept.append(windows)
        return np.full((len(windows), len(ACTIVITIES)), 1 / len(ACTIVITIES), np.float32)

    def taken(self) -> NDArray[np.float32]:
        """Return what was kept since the last time."""
        kept, self._kept = self._kept, []
        return np.concatenate([np.empty((0, WINDOW_LENGTH, len(CHANNELS)), np.float32), *kept])
