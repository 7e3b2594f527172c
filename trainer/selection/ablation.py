"""The worth of each ingredient of the recipe, by cross-validation over the training subjects.

    python -m trainer.selection.ablation

The recipe is changed in one place at a time; each change is trained for every group of subjects, on
the recordings of the others (`group_models`). The test split has no part in it. The figures go into
the file that `choices` reads. A training takes minutes, all take hours; what was done before
is not done again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.vocabulary import FAMILIES
from trainer.commit import source_commit
from trainer.data.corrupted import CORRUPTIONS
from trainer.data.random_rotations import NO_ROTATION, RandomRotation
from trainer.evaluation import best_temperature, log_loss, mean_and_sd, reliability
from trainer.json_file import write_json
from trainer.selection.choices import FILE, RECIPE, TOGETHER, Choices, Row, table
from trainer.selection.cross_validation import HeldOutProbabilities, groups, together
from trainer.selection.group_models import (
    SEED,
    GroupModel,
    held_out_probabilities,
    of_all_groups,
    seconds,
    train_all,
)
from trainer.training.recipe import RawRecipe

_EPOCHS: Final = RawRecipe().schedule.epochs


@dataclass(frozen=True)
class Variation:
    """One way to train."""

    recipe: RawRecipe
    added: str = ""
    """As in `GroupModel`"""


def _for(epochs: int) -> RawRecipe:
    recipe = RawRecipe()
    return replace(recipe, schedule=replace(recipe.schedule, epochs=epochs))


VARIATIONS: Final[dict[str, Variation]] = {
    RECIPE: Variation(RawRecipe()),
    "without the fine-scale view": Variation(RawRecipe(view="coarse")),
    "rotated any way round": Variation(RawRecipe(rotation=RandomRotation(any_way_round=True))),
    "no random rotation": Variation(RawRecipe(rotation=NO_ROTATION)),
    "random tilt of 8 degrees": Variation(RawRecipe(rotation=RandomRotation(tilt_deg=8.0))),
    "windows of one label": Variation(RawRecipe(whole=True)),
    "hop 64, as published": Variation(replace(_for(4 * _EPOCHS), hop=64)),
    "twice the epochs": Variation(_for(2 * _EPOCHS)),
    "transitions as an activity": Variation(RawRecipe(), "transitions"),
    # Each with twice the recordings.
    **{f"and {how}": Variation(_for(_EPOCHS // 2), how) for how in CORRUPTIONS},
}
"""All: each with about as many steps as the recipe, but for twice the epochs"""

ONE: Final = "cnn-lstm"
"""The family with which all is tried; the recipe is with each"""


def choices_of(models: dict[tuple[str, str], Sequence[GroupModel]]) -> Choices:
    """Return the figures of trained models on the people held out.

    ``models`` are those of all groups, by family and variation.
    """
    results = {key: held_out_probabilities(of_groups) for key, of_groups in models.items()}
    rows = [
        _row(
            model,
            variation,
            result,
            results.get((model, RECIPE)),
            seconds=float(np.mean(seconds(models[model, variation]))),
        )
        for (model, variation), result in results.items()
    ]
    of_families = [result for (_, name), result in results.items() if name == RECIPE]
    if len(of_families) > 1:
        rows.append(_row(TOGETHER, RECIPE, together(of_families), None, seconds=None))
    return Choices(
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        commit=source_commit(),
        seed=SEED,
        groups=tuple(groups()),
        rows=tuple(rows),
    )


def _row(
    model: str,
    variation: str,
    result: HeldOutProbabilities,
    base: HeldOutProbabilities | None,
    *,
    seconds: float | None,
) -> Row:
    """Return the figures of one variation; ``base`` is the result of the recipe itself."""
    accuracies = np.array(result.accuracies)
    mean, sd = mean_and_sd(accuracies.tolist())
    gains = None if base is None or base is result else accuracies - base.accuracies
    probabilities, labels = np.concatenate(result.probabilities), np.concatenate(result.labels)
    return Row(
        variation=variation,
        model=model,
        accuracy=mean,
        sd=sd or 0.0,
        gain=None if gains is None else float(gains.mean()),
        groups_better=None if gains is None else int(np.count_nonzero(gains > 0)),
        sitting_standing=result.sitting_standing,
        log_loss=log_loss(probabilities, labels),
        calibration_error=reliability(probabilities, labels).calibration_error,
        temperature=best_temperature(probabilities, labels),
        seconds=seconds,
    )


def main() -> None:
    """Train what has not been trained; print the figures and write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, help="data sets' folder; else HAR_DATA_DIR, cache")
    parser.add_argument("--out", type=Path, default=Path(str(files("trainer.selection"))) / FILE)
    parser.add_argument("--done", action="store_true", help="train nothing, take what is there")
    options = parser.parse_args()
    models: dict[tuple[str, str], Sequence[GroupModel]] = {
        (family, name): of_all_groups(family, variation.recipe, added=variation.added)
        for name, variation in VARIATIONS.items()
        for family in (FAMILIES if name == RECIPE else [ONE])
    }
    if options.done:
        models = {
            key: of_groups
            for key, of_groups in models.items()
            if all(model.done for model in of_groups)
        }
    else:
        train_all(
            [model for of_groups in models.values() for model in of_groups],
            options.data,
            progress=partial(print, flush=True),
        )
    choices = choices_of(models)
    print(f"{choices.date}, commit {choices.commit}")
    print(table(choices))
    write_json(options.out, choices)


if __name__ == "__main__":
    main()
