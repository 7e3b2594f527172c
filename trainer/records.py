"""Records of finished trainings, by which a run that was stopped goes on where it was."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from trainer.evaluation import Scores

Recipe = dict[str, Any]
"""All that decides the weights, besides model and seed."""


class SeedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One finished training: a model, a seed."""

    recipe: Recipe
    seed: int
    epochs: int
    """Number of epochs that was chosen"""
    held_out_subjects: tuple[int, ...]
    """Training subjects whose accuracy chose it"""
    selection: dict[str, list[float]]
    """`Fitted.selection`"""
    refit: dict[str, list[float]] | None
    """`Fitted.refit`"""
    parameters: int
    """Number of weights that are trained"""
    confusion_matrix: list[list[int]]
    """`Scores.confusion` on the test split"""
    seconds: float
    """Wall time of the training"""

    @property
    def scores(self) -> Scores:
        """The scores on the test split."""
        return Scores(np.array(self.confusion_matrix, np.int64))


def read_record(path: Path, *, recipe: Recipe) -> SeedRecord | None:
    """Return a finished training's record, None if there is none made by the same recipe."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=SeedRecord)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    as_kept: Recipe = msgspec.json.decode(msgspec.json.encode(recipe))
    return record if record.recipe == as_kept else None
