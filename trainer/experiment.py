"""Trains models from the beginning: for each, one training a seed, then export and report.

Each training is evaluated on the test split once, at its end. The weights that are exported are
those of the first seed, which is fixed beforehand. A finished training is kept, so that the same
run goes on where it was stopped.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES, ANY
from trainer import evaluation, pictures
from trainer.data.user_recordings import UserWindows
from trainer.export import export_both, make_card
from trainer.json_file import write_json
from trainer.networks.plain import PLAIN_BUILDERS
from trainer.plan import TrainingPlan
from trainer.records import Recipe, SeedRecord, read_record
from trainer.report import different, report
from trainer.selection.shipped import recipe_for
from trainer.training.fitted import Progress, count_parameters, probabilities, versions
from trainer.training.plain import fit
from trainer.training.processes import each
from trainer.training.raw import apply_recipe

_CURVES: Final = {
    "": "training subjects without the held-out ones",
    "val_": "held-out training subjects",
    "refit_": "all windows, fitted again",
}
"""Titles of the learning curves, by the beginning of their histories' names."""


@dataclass(frozen=True, eq=False)
class Material:
    """The inputs that all trainings of a run share."""

    plan: TrainingPlan
    data: DataSet
    user: UserWindows | None
    raw: Sequence[Recording]
    """Of the training subjects; none if the published windows take their place"""
    progress: Progress
    """Works in whatever process"""

    @property
    def activities(self) -> tuple[str, ...]:
        """The activities that the models distinguish."""
        return ACTIVITIES if self.user is None else self.user.activities

    def recipe(self, model: str) -> Recipe:
        """Return all that decides a model's weights, besides its family and the seed."""
        recipe: Recipe = {
            "settings": asdict(self.plan.fitting) | asdict(self.plan.sizes),
            "data_hash": self.data.data_hash,
            "versions": versions(),
        }
        if self.plan.recipe == "raw":
            recipe |= {"raw": asdict(recipe_for(model)), "raw_recordings": bool(self.raw)}
        if self.user is not None:
            recipe |= {"user_recordings_hash": self.user.data_hash, "frame": self.plan.frame}
        return recipe


@dataclass(frozen=True)
class Training:
    """One training: a model, a seed."""

    model: str
    """Its name"""
    seed: int


def run(
    plan: TrainingPlan,
    data: DataSet,
    user: UserWindows | None = None,
    *,
    raw: Sequence[Recording] = (),
    progress: Progress,
) -> None:
    """Train, export and report what ``plan`` names, on the data set and user recordings.

    With the recipe ``raw``, the raw recordings of the training subjects take the place of the
    published training windows, if there are any.

    Raises:
        ExportError: an exported model does not keep the contract.
        KilledError: a training was.
        OSError: the results cannot be written.
        SettingError: a setting does not fit the data or the others.
    """
    started = time.perf_counter()
    for name, split in (("train", data.train), ("test", data.test)):
        progress(f"X {name} shape {split.windows.shape} y {name} shape {split.labels.shape}")
        progress(f"  subjects {' '.join(map(str, different(split.subjects)))}")
    if not data.published:
        progress(
            f"WARNING: {data.source} is not the published UCI HAR data set: "
            "the results cannot be compared with those on it"
        )
    if user is not None:
        progress(f"user recordings: {user.summary()}")
    material = Material(plan, data, user, raw, progress)
    trainings = [Training(name, seed) for name in plan.models for seed in plan.seeds]
    records = _records(material, trainings)
    for name in plan.models:
        of_model = [next(records) for _ in plan.seeds]
        _finish(name, material, of_model, seconds=time.perf_counter() - started)


def _records(material: Material, trainings: Sequence[Training]) -> Iterator[SeedRecord]:
    """Yield the records of trainings, which were finished before or are done now."""
    before = {}
    for training in trainings:
        record = _finished(material, training)
        if record is not None:
            before[training] = record
            material.progress(f"{_title(training)}: finished before; {_described(record)}")
    new = each(
        _train,
        material,
        [training for training in trainings if training not in before],
        # One is enough for a GPU.
        at_once=1 if tf.config.list_physical_devices("GPU") else None,
    )
    for training in trainings:
        record = before.get(training)
        yield next(new) if record is None else record


def _finished(material: Material, training: Training) -> SeedRecord | None:
    """Return the record of a training that was finished before, if it was."""
    folder = material.plan.out / training.model
    if not _keras_file(folder, training.seed).is_file():
        return None
    return read_record(_record_file(folder, training.seed), recipe=material.recipe(training.model))


def _train(material: Material, training: Training) -> SeedRecord:
    """Train a model, evaluate it on the test split, and keep it with its record."""
    plan, data, user = material.plan, material.data, material.user
    name, seed = training.model, training.seed
    folder = plan.out / name
    folder.mkdir(parents=True, exist_ok=True)
    _record_file(folder, seed).unlink(missing_ok=True)  # an older one would not fit the new weights
    n_activities = len(material.activities)

    def progress(line: str) -> None:
        material.progress(f"{_title(training)}: {line}")

    def build_plain(windows: NDArray[np.float32]) -> keras.Model:
        return PLAIN_BUILDERS[name](windows, n_activities, plan.sizes)

    extra = () if user is None else (user.split,)
    if plan.recipe == "raw":
        published = () if material.raw else (data.train,)
        fitted = apply_recipe(
            recipe_for(name),
            name,
            material.raw,
            windows=(*published, *extra),
            n_activities=n_activities,
            seed=seed,
            progress=progress,
        )
    else:
        progress("training")
        fitted = fit(
            build_plain, data.train, fitting=plan.fitting, seed=seed, extra=extra, progress=progress
        )
    predictions = probabilities(fitted.model, data.test.windows).argmax(axis=1)
    scores = evaluation.score(data.test.labels, predictions, n_activities=n_activities)
    record = SeedRecord(
        recipe=material.recipe(name),
        seed=seed,
        epochs=fitted.epochs,
        held_out_subjects=fitted.held_out,
        selection=fitted.selection,
        refit=fitted.refit,
        parameters=count_parameters(fitted.model),
        confusion_matrix=scores.confusion.tolist(),
        seconds=fitted.seconds,
    )
    fitted.model.save(_keras_file(folder, seed))
    write_json(_record_file(folder, seed), record)
    progress(_described(record))
    return record


def _finish(
    name: str, material: Material, records: Sequence[SeedRecord], *, seconds: float
) -> None:
    """Export the model of the first seed, and report all.

    ``seconds`` is the wall time of the run so far.
    """
    progress = material.progress
    plan, data, user = material.plan, material.data, material.user
    folder = plan.out / name
    activities = material.activities
    exported = records[0]
    scores = exported.scores
    selection = _selection(
        name, exported, user, raw=bool(material.raw), n_subjects=len(different(data.train.subjects))
    )

    model = keras.saving.load_model(_keras_file(folder, exported.seed))
    card = make_card(
        model,
        name=name,
        activities=activities,
        data_hash=data.data_hash if user is None else f"{data.data_hash}+{user.data_hash}",
        seed=exported.seed,
        test_accuracy=scores.accuracy,
        selection=selection,
    )
    onnx_file = plan.out / f"{name}.onnx"
    export_both(model, onnx_file, folder / "model.keras", card=card, windows=data.test.windows)
    write_json(
        folder / "report.json",
        report(
            records,
            model=name,
            identity=card.identity,
            activities=activities,
            selection=selection,
            data=data,
            user=user,
            wall_seconds=seconds,
        ),
    )
    pictures.plot_confusion(
        scores,
        activities,
        folder / "confusion_matrix.png",
        title=f"{card.identity} (seed {exported.seed}) on the UCI HAR test split",
    )
    pictures.plot_learning_curves(
        [_histories(record) for record in records],
        folder / "learning_curves.png",
        title=f"{card.identity}: seed {exported.seed}"
        + (f", thin lines: the other {len(records) - 1} seeds" if len(records) > 1 else ""),
        chosen_epochs=exported.epochs,
        labels=_CURVES,
    )
    progress(f"\n{evaluation.table(scores, activities)}")
    progress(f"\n{card.identity}: test accuracy {scores.accuracy:.4f} (seed {exported.seed})")
    if len(records) > 1:
        accuracies = evaluation.with_sd([record.scores.accuracy for record in records])
        progress(f"{name}: test accuracy {accuracies} (mean ± sd over {len(records)} seeds)")
    progress(f"Wrote {onnx_file}, and report.json, model.keras and two pictures into {folder}")


def _title(training: Training) -> str:
    return f"{training.model}, seed {training.seed}"


def _keras_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.keras"


def _record_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.json"


def _described(record: SeedRecord) -> str:
    held_out = " ".join(map(str, record.held_out_subjects)) or "none"
    return (
        f"{record.parameters:,} parameters, {record.epochs} epochs, "
        f"held out subjects {held_out}, "
        f"test accuracy {record.scores.accuracy:.4f}, {record.seconds:.0f} s"
    )


def _selection(
    name: str, record: SeedRecord, user: UserWindows | None, *, raw: bool, n_subjects: int
) -> str:
    """Return in a sentence how the epochs and the weights were chosen."""
    added = "" if user is None else f"; in every fit also user recordings, {user.summary()}"
    n_held_out = len(record.held_out_subjects)
    if n_held_out == 0:
        source = (
            f"windows of the raw recordings of {n_subjects} training subjects, labelled by their "
            "newest samples"
            if raw
            else f"published windows of {n_subjects} training subjects"
        )
        rotated = (
            "levelled, so that no rotation of the phone makes a difference"
            if name.endswith(ANY)
            else "rotated at random"
        )
        return (
            f"{source}, {rotated}; form, random rotations, schedule and temperature chosen by "
            "cross-validation over the training subjects, held out whole; seed fixed beforehand; "
            "test split evaluated once, at the end"
        ) + added
    then = (
        f"then fitted again on all {n_subjects}"
        if record.refit is not None
        else f"weights of that epoch, fitted on the other {n_subjects - n_held_out}"
    )
    return (
        f"number of epochs by the accuracy on {n_held_out} of the {n_subjects} training subjects, "
        f"held out whole, drawn by the seed; {then}; seed fixed beforehand; "
        "test split evaluated once, at the end"
    ) + added


def _histories(record: SeedRecord) -> dict[str, list[float]]:
    refit = {f"refit_{name}": values for name, values in (record.refit or {}).items()}
    return record.selection | refit
