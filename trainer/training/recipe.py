"""What decides the weights of the models that ship, besides data, family and seed.

Every number here was chosen by cross-validation over the training subjects (`cross_validation`), or
beforehand; what each is worth is measured by ``python -m trainer.selection.ablation``. How a recipe
is applied is decided in `raw`.
"""

from dataclasses import dataclass, field
from typing import Final

from trainer.data.random_rotations import NO_ROTATION, RandomRotation
from trainer.networks.options import View


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
    whole: bool = False
    """Windows that have not one label throughout are left out, not labelled by their newest
    sample"""
    rotation: RandomRotation = field(default_factory=RandomRotation)
    """How far windows are rotated at random, differently in every epoch"""
    view: View = "two-scale"
    """How windows are shown to the network"""
    schedule: Schedule = field(default_factory=Schedule)
    temperature: float = 1.0
    """What the logits are divided by at the end (`raw.cool`)"""


ANY_RECIPE: Final = RawRecipe(view="levelled", rotation=NO_ROTATION)
"""For phones worn any way round: in this view no rotation makes a difference"""
