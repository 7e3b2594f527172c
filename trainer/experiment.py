"""Trains models from the beginning: for each, one training a seed, then export and report.

Each training is evaluated on the test split once, at its end. The weights that are exported are
those of the first seed, which is fixed beforehand. A finished training is kept, so that the same
run goes on where it was stopped.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ANY
from trainer import choice_sentence, data_sets, evaluation, pictures
from trainer.data.raw_recordings import RawRecordings
from trainer.data.signals import signals_of
from trainer.data.user_recordings import UserWindows
from trainer.export import export_both, make_card
from trainer.json_file import write_json
from trainer.material import Material
from trainer.networks.plain import PLAIN_BUILDERS
from trainer.plan import TrainingPlan
from trainer.records import SeedRecord, read_record
from trainer.report import different, report
from trainer.selection.shipped import placement_recipe_for, recipe_for
from trainer.training.any_place import apply_placement_recipe
from trainer.training.fitted import Progress, count_parameters, probabilities
from trainer.training.plain import fit
from trainer.training.processes import each
from trainer.training.raw import apply_recipe

_NO_RECORDINGS: Final = RawRecordings()
_CURVES: Final = {
    "": "training subjects without the held-out ones",
    "val_": "held-out training subjects",
    "refit_": "all windows, fitted again",
}
"""Titles of the learning curves, by the beginning of their histories' names."""


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
    raw: RawRecordings = _NO_RECORDINGS,
    sets: Sequence[PlacementSet] = (),
    progress: Progress,
) -> None:
    """Train, export and report what ``plan`` names, on the data set and user recordings.

    With the recipe ``raw``, the raw recordings of the training subjects take the place of the
    published training windows, if there are any. Models for any place on the body learn from
    placement sets, too.

    Raises:
        DataError: a placement set is damaged, or does not say what its licence is.
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
    material = Material(plan, data, user, raw, sets, progress)
    for one in sets:
        progress(f"placement set {one.name}, hash {one.data_hash}: licence {one.licence}")
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
    n_activities = len(material.activities(name))

    def progress(line: str) -> None:
        material.progress(f"{_title(training)}: {line}")

    def build_plain(windows: NDArray[np.float32]) -> keras.Model:
        return PLAIN_BUILDERS[name](windows, n_activities, plan.sizes)

    extra = () if user is None else (user.split,)
    if name.endswith(ANY):
        fitted = apply_placement_recipe(
            placement_recipe_for(name),
            name,
            signals_of(material.people_anywhere()),
            seed=seed,
            progress=progress,
        )
    elif plan.recipe == "raw":
        published = () if material.raw.recordings else (data.train,)
        fitted = apply_recipe(
            recipe_for(name),
            name,
            material.raw.recordings,
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
    activities = material.activities(name)
    exported = records[0]
    scores = exported.scores
    selection = choice_sentence.sentence(name, exported, material)

    # Without its loss, which a reader of the file may not know.
    model = keras.saving.load_model(_keras_file(folder, exported.seed), compile=False)
    learnt_from = material.data_sets(name)
    card = make_card(
        model,
        name=name,
        activities=activities,
        data_hash=material.data_hash(name),
        seed=exported.seed,
        test_accuracy=scores.accuracy,
        selection=selection,
        licence=data_sets.licence(learnt_from),
        data_sets=learnt_from,
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
            data_sets=card.data_sets,
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


def _histories(record: SeedRecord) -> dict[str, list[float]]:
    refit = {f"refit_{name}": values for name, values in (record.refit or {}).items()}
    return record.selection | refit
