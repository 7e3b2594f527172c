"""What learning the wearers' frames costs: processor time of the recognizer a message.

A thousand phones whose wearers walk, and a thousand whose wearers stand, each with and without
learning; all else is the same, the model, too. The four take turns, message by message, so that
other work on the machine slows them down alike, and the best ticks count, as it does only that. A
message is half a second.
"""

import time
from dataclasses import dataclass, field
from statistics import mean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.models.card import ModelError
from pipeline.models.classifier import Classifier, find_model
from pipeline.models.gait import shipped_gait
from pipeline.readings import Delivery, Readings
from pipeline.recognition.judgement.learnt import Learnt
from pipeline.recognition.network import Network
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import hapt, simulated
from pipeline.recordings.recording import DataError, Recording
from pipeline.vocabulary import ANY, AUTO_FAMILY, SAMPLING_RATE_HZ, WINDOW_LENGTH, Orientation
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone

PHONES: Final = 1000
PHONES_A_TICK: Final = 250
"""A tick of har-stream has so many with some thousands of phones"""
ROWS: Final = 25
HOP: Final = 64
BEFORE: Final = 60
"""Messages of each phone before the first that is measured, 30 s: then who walks is known"""
ROUNDS: Final = 64
"""Messages of each phone that are measured, 32 s"""
BOUT_S: Final = 12.0
"""Least length of what a wearer does, which is repeated"""
EPOCH: Final = 1.7e9

OF_STREAM_US: Final = 71.0
"""Processor time of har-stream a message without learning, in microseconds (docs/results/load.md,
cnn-lstm, QoS 1)"""
LEARNING_LIMIT: Final = 0.05
"""Most that learning may add to that"""


@dataclass
class _Stage:
    """One recognizer, and the times that it took."""

    activity: str
    recognizer: Recognizer
    motion: list[NDArray[np.float64]]
    """Each ``(n_samples, 6)``: what the wearers do"""
    cpu_us: list[float] = field(default_factory=list)
    """Processor time a message, of each tick"""

    def best_us(self) -> float:
        """Return the processor time a message of the best tenth of the ticks, in microseconds."""
        measured = sorted(self.cpu_us[BEFORE * PHONES // PHONES_A_TICK :])
        return mean(measured[: len(measured) // 10])

    def push(self, number: int) -> None:
        """Push each phone's message of this number, and note the times of the ticks."""
        for begin in range(0, PHONES, PHONES_A_TICK):
            tick = [self._message(phone, number) for phone in range(begin, begin + PHONES_A_TICK)]
            before = time.process_time()
            self.recognizer.push(tick)
            self.cpu_us.append((time.process_time() - before) / PHONES_A_TICK * 1e6)

    def _message(self, phone: int, number: int) -> Delivery:
        # The first messages differ in length, so that windows and looks come in every tick.
        first, last = (n * ROWS + phone % WINDOW_LENGTH if n else 0 for n in (number, number + 1))
        rows = np.arange(first, last)
        samples = self.motion[phone % len(self.motion)]
        device = f"phone-{phone}"
        self.recognizer.admit(device)
        times = EPOCH + rows / SAMPLING_RATE_HZ
        return Delivery([Readings(device, times, samples[rows % len(samples)], "motion")])


class _Model:
    """A model that makes nothing of frames, whether they are learnt for it or not."""

    def __init__(self, classifier: Classifier, gait: Network | None) -> None:
        self._classifier = classifier
        self.gait = gait

    @property
    def identity(self) -> str:
        return self._classifier.identity

    @property
    def activities(self) -> tuple[str, ...]:
        return self._classifier.activities

    @property
    def orientation(self) -> Orientation:
        return self._classifier.orientation

    @property
    def needed_rate_hz(self) -> float:
        return self._classifier.needed_rate_hz

    @property
    def learnt(self) -> Learnt:
        return self._classifier.learnt

    def classify(
        self, windows: NDArray[np.float32], wearer_frames: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        return self._classifier.classify(windows)


def measure(options: Options) -> list[Figure]:
    """Return what a message takes without learning and with it, of who stands and of who walks.

    Raises:
        NotMeasuredError: the model cannot be loaded.
    """
    try:
        classifier = Classifier(find_model(AUTO_FAMILY + ANY))
    except ModelError as error:
        raise NotMeasuredError(str(error)) from error
    figures = []
    for activity in ("STANDING", "WALKING"):
        motion = _motion(options, activity)
        plain, learning = (
            _Stage(activity, Recognizer(_Model(classifier, gait), hop=HOP), motion)
            for gait in (None, shipped_gait())
        )
        for number in range(BEFORE + ROUNDS):
            plain.push(number)
            learning.push(number)
        figures += _figures(plain, learning)
    return figures


def _figures(plain: _Stage, learning: _Stage) -> list[Figure]:
    without_us, with_us = (stage.best_us() for stage in (plain, learning))
    known = [learning.recognizer.knows_upright(f"phone-{phone}") for phone in range(PHONES)]
    what = plain.activity
    more_us = with_us - without_us
    return [
        Figure("wearer_frames", f"{what}, without frames", without_us, "µs", detail="a message"),
        Figure(
            "wearer_frames",
            f"{what}, frames learnt",
            with_us,
            "µs",
            peer="without frames",
            peer_value=without_us,
            detail=f"a message; {known.count(True):,} of {PHONES:,} uprights known",
        ),
        Figure(
            "wearer_frames",
            f"{what}, learning",
            more_us / OF_STREAM_US,
            "of a message",
            limit=LEARNING_LIMIT,
            detail=f"{more_us:.1f} µs more; a message takes har-stream {OF_STREAM_US:g} µs",
        ),
    ]


def _motion(options: Options, activity: str) -> list[NDArray[np.float64]]:
    """Return the recorded bouts of an activity, each ``(n_samples, 6)``; simulated without data."""
    try:
        found = hapt.recordings(options.data, download=False)
    except DataError:
        print("  simulated motion: the raw recordings (HAPT) are not at hand")
        found = simulated.recordings(seconds=2 * BOUT_S, activity=activity)
    return [bout for one in found for bout in _bouts(one, activity)]


def _bouts(recording: Recording, activity: str) -> list[NDArray[np.float64]]:
    bouts = []
    for stretch in recording.stretches:
        does = stretch.labels == recording.activities.index(activity)
        changes = np.flatnonzero(np.diff(does.astype(np.int8), prepend=0, append=0))
        for first, last in changes.reshape(-1, 2):
            if last - first >= BOUT_S * SAMPLING_RATE_HZ:
                bouts.append(stretch.samples[first:last].astype(np.float64))
    return bouts


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what learning the wearers' frames costs")


if __name__ == "__main__":
    main()
