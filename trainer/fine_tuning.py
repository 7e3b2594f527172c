"""Fine-tunes a trained model with user recordings, then exports and reports it.

A few epochs at a low rate. Against forgetting, the windows of UCI HAR's training split are mixed in
where the data set is at hand. Nothing is chosen by its test split, which is looked at before and
after.
"""

import math
import time
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import ModelCard
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings.uci_har import DataSet, Split
from pipeline.vocabulary import ACTIVITIES
from trainer import evaluation
from trainer.data import user_recordings
from trainer.data.published_wearers import frames_of
from trainer.data.splits import joined
from trainer.data.user_recordings import UserWindows
from trainer.errors import SettingError
from trainer.evaluation import Scores, figures_by_class
from trainer.export import export_both, load_with_card, make_card
from trainer.json_file import write_json
from trainer.networks.widening import widened
from trainer.plan import FineTuningPlan
from trainer.report import (
    all_versions,
    described,
    user_described,
)
from trainer.training.fitted import History, Progress, count_parameters, probabilities, versions
from trainer.training.plain import tune

REPEATS_UP_TO: Final = 0.2
"""Where the windows of user recordings are fewer, they are repeated to be this share of all."""


@dataclass(frozen=True, eq=False)
class TuningWindows:
    """Windows to fit a trained model to."""

    split: Split
    wearer_frames: NDArray[np.float32]
    """``(n_windows, 10)``: the wearers' frames as known at each window's last sample"""


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuned model and how it came about."""

    model: keras.Model
    parent: ModelCard
    windows: UserWindows
    """Of the user recordings"""
    data: DataSet | None
    """UCI HAR, if it is at hand"""
    history: History
    before: Scores | None
    """Of the parent on the test split"""
    after: Scores | None
    """Of the fine-tuned model on the test split"""


def run(
    plan: FineTuningPlan,
    data: DataSet | None,
    placements: Placements,
    *,
    progress: Progress,
) -> None:
    """Fine-tune a model with the recordings that ``plan`` names, export and report it.

    Raises:
        DataError: there is a recording that cannot be used, or no window in any.
        ExportError: the exported model does not keep the contract.
        OSError: the results cannot be written.
        SettingError: there is no such parent, or a setting does not fit.
    """
    started = time.perf_counter()
    parent = plan.parent
    if not plan.recordings:
        raise SettingError("--from needs recordings to learn from: --extra FILE")
    model, card = load_with_card(parent)
    if plan.model not in (None, card.name):
        raise SettingError(f"{parent} is a {card.name}, not a {plan.model}")
    windows = user_recordings.load(plan.recordings, placements, known=card.activities)
    progress(f"{card.identity} of {parent}, fine-tuned with {windows.summary()}")
    new = TuningWindows(windows.split, windows.wearer_frames)
    rehearsed = None if data is None else _rehearsed(data.train, windows.activities)
    if rehearsed is None:
        forgotten = [name for name in card.activities if name not in windows.counts()]
        progress(
            "WARNING: the UCI HAR data set is not at hand: the model will forget what the "
            f"recordings do not hold ({', '.join(forgotten) or 'nothing'}), and how far cannot be "
            "measured"
        )
    else:
        progress(f"mixed with the {len(rehearsed.split.labels)} training windows of UCI HAR")

    before = _scores(model, data, card.activities)
    model = widened(model, len(windows.activities), seed=plan.seed)
    mixed = _mixed(new, rehearsed)
    history = tune(
        model,
        mixed.split,
        wearer_frames=mixed.wearer_frames,
        fitting=plan.fitting,
        seed=plan.seed,
        progress=progress,
    )
    after = _scores(model, data, windows.activities)
    tuned = FineTuned(model, card, windows, data, history, before, after)
    _finish(plan, tuned, started=started, progress=progress)


def _finish(plan: FineTuningPlan, tuned: FineTuned, *, started: float, progress: Progress) -> None:
    """Export the fine-tuned model, and report."""
    parent, windows, data = tuned.parent, tuned.windows, tuned.data
    before, after = tuned.before, tuned.after
    stem = f"{parent.name}-tuned"
    folder = plan.out / stem
    folder.mkdir(parents=True, exist_ok=True)
    card = make_card(
        tuned.model,
        name=parent.name,
        activities=windows.activities,
        data_hash=f"{parent.training_data_hash}+{windows.data_hash}",
        seed=plan.seed,
        test_accuracy=0.0 if after is None else after.accuracy,
        selection=_selection(plan, parent, windows, with_uci_har=data is not None),
        licence=parent.licence,
        data_sets=parent.data_sets,
        parent=parent.identity,
    )
    onnx_file = plan.out / f"{stem}.onnx"
    tried = windows.split.windows if data is None else data.test.windows
    export_both(tuned.model, onnx_file, folder / "model.keras", card=card, windows=tried)
    seconds = time.perf_counter() - started
    write_json(folder / "report.json", _report(plan, tuned, card, wall_seconds=seconds))
    if before is not None and after is not None:
        progress(f"\n{evaluation.table(after, card.activities)}")
        progress(
            f"\n{card.identity}: test accuracy {after.accuracy:.4f} over the activities of UCI HAR "
            f"(its parent {card.parent}: {before.accuracy:.4f})"
        )
    progress(f"Wrote {onnx_file}, and report.json and model.keras into {folder}")


def _report(
    plan: FineTuningPlan, tuned: FineTuned, card: ModelCard, *, wall_seconds: float
) -> dict[str, Any]:
    """Return the report on a fine-tuned model."""
    before, after, data = tuned.before, tuned.after, tuned.data
    return {
        "model": card.name,
        "identity": card.identity,
        "parent": card.parent,
        "seed": card.seed,
        "accuracy": None if after is None else after.accuracy,
        "accuracy_before": None if before is None else before.accuracy,
        "activities": list(card.activities),
        "classes": None if after is None else figures_by_class(after, card.activities),
        "confusion_matrix": None if after is None else after.confusion.tolist(),
        "parameters": count_parameters(tuned.model),
        "selection": card.selection,
        "history": tuned.history,
        "settings": {
            "tuning_epochs": plan.fitting.epochs,
            "tuning_rate": plan.fitting.learning_rate,
            "batch_size": plan.fitting.batch_size,
        },
        "versions": all_versions(versions()),
        "data": None if data is None else described(data),
        "user_recordings": user_described(tuned.windows),
        "wall_seconds": round(wall_seconds, 1),
    }


def _selection(
    plan: FineTuningPlan, parent: ModelCard, windows: UserWindows, *, with_uci_har: bool
) -> str:
    """Return in a sentence how the weights came about."""
    return (
        f"{parent.identity}, fine-tuned with {windows.summary()} for {plan.fitting.epochs} epochs "
        f"at learning rate {plan.fitting.learning_rate:g}, "
        + (
            "mixed with the training windows of UCI HAR; test split not used for any choice"
            if with_uci_har
            else "without windows of UCI HAR; test accuracy not measured"
        )
    )


def _relabelled(split: Split, activities: tuple[str, ...]) -> Split:
    """Return windows of UCI HAR whose labels are indices into other activities.

    Raises:
        SettingError: the model does not know them all.
    """
    missing = [activity for activity in ACTIVITIES if activity not in activities]
    if missing:
        raise SettingError(f"the model has no {', '.join(missing)}: train it anew")
    numbers = np.array([activities.index(activity) for activity in ACTIVITIES], np.int8)
    return Split(split.windows, numbers[split.labels], split.subjects)


def _rehearsed(train: Split, activities: tuple[str, ...]) -> TuningWindows:
    """Return the training windows of UCI HAR, with their wearers' frames, for some activities.

    Raises:
        SettingError: the model does not know them all.
    """
    return TuningWindows(_relabelled(train, activities), frames_of(train))


def _mixed(new: TuningWindows, rehearsed: TuningWindows | None) -> TuningWindows:
    """Return all windows to fit to, the new ones repeated where they are few."""
    if rehearsed is None:
        return new
    wanted = REPEATS_UP_TO / (1 - REPEATS_UP_TO) * len(rehearsed.split.labels)
    repeats = math.ceil(wanted / len(new.split.labels))
    every = [rehearsed, *[new] * repeats]
    return TuningWindows(
        joined([some.split for some in every]),
        np.concatenate([some.wearer_frames for some in every]),
    )


def _scores(model: keras.Model, data: DataSet | None, activities: tuple[str, ...]) -> Scores | None:
    """Return how a model does on the test split, None without one."""
    if data is None:
        return None
    test = _relabelled(data.test, activities)
    predictions: NDArray[np.intp] = probabilities(model, test.windows).argmax(axis=1)
    return evaluation.score(test.labels, predictions, n_activities=len(activities))
