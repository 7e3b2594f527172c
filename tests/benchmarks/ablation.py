"""What each ingredient of the recipe is worth, by cross-validation over the training subjects.

The recipe is changed in one place at a time; each change is trained for every group of subjects, on
the recordings of the others (`trainer.cross_validation`). The test split has no part in it. A
training takes minutes (--training); as many as there are cores go on at a time, and finished ones
are kept in the user's cache folder.
"""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from figures import Figure, NotMeasuredError, Options, run_alone

from pipeline.recordings import datasets, hapt, uci_har
from pipeline.recordings.recording import DataError, Recording
from pipeline.signals import ACTIVITIES
from trainer.cross_validation import N_GROUPS, Judged, held_out, together, without
from trainer.evaluation import best_temperature, log_loss, mean_and_sd, reliability
from trainer.raw_windows import TRAINING_SUBJECTS, Turns, raw_windows
from trainer.recipe import RawRecipe

SEED: Final = 1

RECIPE: Final = "the recipe"
TOGETHER: Final = "together"
VARIATIONS: Final[dict[str, RawRecipe]] = {
    RECIPE: RawRecipe(),
    "one view": RawRecipe(two_views=False),
    "not turned": RawRecipe(turns=Turns(around_deg=0.0, tilt_deg=0.0)),
    "turned by 8 degrees": RawRecipe(turns=Turns(tilt_deg=8.0)),
    "windows of one label": RawRecipe(labels="whole"),
    "hop 64, as published": RawRecipe(
        hop=64, schedule=replace(RawRecipe().schedule, epochs=4 * RawRecipe().schedule.epochs)
    ),
    "twice the epochs": RawRecipe(
        schedule=replace(RawRecipe().schedule, epochs=2 * RawRecipe().schedule.epochs)
    ),
}
"""What is compared: each with about as many steps as the recipe, but for the last"""


@dataclass(frozen=True)
class Job:
    """One training."""

    model: str
    """Family"""
    recipe: RawRecipe
    group: int
    """Whose subjects are held out"""
    seed: int
    data: Path | None
    """The data sets' folder"""

    @property
    def file(self) -> Path:
        """Where its outcome is kept; what `models` and `training` do is not in the name."""
        key = hashlib.sha256(repr((self.recipe, self.seed)).encode()).hexdigest()[:8]
        folder = datasets.cache_folder() / "cross-validation"
        return folder / f"{self.model}-{key}-{self.group}.npz"


def measure(options: Options) -> list[Figure]:
    """Return the cross-validated accuracy of each model with each variation.

    Raises:
        NotMeasuredError: a data set is missing.
    """
    jobs = {
        (model, variation): [
            Job(model, recipe, group, SEED, options.data) for group in range(N_GROUPS)
        ]
        for model in options.models
        for variation, recipe in VARIATIONS.items()
    }
    missing = [job for several in jobs.values() for job in several if not job.file.is_file()]
    if missing and not options.training:
        print(f"  skipped: {len(missing)} trainings are to be done; measure it with --training")
        return []
    try:
        _published(options.data), _recordings(options.data)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    _train_all(missing)
    judged = {key: _judged(several) for key, several in jobs.items()}
    figures = []
    for (model, variation), several in jobs.items():
        base = judged[model, RECIPE]
        figures.append(_figure(model, variation, judged[model, variation], base, several))
    if len(options.models) > 1:
        all_models = together([judged[model, RECIPE] for model in options.models])
        figures.append(_figure(TOGETHER, RECIPE, all_models, all_models, []))
    return figures


def _train_all(jobs: Sequence[Job]) -> None:
    """Do the trainings, as many at a time as there are cores."""
    if not jobs:
        return
    jobs[0].file.parent.mkdir(parents=True, exist_ok=True)
    n_cores = len(os.sched_getaffinity(0))
    begun = time.perf_counter()
    # TensorFlow takes one core for models so small: another process does well on the next.
    with ProcessPoolExecutor(n_cores, multiprocessing.get_context("spawn")) as pool:
        for done, told in enumerate(pool.map(train, jobs), start=1):
            minutes = (time.perf_counter() - begun) / 60
            print(f"    {done} of {len(jobs)} after {minutes:.0f} min: {told}", flush=True)


def train(job: Job) -> str:
    """Do one training, keep what the model says of the subjects held out, and sum it up."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from trainer.models import BUILDERS
    from trainer.training import fit_for, probabilities

    recipe = job.recipe
    fitted = fit_for(
        lambda windows: BUILDERS[job.model](windows, len(ACTIVITIES), recipe.two_views),
        raw_windows(
            without(_recordings(job.data), job.group),
            hop=recipe.hop,
            whole=recipe.labels == "whole",
        ),
        schedule=recipe.schedule,
        turns=recipe.turns,
        seed=job.seed,
    )
    unseen = held_out(_published(job.data), job.group)
    said = probabilities(fitted.model, unseen.windows)
    unfinished = job.file.with_name(f".{job.file.name}")
    np.savez(unfinished, said=said, labels=unseen.labels, seconds=fitted.seconds)
    os.replace(unfinished, job.file)
    accuracy = float((said.argmax(axis=1) == unseen.labels).mean())
    return f"{job.model}, group {job.group + 1}: {accuracy:.4f}, {fitted.seconds:.0f} s"


@cache
def _recordings(data: Path | None) -> list[Recording]:
    return hapt.recordings(data, TRAINING_SUBJECTS, download=False)


@cache
def _published(data: Path | None) -> uci_har.Split:
    return uci_har.load(data, download=False).train


def _judged(jobs: Sequence[Job]) -> Judged:
    said, labels = [], []
    for kept in _kept(jobs):
        said.append(kept["said"])
        labels.append(kept["labels"])
    return Judged(said, labels)


def _kept(jobs: Sequence[Job]) -> Iterator[dict[str, np.ndarray]]:
    for job in jobs:
        with np.load(job.file) as kept:
            yield dict(kept)


def _figure(
    model: str, variation: str, judged: Judged, base: Judged, jobs: Sequence[Job]
) -> Figure:
    """Return the accuracy, and in its detail what else there is to say."""
    accuracies = judged.accuracies
    mean, sd = mean_and_sd(accuracies)
    gains = np.subtract(accuracies, base.accuracies) * 100  # points, group by group
    said, labels = np.concatenate(judged.probabilities), np.concatenate(judged.labels)
    seconds = [float(kept["seconds"]) for kept in _kept(jobs)]
    details = [
        f"sd {100 * (sd or 0.0):.2f} over {len(accuracies)} groups",
        f"sitting and standing {100 * judged.upright_accuracy:.2f}",
        f"log loss {log_loss(said, labels):.4f}",
        f"ECE {reliability(said, labels).calibration_error:.4f}",
        f"best temperature {best_temperature(said, labels):.2f}",
    ]
    if judged is not base:
        details.insert(0, f"{gains.mean():+.2f} points, {int((gains > 0).sum())} groups better")
    if seconds:
        details.append(f"{np.mean(seconds):.0f} s a training")
    return Figure(
        "ablation",
        f"{model}, {variation}",
        100 * mean,
        "%",
        detail="; ".join(details),
        parts={"sd": 100 * (sd or 0.0), "upright": judged.upright_accuracy},
    )


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what each ingredient of the recipe is worth")


if __name__ == "__main__":
    main()
