"""Models that are each trained without one group of the training subjects, and kept for later.

They are what cross-validation judges (`cross_validation`). A training takes minutes; as many as
there are cores go on at a time. Models are kept in the user's cache folder, by recipe and seed:
changes of the code of `trainer.networks` and `trainer.training` do not change the files' names.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.atomic_file import replacing, replacing_path
from pipeline.recordings import datasets, hapt, uci_har
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import ACTIVITIES
from trainer.data.corrupted import CORRUPTIONS, corrupted
from trainer.data.raw_windows import TRAINING_SUBJECTS
from trainer.decisions.labelled import with_transitions
from trainer.selection.cross_validation import N_GROUPS, HeldOutProbabilities, held_out, without
from trainer.training.processes import each
from trainer.training.recipe import RawRecipe

SEED: Final = 1

TRANSITIONS: Final = "transitions"


@dataclass(frozen=True)
class GroupModel:
    """One training."""

    model: str
    """Family"""
    recipe: RawRecipe
    group: int
    """Number of the group that is held out"""
    added: str = ""
    """Trained on beside the recordings: a name in `CORRUPTIONS` for the recordings once
    more, corrupted so; ``transitions`` for windows of them, as one more activity"""
    seed: int = SEED

    @property
    def file(self) -> Path:
        """The file in which the model is kept."""
        key = hashlib.sha256(repr((self.recipe, self.seed)).encode()).hexdigest()[:8]
        folder = datasets.cache_folder() / "cross-validation"
        added = f"-{self.added}" if self.added else ""
        return folder / f"{self.model}-{key}{added}-{self.group}.keras"

    @property
    def probabilities_file(self) -> Path:
        """The file of its probabilities for the people held out."""
        return self.file.with_suffix(".npz")

    @property
    def done(self) -> bool:
        """Whether it is trained."""
        return self.file.is_file() and self.probabilities_file.is_file()


def of_all_groups(model: str, recipe: RawRecipe, *, added: str = "") -> list[GroupModel]:
    """Return the trainings that judge a recipe."""
    return [GroupModel(model, recipe, group, added) for group in range(N_GROUPS)]


def train_all(
    models: Sequence[GroupModel], data: Path | None, *, progress: Callable[[str], None]
) -> None:
    """Do the trainings that have not been done.

    Raises:
        DataError: a data set is missing.
    """
    missing = [model for model in models if not model.done]
    if not missing:
        return
    for load in (_published, _recordings):  # what is missing is an error here, not in a process
        load(data)
    missing[0].file.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    for done, result in enumerate(each(_train, data, missing), start=1):
        minutes = (time.perf_counter() - begun) / 60
        progress(f"    {done} of {len(missing)} after {minutes:.0f} min: {result}")


def held_out_probabilities(models: Sequence[GroupModel]) -> HeldOutProbabilities:
    """Return the probabilities of trained models, each for the group held out of its training."""
    probabilities, labels = [], []
    for model in models:
        with np.load(model.probabilities_file) as kept:
            probabilities.append(kept["probabilities"])
            labels.append(kept["labels"])
    return HeldOutProbabilities(probabilities, labels)


def seconds(models: Sequence[GroupModel]) -> list[float]:
    """Return how long each training took."""
    taken = []
    for model in models:
        with np.load(model.probabilities_file) as kept:
            taken.append(float(kept["seconds"]))
    return taken


def _train(data: Path | None, job: GroupModel) -> str:
    """Do one training, keep model and probabilities, and return a line on it."""
    # With TensorFlow, so in a process alone
    from trainer.training.fitted import probabilities as of_keras
    from trainer.training.raw import apply_recipe

    n_activities = len(ACTIVITIES) + (job.added == TRANSITIONS)
    fitted = apply_recipe(
        job.recipe,
        job.model,
        _trained_on(data, job),
        n_activities=n_activities,
        seed=job.seed,
    )
    judged_by = held_out(_published(data), job.group)
    probabilities = of_keras(fitted.model, judged_by.windows)[:, : len(ACTIVITIES)]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    with replacing(job.probabilities_file) as file:
        np.savez(file, probabilities=probabilities, labels=judged_by.labels, seconds=fitted.seconds)
    with replacing_path(job.file) as unfinished:
        fitted.model.save(unfinished)
    accuracy = float((probabilities.argmax(axis=1) == judged_by.labels).mean())
    return f"{job.model}, group {job.group + 1}: {accuracy:.4f}, {fitted.seconds:.0f} s"


def _trained_on(data: Path | None, job: GroupModel) -> list[Recording]:
    """Return the recordings that a model is trained on."""
    recordings = without(_recordings(data), job.group)
    if job.added == TRANSITIONS:
        segments = hapt.label_segments(data)
        return [with_transitions(one, segments) for one in recordings]
    if job.added:
        return recordings + corrupted(recordings, CORRUPTIONS[job.added], seed=job.seed)
    return recordings


@cache
def _published(data: Path | None) -> uci_har.Split:
    return uci_har.load(data, download=False).train


@cache
def _recordings(data: Path | None) -> list[Recording]:
    return hapt.recordings(data, TRAINING_SUBJECTS, download=False)
