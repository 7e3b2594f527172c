"""Whether a phone worn elsewhere is recognised at whatever rate it samples.

The recordings of one placement set are taken for the motion itself, as far as they have it, and
sampled anew as a phone might: at its rate, at instants that jitter. Its people then pass as live
phones do, each with recordings that begin with steps. The model was trained on them: the loss
counts, not the level.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy.interpolate import CubicSpline

from pipeline.models.classifier import Classifier, find_model
from pipeline.recordings import placement_sets
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.recording import DataError, Recording, Stretch
from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, NotMeasuredError, Options, run_alone
from trainer.data.recorded_windows import windows_of
from trainer.set_scores import set_scores

BENCHMARK: Final = "sampling_elsewhere"
FOLDER: Final = "placements"
SET: Final = "MotionSense"
"""At 50 Hz, in trouser pockets"""
MODEL: Final = "cnn-lstm-any"
HOP: Final = 64
PEOPLE: Final = 8
RATES_HZ: Final = (20.0, 25.0, 33.0, 60.0, 104.0)
JITTER_MS: Final = 2.0
"""Standard deviation of the instants; but at most a third of the interval"""


def measure(options: Options) -> list[Figure]:
    """Return the accuracy at each rate.

    Raises:
        NotMeasuredError: the set is not at hand, or damaged.
    """
    data = options.data or os.environ.get(FOLDER_VARIABLE)
    if data is None:
        raise NotMeasuredError(f"name the data sets' folder, with --data or {FOLDER_VARIABLE}")
    try:
        found = [one for one in placement_sets.find(Path(data) / FOLDER) if one.name == SET]
        if not found:
            raise NotMeasuredError(f"{Path(data) / FOLDER} has no {SET}")
        people = [recordings for recordings in found[0].recordings()][:PEOPLE]
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    model = Classifier(find_model(MODEL))
    recorded = _accuracy(model, people)
    figures = [
        Figure(
            BENCHMARK,
            "as recorded: balanced accuracy",
            100 * recorded,
            "%",
            detail=f"{MODEL}, {len(people)} people of {SET}, 50 Hz",
        )
    ]
    for rate_hz in RATES_HZ:
        rng = np.random.default_rng(round(rate_hz))
        accuracy = _accuracy(
            model, [[_sampled(one, rate_hz, rng) for one in of_person] for of_person in people]
        )
        figures.append(
            Figure(
                BENCHMARK,
                f"{rate_hz:g} Hz, jitter {JITTER_MS:g} ms: balanced accuracy",
                100 * accuracy,
                "%",
                detail=f"{100 * (accuracy - recorded):+.2f} points",
            )
        )
    return figures


def _sampled(recording: Recording, rate_hz: float, rng: np.random.Generator) -> Recording:
    """Return what a phone with this rate records of the same motion."""
    stretches = tuple(
        _sampled_stretch(stretch, rate_hz, rng)
        for stretch in recording.stretches
        if len(stretch.times) > 1
    )
    return replace(recording, stretches=stretches, rate_hz=None)


def _sampled_stretch(stretch: Stretch, rate_hz: float, rng: np.random.Generator) -> Stretch:
    times = np.arange(stretch.start, float(stretch.times[-1]), 1 / rate_hz)
    jitter_s = min(JITTER_MS / 1000, 1 / 3 / rate_hz)
    times = times + np.clip(rng.normal(0, jitter_s, len(times)), -jitter_s, jitter_s)
    times = np.clip(times, stretch.start, stretch.times[-1])
    nearest = np.searchsorted(stretch.times, times).clip(max=len(stretch.times) - 1)
    return replace(
        stretch,
        times=times,
        samples=CubicSpline(stretch.times, stretch.samples)(times),
        labels=stretch.labels[nearest],
    )


def _accuracy(model: Classifier, people: Sequence[Sequence[Recording]]) -> float:
    """Return the balanced accuracy over people, with their frames as learnt live."""
    probabilities, labels = [], []
    for recordings in people:
        windows = windows_of(recordings, hop=HOP)
        usable = windows.is_settled & (windows.labels >= 0)
        probabilities.append(model.classify(windows.samples[usable], windows.wearer_frames[usable]))
        labels.append(windows.labels[usable])
    # The numbers of the model's activities, which may lack some of those of the sets
    numbers = np.array(
        [
            model.activities.index(name) if name in model.activities else -1
            for name in PLACEMENT_ACTIVITIES
        ]
    )[np.concatenate(labels)]
    is_known = numbers >= 0
    return set_scores(
        np.concatenate(probabilities)[is_known], numbers[is_known], model.activities
    ).balanced_accuracy


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "accuracy elsewhere at other rates")


if __name__ == "__main__":
    main()
