"""The command har-evaluate: what finished models make of UCI HAR's test split.

Nothing is chosen here. Whatever decides how a model is made is decided by cross-validation over the
training subjects, before; this is the one place where what ships meets the test split.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.models.classifier import Classifier, ModelError, find_model
from pipeline.recognition.preparation.windows import turned
from pipeline.recordings import uci_har
from pipeline.recordings.recording import DataError
from pipeline.recordings.uci_har import DataSet, Split
from pipeline.settings import from_command_line
from pipeline.vocabulary import ACTIVITIES, ANY, SHIPPED_MODELS, Orientation
from trainer.commands.evaluate_settings import EvaluateSettings
from trainer.commit import source_commit
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
from trainer.report import write_json

TOGETHER: Final[dict[Orientation, str]] = {"training": "together", "any": f"together{ANY}"}
"""What the mean of the probabilities of several models for phones worn alike is called."""

_COLUMNS: Final = ("accuracy", "95 %", "sit, stand", "turned", "ECE", "log loss")


@dataclass(frozen=True)
class Evaluated:
    """What one model, or several together, make of the test split."""

    identity: str
    activities: tuple[str, ...]
    scores: Scores
    interval: tuple[float, float]
    """Of the accuracy, by bootstrap over subjects"""
    turned_accuracy: float
    """With each window turned by another rotation, all of them alike probable"""
    reliability: Reliability
    log_loss: float


def main() -> None:
    """Run the command."""
    settings = from_command_line(EvaluateSettings)
    try:
        run(settings)
    except (DataError, ModelError, SettingError, OSError) as error:
        sys.exit(f"har-evaluate: {error}")


def run(settings: EvaluateSettings) -> None:
    """Evaluate the models that ``settings`` name; tell, and write the report.

    Raises:
        DataError: the data set is missing or damaged.
        ModelError: there is no such model, or it cannot be used.
        OSError: the report cannot be written.
        SettingError: a model tells other activities than the data set or the others.
    """
    classifiers = [Classifier(find_model(name)) for name in settings.models or SHIPPED_MODELS]
    for classifier in classifiers:
        classifier.check_answers()
    data = uci_har.load(settings.data)
    commit = source_commit()
    print(
        f"UCI HAR test split: {len(data.test.labels):,} windows of "
        f"{len(np.unique(data.test.subjects))} subjects, data hash {data.data_hash}"
        + ("" if data.published else " (not the published data set)")
    )
    print(f"har-stream {version('har-stream')}, commit {commit or 'unknown: no checkout'}\n")
    evaluated = evaluate(classifiers, data.test, seed=settings.seed)
    print(summary(evaluated))
    for one in evaluated:
        print(f"\n{one.identity}\n{table(one.scores, one.activities)}")
    settings.out.mkdir(parents=True, exist_ok=True)
    written = [settings.out / "evaluation.json"]
    write_json(written[0], _report(evaluated, classifiers, data, settings, commit))
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
    """Return what each model makes of the test split, and those for phones worn alike together.

    Args:
        classifiers: of models that know the activities of UCI HAR, and maybe more.
        test: the test split.
        seed: draws the subjects of the intervals, and how windows are turned.

    Raises:
        SettingError: a model tells other activities.
    """
    activities = _check_activities(classifiers)
    rotations = Rotation.random(len(test.labels), rng=np.random.default_rng(seed)).as_matrix()
    turned_windows = turned(test.windows, rotations)
    said = {
        classifier.card.identity: (
            classifier.classify(test.windows),
            classifier.classify(turned_windows),
        )
        for classifier in classifiers
    }
    for orientation, name in TOGETHER.items():
        alike = [
            said[classifier.card.identity]
            for classifier in classifiers
            if classifier.card.orientation == orientation
        ]
        if len(alike) > 1:
            upright, any_way = zip(*alike, strict=True)
            said[name] = (np.mean(upright, axis=0), np.mean(any_way, axis=0))
    return [
        _evaluated(identity, activities, *probabilities, test, seed)
        for identity, probabilities in said.items()
    ]


def summary(evaluated: Sequence[Evaluated]) -> str:
    """Return a line of figures a model."""
    width = max(len(one.identity) for one in evaluated)
    lines = [f"{'':{width}}  " + "  ".join(f"{name:>14}" for name in _COLUMNS)]
    for one in evaluated:
        cells = (
            f"{one.scores.accuracy:.4f}",
            "{:.3f} to {:.3f}".format(*one.interval),
            f"{one.scores.accuracy_among(STILL_UPRIGHT):.4f}",
            f"{one.turned_accuracy:.4f}",
            f"{one.reliability.calibration_error:.4f}",
            f"{one.log_loss:.4f}",
        )
        lines.append(f"{one.identity:{width}}  " + "  ".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def _check_activities(classifiers: Sequence[Classifier]) -> tuple[str, ...]:
    """Return the models' activities, which begin with those of the data set.

    Raises:
        SettingError: they do not, or are not the same for all.
    """
    activities = classifiers[0].activities
    for classifier in classifiers:
        found = classifier.activities
        if found[: len(ACTIVITIES)] != ACTIVITIES:
            raise SettingError(
                f"{classifier.card.identity} tells {', '.join(found)}, the data set has "
                f"{', '.join(ACTIVITIES)}"
            )
        if found != activities:
            raise SettingError("the models tell different activities: evaluate them one by one")
    return activities


def _evaluated(
    identity: str,
    activities: tuple[str, ...],
    upright: NDArray[np.floating],
    any_way: NDArray[np.floating],
    test: Split,
    seed: int,
) -> Evaluated:
    predictions = upright.argmax(axis=1)
    right = predictions == test.labels
    return Evaluated(
        identity,
        activities,
        score(test.labels, predictions, n_activities=len(activities)),
        accuracy_interval(right, test.subjects, seed=seed),
        float((any_way.argmax(axis=1) == test.labels).mean()),
        reliability(upright, test.labels),
        log_loss(upright, test.labels),
    )


def _report(
    evaluated: Sequence[Evaluated],
    classifiers: Sequence[Classifier],
    data: DataSet,
    settings: EvaluateSettings,
    commit: str | None,
) -> dict[str, Any]:
    """Return all that was found, and of what."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "version": version("har-stream"),
        "data": {
            "hash": data.data_hash,
            "published": data.published,
            "windows": len(data.test.labels),
            "subjects": np.unique(data.test.subjects).tolist(),
        },
        "seed": settings.seed,
        "models": {
            one.identity: {
                "accuracy": one.scores.accuracy,
                "interval": one.interval,
                "sitting_standing": one.scores.accuracy_among(STILL_UPRIGHT),
                "turned": one.turned_accuracy,
                "calibration_error": one.reliability.calibration_error,
                "log_loss": one.log_loss,
                "classes": figures_by_class(one.scores, one.activities),
                "confusion_matrix": one.scores.confusion.tolist(),
                "reliability": {
                    "confidence": one.reliability.confidence.tolist(),
                    "accuracy": one.reliability.accuracy.tolist(),
                    "windows": one.reliability.windows.tolist(),
                },
            }
            for one in evaluated
        },
        "selection": {
            classifier.card.identity: classifier.card.selection for classifier in classifiers
        },
    }


if __name__ == "__main__":
    main()
