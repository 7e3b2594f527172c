"""The report of har-evaluate, ``evaluation.json``: what it holds, and its table for people.

`tests/benchmarks/pages.py` fills docs/results/accuracy.md from it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from pipeline.models.trained_on import TrainedOn
from trainer.placement_report import SetReport

_COLUMNS: Final = ("accuracy", "95 %", "sit, stand", "rotated", "streamed", "ECE", "log loss")


class ReliabilityCurve(msgspec.Struct, frozen=True, kw_only=True):
    """How often predictions are right, by how sure they are; a number a bin (`Reliability`)."""

    confidence: list[float]
    accuracy: list[float]
    windows: list[int]


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one model, or of several together, on the test split."""

    accuracy: float
    """Share of windows classified right, 0 to 1"""
    interval: tuple[float, float]
    """95 % interval of the accuracy, by bootstrap over subjects"""
    sitting_standing: float
    """Accuracy over windows of sitting and standing"""
    rotated: float
    """Accuracy with each window rotated at random, all rotations equally probable"""
    streamed: float | None = None
    """Accuracy with each subject's windows rotated alike, and the wearer's frame as learnt from
    them in their order; None in reports made before there was this entry"""
    calibration_error: float
    """Expected calibration error, 0 to 1"""
    log_loss: float
    classes: dict[str, dict[str, float]]
    """By activity ``precision``, ``recall``, ``f1`` and the number of ``windows``"""
    confusion_matrix: list[list[int]]
    """Windows: row the true activity, column the predicted one"""
    reliability: ReliabilityCurve


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    """The data set that the models were evaluated on."""

    hash: str
    published: bool
    """Whether it is UCI HAR as it was published"""
    windows: int
    """Of the test split"""
    subjects: list[int]
    """Of the test split"""


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that har-evaluate found, and on what."""

    date: str
    """ISO 8601, UTC"""
    commit: str | None
    """Of the project; None if that is not known"""
    version: str
    """Of har-stream"""
    data: DataReport
    seed: int
    """Drew the subjects of intervals, and the rotations"""
    models: dict[str, ModelReport]
    """By name and version"""
    selection: dict[str, str]
    """How each model was chosen, by its card"""
    data_sets: dict[str, tuple[TrainedOn, ...]] = {}
    """What each model was trained on, by its card"""
    placements: tuple[SetReport, ...] = ()
    """On placement sets, if some were named"""


def summary(models: Mapping[str, ModelReport]) -> str:
    """Return a line of figures a model, below a line of headings."""
    width = max(map(len, models))
    lines = [f"{'':{width}}  " + "  ".join(f"{name:>14}" for name in _COLUMNS)]
    for identity, model in models.items():
        cells = (
            f"{model.accuracy:.4f}",
            "{:.3f} to {:.3f}".format(*model.interval),
            f"{model.sitting_standing:.4f}",
            f"{model.rotated:.4f}",
            "-" if model.streamed is None else f"{model.streamed:.4f}",
            f"{model.calibration_error:.4f}",
            f"{model.log_loss:.4f}",
        )
        lines.append(f"{identity:{width}}  " + "  ".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)
