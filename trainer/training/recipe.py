"""Recipes: the choices that decide the weights of a model, besides data, family and seed.

Every number of the raw recipe was chosen by cross-validation over the training subjects
(`cross_validation`), or beforehand; what each is worth is measured by ``python -m
trainer.selection.ablation``. Those of the placement recipe were chosen by leaving out whole data
sets (`left_out_sets`). How a recipe is applied is decided in `raw` and `any_place`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer.data.other_wearers import OtherWearers
from trainer.data.random_rotations import RandomRotation
from trainer.networks.options import View


@dataclass(frozen=True)
class Schedule:
    """Epochs, batches and learning rate of a training.

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
    """The way from raw recordings to a model; the defaults are the recipe of what ships."""

    hop: int = 16
    """Samples between the starts of the windows to train on"""
    whole: bool = False
    """Windows that have not one label throughout are left out, not labelled by their newest
    sample"""
    rotation: RandomRotation = field(default_factory=RandomRotation)
    """Of every window, differently in every epoch"""
    view: View = "two-scale"
    """Of a window, as the network gets it"""
    schedule: Schedule = field(default_factory=Schedule)
    temperature: float = 1.0
    """Divides the logits at the end (`raw.cool`)"""


@dataclass(frozen=True)
class PlacementRecipe:
    """The way from signals of many people to a model; the defaults are those of what ships."""

    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=12, batch_size=256))
    steps: int = 150
    """Batches an epoch"""
    smoothing: float = 0.05
    """Probability that is dealt out to all activities, of a label"""
    doubt: float = 0.45
    """Share of a label of sitting, standing or lying that is dealt out to all three where the
    wearer's frame is not given: without it, what tells them apart with one phone does not with
    another"""
    averaging: float = 0.995
    """Momentum of the moving average of the weights, a step"""
    set_weights: Mapping[str, float] = field(
        default_factory=lambda: {"HAPT": 1.5, "UCI HAR": 1.5, "IndoorSurvey_hand": 0.25}
    )
    """Of data sets that count more or less than the others"""
    changes: OtherWearers = field(default_factory=OtherWearers)
    temperature: float = 1.0
    """Divides the logits at the end"""
