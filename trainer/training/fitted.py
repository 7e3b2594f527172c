"""The parts that all trainings share: fitted model, history, lines on the progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.models.classifier import INPUT_NAME, WEARER_NAME
from pipeline.recognition.wearer.frame import COLUMNS
from trainer.errors import SettingError

History = dict[str, list[float]]
"""Keras' record, one number an epoch: ``loss``, ``accuracy``, ``val_loss``, ..."""

Progress = Callable[[str], None]
"""Takes a line on how far a training is."""

_PREDICTION_BATCH: Final = 256
"""Windows"""


@dataclass(frozen=True)
class Fitted:
    """A trained model and how it came about."""

    model: keras.Model
    epochs: int
    """Number of epochs that was chosen"""
    held_out: tuple[int, ...]
    """Training subjects whose accuracy chose it"""
    selection: History
    """While choosing: on the other training subjects, and as ``val_...`` on those held out"""
    refit: History | None
    """While fitting again on all windows, None without refit"""
    seconds: float
    """Wall time"""


class EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Gives a line after every epoch."""

    def __init__(self, progress: Progress) -> None:
        """Give the lines to ``progress``."""
        super().__init__()
        self._progress = progress
        self._begun = 0.0  # seconds

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Note when it began."""
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Give its figures."""
        figures = ", ".join(
            f"{name.replace('val_', 'held-out ')} {value:.4f}"
            for name, value in (logs or {}).items()
            if name != "learning_rate"
        )
        seconds = time.perf_counter() - self._begun
        self._progress(f"epoch {epoch + 1} of {self.params['epochs']}: {figures}, {seconds:.0f} s")


def epoch_lines(progress: Progress | None) -> list[keras.callbacks.Callback]:
    """Return the callbacks that give a line an epoch; none without ``progress``."""
    return [] if progress is None else [EpochLines(progress)]


def check_finite(history: History, learning_rate: float) -> None:
    """Reject a training that diverged.

    Raises:
        SettingError: a loss is infinite or not a number.
    """
    if not np.isfinite([*history.values()]).all():
        raise SettingError(
            f"the loss became infinite or not a number; try a learning rate below {learning_rate:g}"
        )


def takes_wearer(model: keras.Model) -> bool:
    """Return whether a model takes the wearers' frames beside windows."""
    return [node.name for node in model.inputs] == [INPUT_NAME, WEARER_NAME]


def inputs_of(
    model: keras.Model,
    windows: NDArray[np.float32],
    wearer_frames: NDArray[np.float32] | None = None,
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Return what a model is given of windows ``(n, 128, 9)`` and frames ``(n, 10)``.

    Without frames nothing is known of the wearers.
    """
    if not takes_wearer(model):
        return windows
    if wearer_frames is None:
        wearer_frames = np.zeros((len(windows), len(COLUMNS)), np.float32)
    return [windows, wearer_frames]


def probabilities(
    model: keras.Model,
    windows: NDArray[np.float32],
    wearer_frames: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return Keras' probabilities ``(n_windows, n_activities)`` of windows ``(n_windows, 128, 9)``.

    What is exported is compared with them. ``wearer_frames`` ``(n_windows, 10)`` are used by a
    model that takes them; without them nothing is known of the wearers.
    """
    result: NDArray[np.float32] = model.predict(
        inputs_of(model, windows, wearer_frames), batch_size=_PREDICTION_BATCH, verbose=0
    )
    return result


def count_parameters(model: keras.Model) -> int:
    """Return the number of weights that are trained."""
    return int(sum(weights.size for weights in map(np.asarray, model.trainable_weights)))


def versions() -> dict[str, str]:
    """Return the versions of the packages that have a part in the weights."""
    return {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__}
