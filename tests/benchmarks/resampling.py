"""What sampling at another rate, with jitter and dropouts, makes of the signals and predictions.

Raw recordings of training subjects are taken for the motion itself, band-limited, and sampled anew
as a phone might: at its rate, at instants that jitter, some of them lost. What the pipeline makes
of such samples is held against what it makes of the recording.

* Error: root mean square of the difference of the nine channels, as a share of the root mean square
  of their variation, over the labelled walking (level, up and down stairs).
* Accuracy: share of the windows within one activity that the shipped model recognises, over all six
  activities. The model was trained on these people: the loss counts, not the level. *Changed* is
  the share of windows that it recognises otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Readings
from pipeline.recognition.preparation.filters import Preprocessor
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import Resampler
from pipeline.recognition.preparation.windows import Windower
from pipeline.recordings.recording import Stretch
from pipeline.vocabulary import SAMPLING_RATE_HZ, WINDOW_LENGTH
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, raw_stretches, run_alone

SUBJECTS: Final = (1, 3, 5, 6)
MODEL: Final = "cnn-lstm"
HOP: Final = 64
WALKING: Final = (0, 1, 2)
OVERSAMPLING: Final = 16
"""How much finer than 50 Hz the motion is known before a spline is laid through it"""
MESSAGE: Final = 100
"""Samples a message"""
SETTLED: Final = 1000
"""Rows left out at the beginning, where the filters settle"""

RATES_HZ: Final = (50.0, 60.0, 100.0, 200.0, 400.0)
JITTERS_MS: Final = (0.0, 2.0, 5.0)
DROPOUTS: Final = (0.0, 0.05)

LIMITS: Final = {(100.0, 2.0, 0.0): 1.0, (50.0, 2.0, 0.0): 6.0, (50.0, 2.0, 0.05): 10.0}
"""Most that the error may be, in %, by rate, jitter and dropouts"""


Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` in seconds, and raw values ``(n, 6)``"""


@dataclass(frozen=True)
class Phone:
    """How a phone samples."""

    rate_hz: float
    """Hertz"""
    jitter_ms: float
    """Standard deviation of the instants, milliseconds; but at most a third of the interval"""
    dropout: float
    """Share of the samples lost"""

    @property
    def jitter_s(self) -> float:
        """Standard deviation of the instants that keeps their order, in seconds."""
        return min(self.jitter_ms / 1000, 1 / 3 / self.rate_hz)


@dataclass(frozen=True, eq=False)
class Motion:
    """A recording, and the same motion at any time."""

    stretch: Stretch
    spline: CubicSpline


def measure(options: Options) -> list[Figure]:
    """Return error and loss of accuracy for each kind of phone.

    Raises:
        NotMeasuredError: the raw recordings are not at hand.
    """
    motions = [_motion(stretch) for stretch in raw_stretches(options, SUBJECTS)]
    classifier = Classifier(find_model(MODEL))
    exact = [_samples(_as_recorded(motion.stretch)) for motion in motions]
    truth = [_labels(motion.stretch) for motion in motions]
    exact_found = [_recognised(classifier, samples) for samples in exact]
    exact_accuracy = _accuracy(truth, exact_found)
    figures = [
        Figure(
            "resampling",
            "as recorded: accuracy",
            100 * exact_accuracy,
            "%",
            detail=f"{MODEL}, {len(motions)} recordings of training subjects",
        )
    ]
    for phone in _phones():
        made = [_samples(_sampled(motion, phone, seed=k)) for k, motion in enumerate(motions)]
        error = _error(motions, exact, made)
        found = [_recognised(classifier, samples) for samples in made]
        gain = _accuracy(truth, found) - exact_accuracy
        changed = 1 - _accuracy(exact_found, found)
        name = f"{phone.rate_hz:g} Hz, jitter {phone.jitter_ms:g} ms, lost {phone.dropout:.0%}"
        figures.append(
            Figure(
                "resampling",
                f"{name}: error",
                100 * error,
                "% of RMS",
                limit=LIMITS.get((phone.rate_hz, phone.jitter_ms, phone.dropout)),
                detail=f"accuracy {100 * gain:+.2f} points, changed {changed:.2%}",
                parts={"accuracy_points": 100 * gain, "changed": changed},
            )
        )
    return figures


def _phones() -> Iterator[Phone]:
    for rate_hz in RATES_HZ:
        for jitter_ms in JITTERS_MS:
            for dropout in DROPOUTS:
                yield Phone(rate_hz, jitter_ms, dropout)


def _motion(stretch: Stretch) -> Motion:
    """Return the motion whose samples at 50 Hz, band-limited, the recording holds."""
    fine = resample_poly(
        stretch.samples, OVERSAMPLING, 1, axis=0, padtype="line", window=("kaiser", 12.0)
    )
    times = np.arange(len(fine)) / (SAMPLING_RATE_HZ * OVERSAMPLING)
    spline = CubicSpline(times, fine)
    # What the interpolation makes of the recording's own instants is the recording.
    again = spline(np.arange(len(stretch.samples)) / SAMPLING_RATE_HZ)
    return Motion(replace(stretch, samples=again), spline)


def _as_recorded(stretch: Stretch) -> Samples:
    times = np.arange(len(stretch.samples)) / SAMPLING_RATE_HZ
    return times, stretch.samples.astype(np.float64)


def _sampled(motion: Motion, phone: Phone, *, seed: int) -> Samples:
    """Return what a phone measures of a motion, from the recording's first sample on."""
    rng = np.random.default_rng(seed)
    end_s = (len(motion.stretch.samples) - 1) / SAMPLING_RATE_HZ
    times = np.arange(int(end_s * phone.rate_hz)) / phone.rate_hz
    jitter = rng.normal(0, phone.jitter_s, len(times))
    times[1:] += np.clip(jitter, -0.45 / phone.rate_hz, 0.45 / phone.rate_hz)[1:]
    kept = rng.random(len(times)) >= phone.dropout
    kept[0] = True  # else the grid would be another
    return times[kept], motion.spline(times[kept])


def _samples(measured: Samples) -> NDArray[np.float32]:
    """Return what reaches the model, ``(n_samples, 9)``."""
    times, values = measured
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for first in range(0, len(times), MESSAGE):
        part = slice(first, first + MESSAGE)
        pieces += resampler.push(0, [Readings("phone", times[part], values[part])])[0]
    pieces += resampler.finish(0)[0]
    rows = np.concatenate([piece.rows for piece in pieces])
    if sum(piece.origin is not None for piece in pieces) != 1:
        raise NotMeasuredError("the phone lost more than half a second")
    prepared: NDArray[np.float32] = Preprocessor(1).push(np.array([0]), rows[np.newaxis])[0]
    return prepared


def _error(
    motions: list[Motion], exact: list[NDArray[np.float32]], made: list[NDArray[np.float32]]
) -> float:
    """Return the error over the walking of all recordings."""
    differences, variations = [], []
    for motion, reference, found in zip(motions, exact, made, strict=True):
        n = min(len(reference), len(found))
        walking = np.isin(motion.stretch.labels[:n], WALKING)
        walking[:SETTLED] = False
        differences.append(found[:n][walking] - reference[:n][walking])
        variations.append(reference[:n][walking] - reference[:n][walking].mean(axis=0))
    difference, variation = np.concatenate(differences), np.concatenate(variations)
    # Each channel in its own unit: the mean of the channels' shares.
    return float(np.mean(np.sqrt((difference**2).mean(axis=0) / (variation**2).mean(axis=0))))


def _labels(stretch: Stretch) -> NDArray[np.int64]:
    """Return the activity of each window, -1 where there is not one alone."""
    windows = sliding_window_view(stretch.labels, WINDOW_LENGTH)[::HOP]  # (n_windows, 128)
    return np.where((windows == windows[:, :1]).all(axis=1), windows[:, 0], -1).astype(np.int64)


def _recognised(classifier: Classifier, samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return what the model takes each window for."""
    cut = Windower(1, hop=HOP).push(np.array([0]), samples[np.newaxis])
    activities: NDArray[np.int64] = classifier.classify(cut.windows).argmax(axis=1)
    return activities


def _accuracy(truth: list[NDArray[np.int64]], found: list[NDArray[np.int64]]) -> float:
    """Return the share of windows with an activity that are recognised."""
    right = total = 0
    for expected, actual in zip(truth, found, strict=True):
        n = min(len(expected), len(actual))  # the last samples may wait for others
        judged = expected[:n] >= 0
        right += int((expected[:n] == actual[:n])[judged].sum())
        total += int(judged.sum())
    return right / total


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "error and loss of accuracy by rate, jitter and dropouts")


if __name__ == "__main__":
    main()
