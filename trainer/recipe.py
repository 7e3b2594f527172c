"""What decides the weights of the models that ship, besides data, family and seed.

Every number here was chosen by cross-validation over the training subjects (`cross_validation`), or
beforehand; what each is worth is printed by ``tests/benchmarks/ablation.py``.
"""

from dataclasses import dataclass, field
from typing import Literal

from trainer.raw_windows import Turns


@dataclass(frozen=True)
class Schedule:
    """How long a model is fitted to windows of the raw recordings, and how fast.

    The learning rate rises in a line for the first twentieth of the steps, then falls as half a
    cosine. Fixed beforehand, not searched for.
    """

    epochs: int = 10
    batch_size: int = 128
    """Windows"""
    highest_rate: float = 2e-3
    """Learning rate of AdamW"""
    lowest_rate: float = 2e-5
    """The same at the end"""
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    """Gradients longer than that are shortened to it"""


@dataclass(frozen=True)
class RawRecipe:
    """How a model is made of the raw recordings of the training subjects."""

    hop: int = 16
    """Samples between the starts of the windows to train on"""
    labels: Literal["newest", "whole"] = "newest"
    """A window is labelled by its newest sample; or left out unless it has one label throughout"""
    turns: Turns = field(default_factory=Turns)
    """How far windows are turned at random, in every epoch otherwise"""
    two_views: bool = True
    """Whether the models see the windows through a glass, too (`models`)"""
    schedule: Schedule = field(default_factory=Schedule)
