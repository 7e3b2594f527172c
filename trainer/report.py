"""What a training leaves on disk beside the models: one record a seed, and one report a model.

The records let a run that was stopped go on where it was; the report is for people and programs
that ask how a model came about.
"""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_file import replacing
from pipeline.recordings.uci_har import DataSet, Split
from pipeline.vocabulary import ANY
from trainer.data.own import OwnWindows
from trainer.evaluation import Scores, figures_by_class, mean_and_sd
from trainer.selection import choices
from trainer.settings import Fitting, Sizes, TrainSettings
from trainer.training.recipe import recipe_for

_EXPORT_PACKAGES: Final = ("onnx", "onnxruntime", "tf2onnx")

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


def recipe_of(
    settings: TrainSettings,
    model: str,
    data: DataSet,
    own: OwnWindows | None,
    *,
    raw: bool,
    versions: dict[str, str],
) -> Recipe:
    """Return all that decides a model's weights, besides its family and the seed.

    ``raw`` is whether there are raw recordings; ``versions`` are of the packages that train.
    """
    fields = [*Fitting.model_fields, *Sizes.model_fields]
    recipe: Recipe = {
        "settings": {name: getattr(settings, name) for name in fields},
        "data_hash": data.data_hash,
        "versions": versions,
    }
    if settings.recipe == "raw":
        recipe |= {"raw": asdict(recipe_for(model)), "raw_recordings": raw}
    if own is not None:
        recipe |= {"own_hash": own.data_hash, "frame": settings.frame}
    return recipe


def read_record(path: Path, *, recipe: Recipe) -> SeedRecord | None:
    """Return a finished training's record, None if there is none made by the same recipe."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=SeedRecord)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return record if record.recipe == recipe else None


def write_json(path: Path, content: object) -> None:
    """Write a JSON file for people, whole or not at all."""
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def report(
    records: Sequence[SeedRecord],
    *,
    model: str,
    identity: str,
    activities: Sequence[str],
    selection: str,
    data: DataSet,
    own: OwnWindows | None,
    wall_seconds: float,
) -> dict[str, Any]:
    """Return the report of one model; the first record is that of the exported weights."""
    exported = records[0]
    scores = exported.scores
    accuracies = [record.scores.accuracy for record in records]
    mean, sd = mean_and_sd(accuracies)
    return {
        "model": model,
        "identity": identity,
        "seed": exported.seed,
        "accuracy": scores.accuracy,
        "activities": list(activities),
        "classes": figures_by_class(scores, activities),
        "confusion_matrix": exported.confusion_matrix,  # rows true, columns predicted
        "parameters": exported.parameters,
        "epochs": exported.epochs,
        "selection": selection,
        "cross_validation": chosen_by(model) if "raw" in exported.recipe else None,
        "seeds": {
            "seeds": [record.seed for record in records],
            "accuracies": accuracies,
            "mean": mean,
            "sd": sd,
        },
        "runs": [
            {
                "seed": record.seed,
                "accuracy": record.scores.accuracy,
                "epochs": record.epochs,
                "held_out_subjects": record.held_out_subjects,
                "history": {"selection": record.selection, "refit": record.refit},
                "confusion_matrix": record.confusion_matrix,
                "seconds": round(record.seconds, 1),
            }
            for record in records
        ],
        "settings": exported.recipe["settings"],
        "versions": all_versions(exported.recipe["versions"]),
        "data": described(data),
        "own": None if own is None else own_described(own),
        "training_seconds": round(sum(record.seconds for record in records), 1),
        "wall_seconds": round(wall_seconds, 1),
    }


def chosen_by(model: str) -> dict[str, Any]:
    """Return what a report says of how the recipe for a model was chosen."""
    tried = choices.shipped()
    return {
        "date": tried.date,
        "commit": tried.commit,
        "held_out_together": tried.groups,
        "tried": tried.of(model.removesuffix(ANY)),
    }


def all_versions(training: dict[str, str]) -> dict[str, str]:
    """Return the versions that a report names."""
    exporting = {name: version(name) for name in _EXPORT_PACKAGES}
    return {"python": platform.python_version()} | training | exporting


def described(data: DataSet) -> dict[str, Any]:
    """Return what a report says of the data set."""
    return {
        "hash": data.data_hash,
        "published": data.published,
        "train": _split_described(data.train),
        "test": _split_described(data.test),
    }


def own_described(own: OwnWindows) -> dict[str, Any]:
    """Return what a report says of one's own recordings."""
    return {
        "hash": own.data_hash,
        "devices": list(own.devices),
        "windows": own.counts(),
    }


def _split_described(split: Split) -> dict[str, Any]:
    return {"windows": len(split.labels), "subjects": different(split.subjects)}


def different(subjects: NDArray[np.int8]) -> list[int]:
    """Return the subjects that there are, in ascending order."""
    found: list[int] = np.unique(subjects).tolist()
    return found
