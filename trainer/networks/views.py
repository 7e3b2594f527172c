"""The views of a window that are given to a network.

A resting body moves a hundred times less than a walking one: in standard deviations of all windows
it does not seem to move at all. Yet it sways differently when it stands than when it sits. So the
signals without gravity are given a second time, in the fine-scale view tanh(x / resting sd): there
a resting body's movements fill the range, and all larger ones are cut off at its ends.
"""

from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline.models.classifier import INPUT_NAME
from pipeline.vocabulary import CHANNELS, WINDOW_LENGTH
from trainer.networks.options import View

_RESTING_SD: Final = np.repeat([0.005, 0.02], 3)
"""About how a resting body moves (standard deviations, HAPT), in g and rad/s"""


def shown(windows: NDArray[np.float32], view: View) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input ``(batch, 128, 9)``, and the view of it ``(batch, 128, n)``.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which set the normalisation.
    """
    window, coarse = normalized(windows)  # (batch, 128, 9)
    if view == "coarse":
        return window, coarse
    resting = window[:, :, : len(_RESTING_SD)]
    fine = layers.Activation("tanh")(layers.Rescaling((1 / _RESTING_SD).tolist())(resting))
    return window, layers.Concatenate()([coarse, fine])  # (batch, 128, 15)


def normalized(windows: NDArray[np.float32]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input ``(batch, 128, 9)``, and it less its channels' means, in their deviations.

    ``windows`` ``(n_windows, 128, 9)`` are the training windows, which have them.
    """
    window = keras.Input((WINDOW_LENGTH, len(CHANNELS)), name=INPUT_NAME)
    # A float32 sum over a million samples would be inexact.
    mean = windows.mean(axis=(0, 1), dtype=np.float64)  # (9,)
    sd = windows.std(axis=(0, 1), dtype=np.float64)  # (9,)
    sd[sd == 0] = 1.0  # a channel that never changes is 0 then, not 0 / 0
    # Not the layer Normalization: tf2onnx takes its eager tensors for inputs of the graph.
    normalization = layers.Rescaling((1 / sd).tolist(), (-mean / sd).tolist(), name="normalization")
    return window, normalization(window)
