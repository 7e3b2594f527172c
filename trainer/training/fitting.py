"""Epochs, batches and learning rate where no raw recipe decides them.

Nothing here needs TensorFlow.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fitting:
    """The fitting of a model of the plain recipe."""

    epochs: int = 15
    """Most epochs"""
    batch_size: int = 64
    """Windows"""
    learning_rate: float = 1e-3
    """Of Adam"""
    validation_subjects: int = 4
    """Training subjects held out to choose the number of epochs"""
    patience: int = 5
    """Epochs without better accuracy on them until training stops"""
    refit: bool = True
    """Whether all training subjects are then fitted for so many epochs"""


@dataclass(frozen=True)
class FineTuning:
    """The fitting of a trained model to more windows."""

    epochs: int = 5
    learning_rate: float = 1e-4
    """Of Adam"""
    batch_size: int = 64
    """Windows"""
