"""What har-train does: for each model, one training a seed, then export and report.

Each training is evaluated on the test split once, at its end. The weights that are exported are
those of the first seed, which is fixed beforehand. A finished training is kept, so that the same
run goes on where it was stopped.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.recording import Recording
from pipeline.recordings.uci_har import DataSet
from pipeline.signals import ACTIVITIES
from trainer import evaluation, pictures
from trainer.export import export, make_card, save_with_card
from trainer.models import BUILDERS, PLAIN_BUILDERS
from trainer.own import OwnWindows, joined
from trainer.raw_windows import raw_windows
from trainer.recipe import RawRecipe
from trainer.report import (
    Recipe,
    SeedRecord,
    different,
    read_record,
    recipe_of,
    report,
    write_json,
)
from trainer.settings import TrainSettings
from trainer.training import count_parameters, fit, fit_for, probabilities, versions

Say = Callable[[str], None]
"""Tells the user a line."""

_CURVES: Final = {
    "": "training subjects without the held-out ones",
    "val_": "held-out training subjects",
    "refit_": "all windows, fitted again",
}
"""What the learning curves show, by the beginning of their histories' names."""


def run(
    settings: TrainSettings,
    data: DataSet,
    own: OwnWindows | None = None,
    *,
    raw: Sequence[Recording] = (),
    say: Say,
) -> None:
    """Train, export and report what ``settings`` name, on the data set and one's own windows.

    With the recipe ``raw``, the raw recordings of the training subjects take the place of the
    published training windows, if there are any.

    Raises:
        ExportError: an exported model does not keep the contract.
        OSError: the results cannot be written.
        SettingError: a setting does not fit the data or the others.
    """
    for name, split in (("train", data.train), ("test", data.test)):
        say(f"X {name} shape {split.windows.shape} y {name} shape {split.labels.shape}")
        say(f"  subjects {' '.join(map(str, different(split.subjects)))}")
    if not data.published:
        say(
            f"WARNING: {data.source} is not the published UCI HAR data set: "
            "the results cannot be compared with those on it"
        )
    if own is not None:
        say(f"own recordings: {own.told()}")
    for name in BUILDERS if settings.model == "all" else [settings.model]:
        _run_model(name, settings, data, own, raw, say=say)


def _run_model(
    name: str,
    settings: TrainSettings,
    data: DataSet,
    own: OwnWindows | None,
    raw: Sequence[Recording],
    *,
    say: Say,
) -> None:
    """Train one model with every seed, export the first seed's, and report."""
    started = time.perf_counter()
    folder = settings.out / name
    folder.mkdir(parents=True, exist_ok=True)
    activities = ACTIVITIES if own is None else own.activities
    recipe = recipe_of(settings, data, own, raw=bool(raw), versions=versions())
    records = [
        _train_seed(name, seed, settings, data, own, raw, recipe=recipe, say=say)
        for seed in range(settings.seed, settings.seed + settings.seeds)
    ]
    exported = records[0]
    scores = exported.scores
    selection = _selection(
        exported, own, raw=bool(raw), n_subjects=len(different(data.train.subjects))
    )

    model = keras.saving.load_model(_keras_file(folder, exported.seed))
    card = make_card(
        model,
        name=name,
        activities=activities,
        data_hash=data.data_hash if own is None else f"{data.data_hash}+{own.data_hash}",
        seed=exported.seed,
        test_accuracy=scores.accuracy,
        selection=selection,
    )
    onnx_file = settings.out / f"{name}.onnx"
    export(
        model,
        onnx_file,
        card=card,
        windows=data.test.windows,
        reference=probabilities(model, data.test.windows),
    )
    save_with_card(model, folder / "model.keras", card=card)
    write_json(
        folder / "report.json",
        report(
            records,
            model=name,
            identity=card.identity,
            activities=activities,
            selection=selection,
            data=data,
            own=own,
            wall_seconds=time.perf_counter() - started,
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
    say(f"\n{evaluation.table(scores, activities)}")
    say(f"\n{card.identity}: test accuracy {scores.accuracy:.4f} (seed {exported.seed})")
    if len(records) > 1:
        accuracies = evaluation.with_sd([record.scores.accuracy for record in records])
        say(f"{name}: test accuracy {accuracies} (mean ± sd over {len(records)} seeds)")
    say(f"Wrote {onnx_file}, and report.json, model.keras and two pictures into {folder}")


def _train_seed(
    name: str,
    seed: int,
    settings: TrainSettings,
    data: DataSet,
    own: OwnWindows | None,
    raw: Sequence[Recording],
    *,
    recipe: Recipe,
    say: Say,
) -> SeedRecord:
    """Return the record of a training that was finished before, or that is done now."""
    folder = settings.out / name
    record_file, keras_file = folder / f"seed-{seed}.json", _keras_file(folder, seed)
    record = read_record(record_file, recipe=recipe)
    if record is not None and keras_file.is_file():
        say(f"\n{name}, seed {seed}: finished before; {_told(record)}")
        return record

    say(f"\n{name}, seed {seed}: training")
    record_file.unlink(missing_ok=True)  # an older one would not fit the new weights
    n_activities = len(ACTIVITIES if own is None else own.activities)
    # A bar needs a terminal; in a file it would be a line for every step.
    verbose = 1 if sys.stdout.isatty() else 2

    raw_recipe = RawRecipe()

    def build(windows: NDArray[np.float32]) -> keras.Model:
        return BUILDERS[name](windows, n_activities, raw_recipe.two_views)

    def build_plain(windows: NDArray[np.float32]) -> keras.Model:
        return PLAIN_BUILDERS[name](windows, n_activities, settings)

    extra = None if own is None else own.split
    if settings.recipe == "raw":
        train = data.train
        if raw:
            train = raw_windows(raw, hop=raw_recipe.hop, whole=raw_recipe.labels == "whole")
        train = train if extra is None else joined(train, extra)
        fitted = fit_for(
            build,
            train,
            schedule=raw_recipe.schedule,
            turns=raw_recipe.turns,
            seed=seed,
            verbose=verbose,
        )
    else:
        fitted = fit(
            build_plain, data.train, fitting=settings, seed=seed, extra=extra, verbose=verbose
        )
    predictions = probabilities(fitted.model, data.test.windows).argmax(axis=1)
    scores = evaluation.score(data.test.labels, predictions, n_activities=n_activities)
    record = SeedRecord(
        recipe=recipe,
        seed=seed,
        epochs=fitted.epochs,
        held_out_subjects=fitted.held_out,
        selection=fitted.selection,
        refit=fitted.refit,
        parameters=count_parameters(fitted.model),
        confusion_matrix=scores.confusion.tolist(),
        seconds=fitted.seconds,
    )
    fitted.model.save(keras_file)
    write_json(record_file, record)
    say(f"{name}, seed {seed}: {_told(record)}")
    return record


def _keras_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.keras"


def _told(record: SeedRecord) -> str:
    return (
        f"{record.parameters:,} parameters, {record.epochs} epochs, "
        f"held out subjects {' '.join(map(str, record.held_out_subjects)) or 'none'}, "
        f"test accuracy {record.scores.accuracy:.4f}, {record.seconds:.0f} s"
    )


def _selection(record: SeedRecord, own: OwnWindows | None, *, raw: bool, n_subjects: int) -> str:
    """Return in a sentence how the epochs and the weights were chosen."""
    added = "" if own is None else f"; in every fit also own recordings, {own.told()}"
    n_held_out = len(record.held_out_subjects)
    if n_held_out == 0:
        source = (
            f"windows of the raw recordings of {n_subjects} training subjects, labelled by their "
            "newest samples"
            if raw
            else f"published windows of {n_subjects} training subjects"
        )
        return (
            f"{source}, turned at random; form, turns and schedule chosen by cross-validation over "
            "the training subjects, held out whole; seed fixed beforehand; "
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
