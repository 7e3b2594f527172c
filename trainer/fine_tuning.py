"""Fine-tunes a trained model with user recordings, then exports and reports it.

A few epochs at a low rate. Against forgetting, the windows of UCI HAR's training split are mixed in
where the data set is at hand, and for a model for any place on the body those of placement sets.
Nothing is chosen by its test split, which is looked at before and after.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.models.card import ModelCard
from pipeline.models.trained_on import TrainedOn
from pipeline.recognition.placement.placements import Placements
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.uci_har import DataSet
from pipeline.vocabulary import ACTIVITIES
from trainer import data_sets, evaluation
from trainer.data import user_recordings
from trainer.data.kept_windows import cache_beside
from trainer.data.tuning_windows import (
    TuningWindows,
    mixed,
    of_sets,
    of_training_split,
    relabelled,
)
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


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A fine-tuned model and how it came about."""

    model: keras.Model
    parent: ModelCard
    windows: UserWindows
    """Of the user recordings"""
    data: DataSet | None
    """UCI HAR, if it is at hand"""
    sets: Sequence[PlacementSet]
    """Placement sets that were mixed in"""
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
    find_sets: Callable[[], Sequence[PlacementSet]] = tuple,
    progress: Progress,
) -> None:
    """Fine-tune a model with the recordings that ``plan`` names, export and report it.

    Placement sets are looked for, and mixed in, if it is for any place on the body.

    Raises:
        DataError: there is a recording that cannot be used, or no window in any; or the placement
            sets are not as the settings say.
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
    if card.orientation != "any" and plan.settings_of_sets:
        raise SettingError(
            f"{', '.join(plan.settings_of_sets)}: only for models for any place on the body, and "
            f"{parent} is a {card.name}"
        )
    sets = find_sets() if card.orientation == "any" else ()
    windows = user_recordings.load(plan.recordings, placements, known=card.activities)
    progress(f"{card.identity} of {parent}, fine-tuned with {windows.summary()}")
    rehearsed = []
    if data is not None:
        _check_activities(card)
        rehearsed.append(of_training_split(data.train, windows.activities))
    if data is None:
        forgotten = [name for name in card.activities if name not in windows.counts()]
        progress(
            "WARNING: the UCI HAR data set is not at hand: the model will forget what the "
            f"recordings do not hold ({', '.join(forgotten) or 'nothing'}), and how far cannot be "
            "measured"
        )
    else:
        progress(f"mixed with the {len(data.train.labels)} training windows of UCI HAR")
    if card.orientation == "any" and not sets:
        progress(
            "WARNING: there are no placement sets: the model may forget what it knows of other "
            "places than the waist; name the folder of sets with --placements"
        )
    drawn = of_sets(sets, windows.activities, seed=plan.seed, cache=cache_beside(plan.out))
    for one, some in zip(sets, drawn, strict=True):
        progress(f"mixed with {len(some.split.labels)} windows of {one.name}")
        rehearsed.append(some)

    before = _scores(model, data, card.activities)
    model = widened(model, len(windows.activities), seed=plan.seed)
    every = mixed(TuningWindows(windows.split, windows.wearer_frames), rehearsed)
    history = tune(
        model,
        every.split,
        wearer_frames=every.wearer_frames,
        fitting=plan.fitting,
        seed=plan.seed,
        progress=progress,
    )
    after = _scores(model, data, windows.activities)
    tuned = FineTuned(model, card, windows, data, sets, history, before, after)
    _finish(plan, tuned, started=started, progress=progress)


def _finish(plan: FineTuningPlan, tuned: FineTuned, *, started: float, progress: Progress) -> None:
    """Export the fine-tuned model, and report."""
    parent, windows, data = tuned.parent, tuned.windows, tuned.data
    before, after = tuned.before, tuned.after
    stem = f"{parent.name}-tuned"
    folder = plan.out / stem
    folder.mkdir(parents=True, exist_ok=True)
    learnt_from = _learnt_from(tuned)
    card = make_card(
        tuned.model,
        name=parent.name,
        activities=windows.activities,
        data_hash=f"{parent.training_data_hash}+{windows.data_hash}",
        seed=plan.seed,
        test_accuracy=0.0 if after is None else after.accuracy,
        selection=_selection(plan, tuned),
        licence=data_sets.licence(learnt_from) if learnt_from else parent.licence,
        data_sets=learnt_from,
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


def _learnt_from(tuned: FineTuned) -> tuple[TrainedOn, ...]:
    """Return the data sets of the parent, and those that were mixed in and are none of its.

    There are none if the parent's are not known.
    """
    if not tuned.parent.data_sets:
        return ()
    sets = [*tuned.parent.data_sets, *map(data_sets.placement_set, tuned.sets)]
    if tuned.data is not None:
        sets.append(data_sets.uci_har(tuned.data.data_hash))
    return tuple(dict.fromkeys(sets))


def _selection(plan: FineTuningPlan, tuned: FineTuned) -> str:
    """Return in a sentence how the weights came about."""
    mixed_in = ["the training windows of UCI HAR"] if tuned.data is not None else []
    mixed_in += [f"windows of {one.name}" for one in tuned.sets]
    return (
        f"{tuned.parent.identity}, fine-tuned with {tuned.windows.summary()} for "
        f"{plan.fitting.epochs} epochs at learning rate {plan.fitting.learning_rate:g}, "
        + (f"mixed with {', '.join(mixed_in)}; " if mixed_in else "")
        + (
            "test split not used for any choice"
            if tuned.data is not None
            else "without windows of UCI HAR; test accuracy not measured"
        )
    )


def _check_activities(card: ModelCard) -> None:
    """Check that a model knows all activities of UCI HAR.

    Raises:
        SettingError: it does not.
    """
    missing = [activity for activity in ACTIVITIES if activity not in card.activities]
    if missing:
        raise SettingError(f"the model has no {', '.join(missing)}: train it anew")


def _scores(model: keras.Model, data: DataSet | None, activities: tuple[str, ...]) -> Scores | None:
    """Return how a model does on the test split, None without one."""
    if data is None:
        return None
    test = relabelled(data.test, activities)
    predictions: NDArray[np.intp] = probabilities(model, test.windows).argmax(axis=1)
    return evaluation.score(test.labels, predictions, n_activities=len(activities))
