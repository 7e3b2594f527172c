"""The tasks of har-train in plain values. Nothing here needs TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainer.networks.options import Sizes
from trainer.training.fitting import FineTuning, Fitting


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Models that are trained from the beginning."""

    models: tuple[str, ...]
    """Their names"""
    seeds: range
    """One training a model and seed; the model of the first seed is exported"""
    recipe: Literal["raw", "plain"]
    out: Path
    """Folder for models and reports"""
    frame: Sequence[str]
    """How the phones of user recordings were worn, as har-stream has it"""
    fitting: Fitting
    """Of the plain recipe"""
    sizes: Sizes
    """Of the plain recipe"""


@dataclass(frozen=True, kw_only=True)
class FineTuningPlan:
    """A trained model that is fitted to user recordings too."""

    parent: Path
    """Its model.keras"""
    model: str | None
    """Its name, if it has to be that"""
    recordings: Sequence[Path]
    """Parquet files, or folders of them"""
    seed: int
    out: Path
    """Folder for the model and its report"""
    fitting: FineTuning
    settings_of_sets: Sequence[str] = ()
    """Flags of placement sets that were given, which other models have no use for"""
