"""The command har-evaluate: evaluates finished models on UCI HAR's test split and placement sets.

Nothing is chosen here. How a model is made is decided before, by cross-validation over the training
subjects; this is the only place where the models that ship meet the test split.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.commands import log
from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_model
from pipeline.recognition.preparation.windows import rotate
from pipeline.recordings import placement_sets, uci_har
from pipeline.recordings.recording import DataError
from pipeline.recordings.uci_har import Split
from pipeline.settings import from_command_line
from pipeline.vocabulary import ACTIVITIES, ANY, SHIPPED_MODELS, Orientation
from trainer import placement_evaluation, placement_report
from trainer.commands.evaluate_settings import EvaluateSettings
from trainer.commit import source_commit
from trainer.data.kept_windows import cache_beside
from trainer.data.published_wearers import frames_of
from trainer.errors import SettingError
from trainer.evaluation import (
    STILL_UPRIGHT,
    Reliability,
    Scores,
    accuracy_interval,
    figures_by_class,
    log_loss,
    reliability,
    score,
    table,
)
from trainer.evaluation_report import (
    DataReport,
    EvaluationReport,
    ModelReport,
    ReliabilityCurve,
    summary,
)
from trainer.json_file import write_json

TOGETHER: Final[dict[Orientation, str]] = {"training": "together", "any": f"together{ANY}"}
"""Names for the mean of the probabilities of several models of the same orientation."""


@dataclass(frozen=True)
class Evaluated:
    """The figures of one model, or of several together, on the test split."""

    identity: str
    activities: tuple[str, ...]
    scores: Scores
    interval: tuple[float, float]
    """Of the accuracy, by bootstrap over subjects"""
    rotated_accuracy: float
    """With each window rotated at random, all rotations equally probable"""
    streamed_accuracy: float
    """With each subject's windows rotated alike, and the wearer's frame learnt from them"""
    reliability: Reliability
    log_loss: float


@log.command
def main() -> None:
    """Run the command."""
    settings = from_command_line(EvaluateSettings)
    log.configure(settings.log_format, logging.WARNING, "%(message)s", is_bounded=False)
    try:
        run(settings)
    except (DataError, ModelError, SettingError, OSError) as error:
        sys.exit(f"har-evaluate: {error}")


def run(settings: EvaluateSettings) -> None:
    """Evaluate the models that ``settings`` name; print the figures, and write the report.

    Raises:
        DataError: the data set is missing or damaged.
        ModelError: there is no such model, or it cannot be used.
        OSError: the report cannot be written.
        SettingError: a model has other activities than the data set or the other models.
    """
    classifiers = [Classifier(find_model(name)) for name in settings.models or SHIPPED_MODELS]
    for classifier in classifiers:
        classifier.check_answers()
    data = uci_har.load(settings.data)
    sets = [] if settings.placements is None else placement_sets.find(settings.placements)
    commit = source_commit()
    print(
        f"UCI HAR test split: {len(data.test.labels):,} windows of "
        f"{len(np.unique(data.test.subjects))} subjects, data hash {data.data_hash}"
        + ("" if data.published else " (not the published data set)")
    )
    print(f"har-stream {version('har-stream')}, commit {commit or 'unknown: no checkout'}\n")
    evaluated = evaluate(classifiers, data.test, seed=settings.seed)
    report = EvaluationReport(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        version=version("har-stream"),
        data=DataReport(
            hash=data.data_hash,
            published=data.published,
            windows=len(data.test.labels),
            subjects=np.unique(data.test.subjects).tolist(),
        ),
        seed=settings.seed,
        models={one.identity: _model_report(one) for one in evaluated},
        selection={
            classifier.card.identity: classifier.card.selection for classifier in classifiers
        },
        data_sets={
            classifier.card.identity: classifier.card.data_sets for classifier in classifiers
        },
        placements=placement_evaluation.on_sets(
            classifiers, _together(classifiers), sets, cache=cache_beside(settings.out)
        ),
    )
    print(summary(report.models))
    for one in evaluated:
        print(f"\n{one.identity}\n{table(one.scores, one.activities)}")
    if report.placements:
        print(f"\n{placement_report.table(report.placements)}")
    settings.out.mkdir(parents=True, exist_ok=True)
    written = [settings.out / "evaluation.json"]
    write_json(written[0], report)
    if find_spec("matplotlib") is not None:
        from trainer import pictures

        written.append(settings.out / "reliability.png")
        pictures.plot_reliability(
            {one.identity: one.reliability for one in evaluated},
            written[-1],
            title="On the UCI HAR test split",
        )
    print(f"\nWrote {' and '.join(map(str, written))}")


def evaluate(classifiers: Sequence[Classifier], test: Split, *, seed: int) -> list[Evaluated]:
    """Return the figures of each model, and of all models of the same orientation together.

    Args:
        classifiers: of models that know the activities of UCI HAR, and maybe more.
        test: the test split.
        seed: draws the subjects of the intervals, and the rotations.

    Raises:
        SettingError: a model has other activities.
    """
    _check_activities(classifiers)
    rotations = Rotation.random(len(test.labels), rng=np.random.default_rng(seed)).as_matrix()
    rotated_windows = rotate(test.windows, rotations)
    streamed = _streamed(test, seed=seed)
    probabilities = {
        classifier: _Probabilities(
            classifier.classify(test.windows),
            classifier.classify(rotated_windows),
            classifier.classify(streamed.windows, frames_of(streamed)),
        )
        for classifier in classifiers
    }
    return [
        _evaluated(one.identity, one.activities, probabilities[one], test, seed)
        for one in classifiers
    ] + [
        _evaluated(
            name,
            models[0].activities,
            _Probabilities(*np.mean([probabilities[one] for one in models], axis=0)),
            test,
            seed,
        )
        for name, models in _together(classifiers).items()
    ]


class _Probabilities(NamedTuple):
    """A model's probabilities ``(n_windows, n_activities)`` of the test split, in three forms."""

    upright: NDArray[np.floating]
    """As published; nothing is known of the wearers, as for the next"""
    rotated: NDArray[np.floating]
    """With each window rotated"""
    streamed: NDArray[np.floating]
    """With each subject's windows rotated alike"""


def _streamed(test: Split, *, seed: int) -> Split:
    """Return the windows as of subjects who wear their phones any way round, each one his way."""
    _, number = np.unique(test.subjects, return_inverse=True)
    rotations = Rotation.random(number.max() + 1, rng=np.random.default_rng(seed)).as_matrix()
    return replace(test, windows=rotate(test.windows, rotations[number]))


def _together(classifiers: Sequence[Classifier]) -> dict[str, list[Classifier]]:
    """Return the models of the same orientation, by the name for several, where they are so."""
    by_orientation = {
        name: [one for one in classifiers if one.orientation == orientation]
        for orientation, name in TOGETHER.items()
    }
    return {name: models for name, models in by_orientation.items() if len(models) > 1}


def _check_activities(classifiers: Sequence[Classifier]) -> None:
    """Check that the models' activities begin with those of the data set.

    Raises:
        SettingError: they do not, or are not the same for all models of an orientation.
    """
    for classifier in classifiers:
        if classifier.activities[: len(ACTIVITIES)] != ACTIVITIES:
            raise SettingError(
                f"{classifier.card.identity} has {', '.join(classifier.activities)}; "
                f"the data set has {', '.join(ACTIVITIES)}"
            )
    for models in _together(classifiers).values():
        if len({classifier.activities for classifier in models}) > 1:
            raise SettingError("the models have different activities: evaluate them one by one")


def _evaluated(
    identity: str,
    activities: tuple[str, ...],
    probabilities: _Probabilities,
    test: Split,
    seed: int,
) -> Evaluated:
    upright, rotated, streamed = probabilities
    predictions = upright.argmax(axis=1)
    right = predictions == test.labels
    return Evaluated(
        identity,
        activities,
        score(test.labels, predictions, n_activities=len(activities)),
        accuracy_interval(right, test.subjects, seed=seed),
        float((rotated.argmax(axis=1) == test.labels).mean()),
        float((streamed.argmax(axis=1) == test.labels).mean()),
        reliability(upright, test.labels),
        log_loss(upright, test.labels),
    )


def _model_report(one: Evaluated) -> ModelReport:
    return ModelReport(
        accuracy=one.scores.accuracy,
        interval=one.interval,
        sitting_standing=one.scores.accuracy_among(STILL_UPRIGHT),
        rotated=one.rotated_accuracy,
        streamed=one.streamed_accuracy,
        calibration_error=one.reliability.calibration_error,
        log_loss=one.log_loss,
        classes=figures_by_class(one.scores, one.activities),
        confusion_matrix=one.scores.confusion.tolist(),
        reliability=ReliabilityCurve(
            confidence=one.reliability.confidence.tolist(),
            accuracy=one.reliability.accuracy.tolist(),
            windows=one.reliability.windows.tolist(),
        ),
    )


if __name__ == "__main__":
    main()
