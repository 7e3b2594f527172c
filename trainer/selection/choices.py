"""The results of cross-validation: of the recipe, and of the variations tried in its place.

`ablation` writes them; the recipes that ship take their temperatures from them, and every report of
har-train quotes them, so that its readers know how the choices were made.
"""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

FILE: Final = "choices.json"

RECIPE: Final = "the recipe"
TOGETHER: Final = "together"
"""Name for the mean of the probabilities of all families"""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One way to train one family, tried on people held out."""

    variation: str
    """The difference to the recipe"""
    model: str
    """Family, or `TOGETHER`"""
    accuracy: float
    """Mean over groups of subjects"""
    sd: float
    """Standard deviation over groups"""
    gain: float | None
    """Mean over groups of the accuracy less that of the recipe; None if that was not tried"""
    groups_better: int | None
    """In how many groups it is better than the recipe"""
    sitting_standing: float
    """Accuracy over windows of sitting and standing"""
    log_loss: float
    calibration_error: float
    """Expected calibration error"""
    temperature: float
    """Least log loss of all groups together"""
    seconds: float | None
    """Mean time of a training"""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The results of all that was tried."""

    date: str
    commit: str | None
    seed: int
    groups: tuple[tuple[int, ...], ...]
    """The subjects that were held out together"""
    rows: tuple[Row, ...]

    def row(self, model: str, variation: str = RECIPE) -> Row | None:
        """Return the result of a variation; None if it was not tried."""
        for row in self.rows:
            if (row.model, row.variation) == (model, variation):
                return row
        return None

    def of(self, model: str) -> list[Row]:
        """Return all results of a family."""
        return [row for row in self.rows if row.model == model]


@cache
def shipped() -> Choices:
    """Return the results that come with the package."""
    return msgspec.json.decode((files("trainer.selection") / FILE).read_bytes(), type=Choices)


def table(choices: Choices) -> str:
    """Return a line a row, for people."""
    lines = [
        f"{'':38}  accuracy ± sd  points  groups  sit, stand  log loss     ECE  temp.  s",
    ]
    n_groups = len(choices.groups)
    for row in choices.rows:
        gain = "      " if row.gain is None else f"{100 * row.gain:+6.2f}"
        better = "      " if row.groups_better is None else f"{row.groups_better:4d}/{n_groups}"
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        lines.append(
            f"{f'{row.model}, {row.variation}':38}  {row.accuracy:.4f} {row.sd:.4f}  {gain}  "
            f"{better}      {row.sitting_standing:.4f}    {row.log_loss:.4f}  "
            f"{row.calibration_error:.4f}   {row.temperature:.2f}  {seconds}"
        )
    return "\n".join(line.rstrip() for line in lines)
