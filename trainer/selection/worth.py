"""The worth of models for any place on the body on data sets that they were not trained on.

`left_out_sets` writes the figures; the recipe takes its temperature from them.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec
import numpy as np

from trainer.evaluation import mean_and_sd
from trainer.set_scores import SetScores

FILE: Final = "left_out_sets.json"

RECIPE: Final = "the recipe"
TOGETHER: Final = "together"
"""Name for the mean of the probabilities of all families"""

Frame = Literal["known", "unknown"]
"""Whether the model was given the wearer's frame as a live phone's, in recordings that begin with
steps; or nothing was known of any wearer."""


class WorthRow(msgspec.Struct, frozen=True, kw_only=True):
    """One set that was left out of one way to train one family."""

    variation: str
    """The difference to the recipe"""
    model: str
    """Family, or `TOGETHER`"""
    data_set: str
    frame: Frame
    seeds: tuple[SetScores, ...]
    """The figures of each seed"""

    def mean(self, name: str) -> float | None:
        """Return the mean over the seeds of a figure by its name; None if the set lacks it."""
        values = [getattr(scores, name) for scores in self.seeds]
        return None if None in values else float(np.mean(values))


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of all that was tried."""

    date: str
    commit: str | None
    temperatures: dict[str, float]
    """Of the recipe, by family: least log loss over all sets left out"""
    rows: tuple[WorthRow, ...]

    def of(self, family: str) -> list[WorthRow]:
        """Return all figures of a family."""
        return [row for row in self.rows if row.model == family]


@cache
def shipped() -> Worth:
    """Return the figures that come with the package."""
    return msgspec.json.decode((files("trainer.selection") / FILE).read_bytes(), type=Worth)


def table(rows: Sequence[WorthRow]) -> str:
    """Return a line a row, for people."""
    width = max((len(_title(row)) for row in rows), default=0)
    heading = "frame    balanced ± sd  stairs  moving   RUNNING found, right    ECE  seeds"
    lines = [f"{'':{width}}  {heading}"]
    for row in rows:
        mean, sd = mean_and_sd([scores.balanced_accuracy for scores in row.seeds])
        names = ("stairs", "moving", "running_recall", "running_precision", "calibration_error")
        stairs, moving, recall, precision, error = (
            f"{'':6}" if (value := row.mean(name)) is None else f"{value:.4f}" for name in names
        )
        lines.append(
            f"{_title(row):{width}}  {row.frame:7}  {mean:.4f}"
            f"{'' if sd is None else f' {sd:.4f}':7}  {stairs}  {moving}         "
            f"{recall} {precision}  {error}  {len(row.seeds)}"
        )
    return "\n".join(line.rstrip() for line in lines)


def _title(row: WorthRow) -> str:
    return f"{row.model}, {row.variation}: {row.data_set}"
