"""The model as recognition knows it; what file it is, and what runs it, is decided elsewhere."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.network import Network
from pipeline.vocabulary import Orientation


class Model(Protocol):
    """Classifies windows, each by itself."""

    @property
    def identity(self) -> str:
        """Name and version, ``cnn-lstm@1a2b3c4d``."""

    @property
    def activities(self) -> tuple[str, ...]:
        """Names of the probabilities' columns."""

    @property
    def needed_rate_hz(self) -> float:
        """Samples a second that it needs of each sensor; with fewer its answers are doubted."""

    @property
    def orientation(self) -> Orientation:
        """How the phones are worn that the model is for."""

    @property
    def learnt(self) -> Learnt:
        """The numbers of the decisions that go with it."""

    @property
    def gait(self) -> Network | None:
        """The numbers by which wearers' frames are learnt, None if the model takes no frames."""

    def classify(
        self, windows: NDArray[np.float32], wearer_frames: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities ``(n_windows, n_activities)`` of each window's activity.

        ``windows`` has the shape ``(n_windows, 128, 9)``, in g and rad/s. ``wearer_frames``
        ``(n_windows, 10)`` are used by a model that takes them; without them nothing is known.
        Of a window for which there is no answer they are NaN.
        """
