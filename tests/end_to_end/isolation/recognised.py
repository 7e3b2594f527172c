"""What is recognised of phones, each one with a name of its own."""

import json
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Recognised
from pipeline.subscriptions import parse, route
from pipeline.vocabulary import ACTIVITIES, CHANNELS

EPOCH = 1698501144.4
HOP = 64
NATIVE = [parse("har/+/samples=native")]


def moving(n_samples: int, seed: int) -> NDArray[np.float64]:
    """Return prepared samples ``(n_samples, 9)`` that no other seed gives."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, 9)) * 0.3 + rng.normal(size=9) * 0.3


def message(device: str, rows: NDArray[np.float64], *, start: float) -> tuple[str, bytes]:
    """Return topic and payload of a message of a phone's rows at 50 Hz."""
    content = {"start": start, "rate": 50.0, "channels": CHANNELS, "samples": rows.tolist()}
    return f"har/{device}/samples", json.dumps(content).encode()


class Results:
    """What was recognised of each phone."""

    def __init__(self, classifier: Classifier) -> None:
        """Begin with a recognizer of few slots, so that phones follow each other in them."""
        self._recognizer = Recognizer(classifier, hop=HOP, max_devices=4)
        self.of: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
        """Each phone's results, by kind"""
        self.probabilities: defaultdict[str, list[NDArray[np.float32]]] = defaultdict(list)
        """Those of each phone's predictions, which company may change in the last digit"""

    def push(self, *messages: tuple[str, bytes]) -> None:
        """Take a tick's messages."""
        tick: list[Readings] = []
        for topic, payload in messages:
            found = route(NATIVE, topic)
            assert found is not None
            tick += [one for one in found.decode(payload) if isinstance(one, Readings)]
        for one in tick:
            self._recognizer.admit(one.device)
        self._note(self._recognizer.push([Delivery([one]) for one in tick]))

    def forget(self, device: str) -> None:
        """Let a phone fall silent for long, if it has sent anything."""
        if device in self._recognizer.devices:
            self._note(self._recognizer.finish([device]))
            self._recognizer.forget([device])

    def _note(self, recognised: Recognised) -> None:
        for one in recognised.predictions:
            activity = ACTIVITIES[one.label]
            self.of[one.device].append(("prediction", activity, one.start, one.end))
            self.probabilities[one.device].append(one.probabilities)
        for device, change in recognised.changes:
            self.of[device].append(("activity", change.activity, change.since))
        for device, episode in recognised.episodes:
            self.of[device].append(("episode", episode.activity, episode.start, episode.end))
        for device, problems in recognised.problems:
            self.of[device].append(("problems", *problems))
        for device, n_dropped in recognised.dropped.items():
            self.of[device].append(("dropped", n_dropped))
