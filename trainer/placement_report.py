"""The figures of models on placement sets, as har-evaluate reports them, and their table."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from trainer.set_scores import SetScores

TrainedOnIt = Literal["yes", "people", "no"]
"""Whether a model was trained on a set by its card; ``people``: on another of the same study, which
may have the same people"""

FIGURES: Final = {
    "balanced": "balanced_accuracy",
    "stairs": "stairs",
    "moving": "moving",
    "RUNNING recall": "running_recall",
    "precision": "running_precision",
    "ECE": "calibration_error",
}
"""Fields of `SetScores` in the columns of the table, by their headings"""
_MEAN: Final = "mean over sets"


class OnSet(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one model, or of several together, on one set."""

    trained_on: TrainedOnIt
    learnt: SetScores | None
    """With the wearer's frame as learnt live, in recordings that begin with steps; None of models
    that do not take it"""
    unknown: SetScores
    """With nothing known of the wearers"""

    def scores(self) -> Iterator[tuple[str, SetScores]]:
        """Yield the figures, with what was known of the wearers."""
        if self.learnt is not None:
            yield "learnt", self.learnt
        yield ("unknown" if self.learnt is not None else "-"), self.unknown


class SetReport(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of models on one set."""

    name: str
    hash: str
    worn_at: str
    people: int
    """People with windows to judge; all whom nobody knows count as one"""
    models: dict[str, OnSet]
    """By name and version"""


def table(reports: Sequence[SetReport]) -> str:
    """Return a line of figures a set, model and frame; last the means over the sets."""
    width = max(len(identity) for report in reports for identity in report.models)
    titles = "  ".join(f"{name:>14}" for name in FIGURES)
    lines = [f"{'':{width}}  frame    {titles}  trained on"]
    means: dict[tuple[str, str], list[SetScores]] = {}
    for report in reports:
        lines.append(f"{report.name}, {report.worn_at}: {report.people} people, hash {report.hash}")
        for identity, found in report.models.items():
            for frame, scores in found.scores():
                cells = [getattr(scores, name) for name in FIGURES.values()]
                lines.append(_line(identity, width, frame, cells) + f"  {found.trained_on}")
                means.setdefault((identity, frame), []).append(scores)
    if len(reports) > 1:
        lines.append(_MEAN)
        lines += [
            _line(identity, width, frame, [_mean(several, name) for name in FIGURES.values()])
            for (identity, frame), several in means.items()
        ]
    return "\n".join(line.rstrip() for line in lines)


def _line(identity: str, width: int, frame: str, cells: Sequence[float | None]) -> str:
    texts = (f"{'-' if cell is None else f'{cell:.4f}':>14}" for cell in cells)
    return f"{identity:{width}}  {frame:7}  " + "  ".join(texts)


def _mean(several: Sequence[SetScores], name: str) -> float | None:
    """Return the mean of a figure over the sets that have it, None if none has."""
    values = [value for scores in several if (value := getattr(scores, name)) is not None]
    return float(np.mean(values)) if values else None
