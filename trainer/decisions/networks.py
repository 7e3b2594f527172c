"""Fits the small networks of the decisions: one hidden layer, by L-BFGS over all samples."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.recognition.network import Network

_ITERATIONS: Final = 150


def fit_network(
    features: NDArray[np.float64],
    classes: NDArray[np.int64],
    *,
    n_units: int,
    decay: float,
    rng: np.random.Generator,
    balanced: bool = False,
) -> Network:
    """Return a network that gives the classes' probabilities from features.

    Args:
        features: ``(n, n_features)``.
        classes: ``(n,)``, from 0 on.
        n_units: of the hidden layer.
        decay: weight of the squares of all weights in the loss.
        rng: draws the initial weights.
        balanced: whether all classes have equal weight, however often each occurs.
    """
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs = _with_bias((features - center) / scale)
    n_classes = int(classes.max()) + 1
    weights = np.ones(len(classes))
    if balanced:
        weights /= np.bincount(classes)[classes]
    weights /= weights.sum()
    truth = np.eye(n_classes)[classes]
    shapes = ((inputs.shape[1], n_units), (n_units + 1, n_classes))
    split = shapes[0][0] * shapes[0][1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        hidden, output = flat[:split].reshape(shapes[0]), flat[split:].reshape(shapes[1])
        layer = np.tanh(inputs @ hidden)
        logits = _with_bias(layer) @ output
        logits -= logits.max(axis=1, keepdims=True)
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        errors = weights[:, None] * (np.exp(log_probabilities) - truth)
        backward = errors @ output[:-1].T * (1 - layer**2)
        gradient = np.concatenate(
            [(inputs.T @ backward).ravel(), (_with_bias(layer).T @ errors).ravel()]
        )
        value = -(weights * log_probabilities[np.arange(len(classes)), classes]).sum()
        return float(value + decay * (flat**2).sum()), gradient + 2 * decay * flat

    start = np.concatenate([rng.normal(size=shape).ravel() / shape[0] ** 0.5 for shape in shapes])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    return Network(center, scale, best[:split].reshape(shapes[0]), best[split:].reshape(shapes[1]))


def _with_bias(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
