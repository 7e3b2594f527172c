"""Evaluates finished models on placement sets: other people, other phones, other places.

Each set is judged by the windows that a live phone has of its recordings, whose samples all have
the same of the model's activities, from where the filters have settled. A model that takes the
wearer's frame is judged twice: with what is learnt live, where each person's recordings begin with
steps (`recorded_windows`), and with nothing known. Every activity of a set counts alike.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.card import ModelCard
from pipeline.models.classifier import Classifier
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.placement_sets import PlacementSet
from pipeline.recordings.recording import DataError
from trainer.data.placement_windows import windows_by_person
from trainer.placement_report import OnSet, SetReport, TrainedOnIt
from trainer.set_scores import SetScores, set_scores

HOP: Final = 64
"""Samples between the starts of the windows that are judged, as of the published ones"""

Together = Mapping[str, Sequence[Classifier]]
"""Models of which the mean of the probabilities is judged, by its name"""


def on_sets(
    classifiers: Sequence[Classifier],
    together: Together,
    sets: Sequence[PlacementSet],
    *,
    cache: Path,
) -> tuple[SetReport, ...]:
    """Return the figures of each model, and of several together, on each set.

    Args:
        classifiers: of the models.
        together: some of them.
        sets: placement sets.
        cache: folder that keeps windows.

    Raises:
        DataError: a file is damaged, or a set has no windows of the models' activities.
    """
    return tuple(_on_set(classifiers, together, one, cache) for one in sets)


def _on_set(
    classifiers: Sequence[Classifier], together: Together, one: PlacementSet, cache: Path
) -> SetReport:
    labels: list[NDArray[np.int8]] = []
    learnt: dict[Classifier, list[NDArray[np.float32]]] = {
        model: [] for model in classifiers if model.card.wearer
    }
    unknown: dict[Classifier, list[NDArray[np.float32]]] = {model: [] for model in classifiers}
    people: set[str] = set()
    for windows in windows_by_person([one], hop=HOP, cache=cache):
        usable = windows.is_settled & (windows.labels >= 0)
        if not usable.any():
            continue
        people.add(windows.person)
        samples = windows.samples[usable]
        labels.append(windows.labels[usable])
        for model, of_people in learnt.items():
            of_people.append(model.classify(samples, windows.wearer_frames[usable]))
        for model, of_people in unknown.items():
            of_people.append(model.classify(samples))
    if not people:
        raise DataError(f"{one.folder}: has no window of {', '.join(PLACEMENT_ACTIVITIES)}")
    true = np.concatenate(labels)

    def found(models: Sequence[Classifier]) -> OnSet:
        activities = models[0].activities
        return OnSet(
            trained_on=_trained_on([model.card for model in models], one),
            learnt=_scores([learnt[model] for model in models], true, activities)
            if all(model in learnt for model in models)
            else None,
            unknown=_scores([unknown[model] for model in models], true, activities),
        )

    return SetReport(
        name=one.name,
        hash=one.data_hash,
        worn_at=one.wearers[0][1].worn_at,
        people=len(people),
        models={model.identity: found([model]) for model in classifiers}
        | {name: found(models) for name, models in together.items()},
    )


def _scores(
    by_model: Sequence[Sequence[NDArray[np.float32]]],
    labels: NDArray[np.int8],
    activities: tuple[str, ...],
) -> SetScores:
    """Return the figures of the mean of models' probabilities, each by person.

    ``labels`` ``(n,)`` are indices into `PLACEMENT_ACTIVITIES`; windows of activities that the
    models have not are left out.
    """
    probabilities = np.mean([np.concatenate(of_people) for of_people in by_model], axis=0)
    numbers = np.array(
        [activities.index(name) if name in activities else -1 for name in PLACEMENT_ACTIVITIES]
    )[labels]
    is_known = numbers >= 0
    return set_scores(probabilities[is_known], numbers[is_known], activities)


def _trained_on(cards: Sequence[ModelCard], one: PlacementSet) -> TrainedOnIt:
    """Return whether one of several models was trained on a set, as far as its card tells."""
    names = {data_set.name for card in cards for data_set in card.data_sets}
    if one.name in names:
        return "yes"
    return "people" if one.study in {name.partition("_")[0] for name in names} else "no"
