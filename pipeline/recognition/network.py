"""A network with one hidden layer of a dozen units, evaluated in NumPy.

Those in use are learnt by `trainer.decisions`.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.learnt_numbers import LearntNumbers


class Network(LearntNumbers, frozen=True, eq=False):
    """Weights of a network: inputs are scaled, the hidden layer is tanh, the output softmax."""

    center: NDArray[np.float64]
    """``(n_features,)``: the features' means"""
    scale: NDArray[np.float64]
    """``(n_features,)``: their standard deviations"""
    hidden: NDArray[np.float64]
    """``(n_features + 1, n_units)``, the last row is the bias"""
    output: NDArray[np.float64]
    """``(n_units + 1, n_classes)``, the last row is the bias"""

    def log_probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the classes' log probabilities, ``(n, n_classes)``, of ``(n, n_features)``."""
        layer = ((features - self.center) / self.scale)[:, None]  # (n, 1, n_features)
        layer = np.tanh(layer @ self.hidden[:-1] + self.hidden[-1])  # (n, 1, n_units)
        logits: NDArray[np.float64] = (layer @ self.output[:-1] + self.output[-1])[:, 0]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits
