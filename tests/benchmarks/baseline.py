"""What the personal baseline is worth, on people that the model has not seen.

The raw recordings of each group of training subjects are classified by a model that was trained on
the other groups' (`group_models`), with the baseline and without. In these recordings everybody
stands, sits and lies first and walks last: so each is gone through twice, as if its wearer went on
for another quarter of an hour, and the second time is judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.sanity_checks.checks import check
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.preparation.upright import Baseline
from pipeline.recordings import hapt
from pipeline.recordings.recording import DataError, Stretch
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from trainer.data.raw_windows import TRAINING_SUBJECTS, cut, prepare
from trainer.evaluation import STILL_UPRIGHT
from trainer.selection.cross_validation import groups
from trainer.selection.group_models import of_all_groups, train_all
from trainer.training.processes import quiet_tensorflow
from trainer.training.recipe import RawRecipe

HOP: Final = 64
TIMES: Final = 2
GROUP_OF: Final = {subject: i for i, group in enumerate(groups()) for subject in group}


@dataclass(frozen=True, eq=False)
class Judged:
    """How right a recording's windows of one label are."""

    still_upright: NDArray[np.bool_]
    """``(n,)``: whether its wearer sits or stands"""
    without: NDArray[np.bool_]
    """``(n,)``: whether the model is right without the baseline"""
    baseline: NDArray[np.bool_]
    """``(n,)``: and with it"""


def measure(options: Options) -> list[Figure]:
    """Return the accuracies with the baseline and without.

    Raises:
        NotMeasuredError: a data set is missing.
    """
    families = {family: of_all_groups(family, RawRecipe()) for family in options.models}
    trained = all(model.done for models in families.values() for model in models)
    if not trained and not options.training:
        print("  skipped: takes half an hour the first time; measure it with --training")
        return []
    try:
        recordings = hapt.recordings(options.data, TRAINING_SUBJECTS)
        train_all(
            [model for models in families.values() for model in models],
            options.data,
            progress=print,
        )
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    with quiet_tensorflow():
        import keras

        from trainer.training.fitted import probabilities
    figures = []
    for family, models in families.items():
        by_group = [partial(probabilities, keras.saving.load_model(one.file)) for one in models]
        judged = [
            _judged(stretch, by_group[GROUP_OF[int(recording.person)]])
            for recording in recordings
            for stretch in recording.stretches
        ]
        figures += _figures(family, judged)
    return figures


def _judged(
    stretch: Stretch, classify: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> Judged:
    """Return how right a model is that gives windows' probabilities."""
    samples = prepare(stretch)
    windows = cut(samples, hop=HOP)
    labels = cut(stretch.labels[: len(samples), None], hop=HOP)[:, :, 0]
    settled = HOP * np.arange(len(windows)) >= SETTLING_ROWS
    counts = settled & (labels[:, -1] >= 0) & (labels == labels[:, -1:]).all(axis=1)
    walking = check(windows).walking & settled
    baseline, slots = Baseline(1, hop=HOP), np.zeros(len(windows), np.intp)
    for _ in range(TIMES):
        turned = baseline.rotate(slots, windows, walking)
    truth = labels[counts, -1]
    without, baselined = (
        classify(own[counts]).argmax(axis=1) == truth for own in (windows, turned)
    )
    return Judged(np.isin(truth, STILL_UPRIGHT), without, baselined)


def _figures(family: str, judged: list[Judged]) -> list[Figure]:
    figures = []
    for what, chosen in (
        ("all activities", [np.ones(len(one.without), np.bool_) for one in judged]),
        ("sitting and standing", [one.still_upright for one in judged]),
    ):
        without, baseline = (
            [getattr(one, name)[own] for one, own in zip(judged, chosen, strict=True)]
            for name in ("without", "baseline")
        )
        gains = np.array(
            [after.sum() - before.sum() for before, after in zip(without, baseline, strict=True)]
        )
        before, after = (100 * float(np.concatenate(own).mean()) for own in (without, baseline))
        figures.append(
            Figure(
                "baseline",
                f"{family}, {what}",
                after,
                "%",
                detail=f"{before:.2f} without; of {len(judged)} recordings "
                f"{np.count_nonzero(gains > 0)} better, {np.count_nonzero(gains < 0)} worse",
                parts={"without": before},
            )
        )
    return figures


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what the personal baseline is worth")


if __name__ == "__main__":
    main()
