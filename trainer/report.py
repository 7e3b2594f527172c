"""The report on a model, for people and programs that ask how it came about."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.models.trained_on import TrainedOn
from pipeline.recordings.uci_har import DataSet, Split
from pipeline.vocabulary import ANY
from trainer.data.user_recordings import UserWindows
from trainer.evaluation import figures_by_class, mean_and_sd
from trainer.records import Recipe, SeedRecord
from trainer.selection import choices, worth

_EXPORT_PACKAGES: Final = ("onnx", "onnxruntime", "tf2onnx")


def report(
    records: Sequence[SeedRecord],
    *,
    model: str,
    identity: str,
    activities: Sequence[str],
    selection: str,
    data: DataSet,
    data_sets: Sequence[TrainedOn],
    user: UserWindows | None,
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
        "cross_validation": choice_described(model, exported.recipe),
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
        "data_sets": msgspec.to_builtins(data_sets),
        "user_recordings": None if user is None else user_described(user),
        "training_seconds": round(sum(record.seconds for record in records), 1),
        "wall_seconds": round(wall_seconds, 1),
    }


def choice_described(model: str, recipe: Recipe) -> dict[str, Any] | None:
    """Return the part of a report on how the recipe of a model was chosen; None if it was not."""
    if "any_place" in recipe:
        on_sets = worth.shipped()
        return {
            "date": on_sets.date,
            "commit": on_sets.commit,
            "tried": on_sets.of(model.removesuffix(ANY)),
        }
    if "raw" not in recipe:
        return None
    tried = choices.shipped()
    return {
        "date": tried.date,
        "commit": tried.commit,
        "held_out_together": tried.groups,
        "tried": tried.of(model),
    }


def all_versions(training: dict[str, str]) -> dict[str, str]:
    """Return the versions that a report names."""
    exporting = {name: version(name) for name in _EXPORT_PACKAGES}
    return {"python": platform.python_version()} | training | exporting


def described(data: DataSet) -> dict[str, Any]:
    """Return the part of a report on the data set."""
    return {
        "hash": data.data_hash,
        "published": data.published,
        "train": _split_described(data.train),
        "test": _split_described(data.test),
    }


def user_described(user: UserWindows) -> dict[str, Any]:
    """Return the part of a report on user recordings."""
    return {
        "hash": user.data_hash,
        "devices": list(user.devices),
        "windows": user.counts(),
    }


def _split_described(split: Split) -> dict[str, Any]:
    return {"windows": len(split.labels), "subjects": different(split.subjects)}


def different(subjects: NDArray[np.int8]) -> list[int]:
    """Return the different subjects, in ascending order."""
    result: list[int] = np.unique(subjects).tolist()
    return result
