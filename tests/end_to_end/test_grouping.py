import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.formats import FORMATS
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Recognised
from pipeline.state.checkpoint import decode, encode
from tests.fuzz import times

HOP = 32


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


def deliveries(device: str, sent: Sequence[times.Sent]) -> list[Delivery]:
    """Return messages decoded, received a tenth of a second apart."""
    found = []
    for number, one in enumerate(sent):
        readings = [
            reading
            for reading in FORMATS[one.format].decode(one.payload, device)
            if isinstance(reading, Readings)
        ]
        if readings:
            found.append(Delivery(readings, times.EPOCH + number / 10))
    return found


class Results:
    """All that a recognizer makes of some phones' messages."""

    def __init__(self, classifier: Classifier, devices: Sequence[str]) -> None:
        """Begin with a recognizer of their own."""
        self._make = partial(Recognizer, classifier, hop=HOP, max_devices=len(devices))
        self._recognizer = self._make()
        for device in devices:
            self._recognizer.admit(device)
        self.results: Counter[tuple[object, ...]] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failures: list[tuple[str, Exception]] = []

    def push(self, tick: Sequence[Delivery]) -> None:
        """Take a tick's messages."""
        self._note(self._recognizer.push(tick))

    def restart(self) -> None:
        """Go on from a checkpoint in a new recognizer."""
        state = decode(encode(self._recognizer.state()))
        self._recognizer = self._make()
        self._recognizer.restore(state)

    def finish(self, devices: Sequence[str]) -> dict[str, object]:
        """End all phones and return what is known of them."""
        self._note(self._recognizer.finish(devices))
        return {
            "counts": dict(self._recognizer.counts),
            "rates": {device: self._recognizer.rates_hz(device) for device in devices},
            "lacks": {device: self._recognizer.lacks(device) for device in devices},
            "problems": {device: self._recognizer.problems(device) for device in devices},
        }

    def _note(self, recognised: Recognised) -> None:
        for one in recognised.predictions:
            self.results[one.device, one.start, one.end, one.label, one.settling] += 1
        for device, change in recognised.changes:
            self.results[device, "now", change.activity, change.since] += 1
        for device, episode in recognised.episodes:
            self.results[device, "episode", episode.activity, episode.start, episode.end] += 1
        for device, lost in recognised.dropped.items():
            self.dropped.update(
                {
                    f"{device} repeated": lost.repeated,
                    f"{device} late": lost.late,
                    f"{device} unused": lost.unused,
                }
            )
        self.failures += recognised.failures


def dealt(rng: random.Random, waiting: dict[str, list[Delivery]]) -> list[Delivery]:
    """Return all messages in one order, each phone's in its own."""
    order = [device for device, of_phone in waiting.items() for _ in of_phone]
    rng.shuffle(order)
    queues = {device: iter(of_phone) for device, of_phone in waiting.items()}
    return [next(queues[device]) for device in order]


@example(seeds=list(range(100, 103)), grouping=0)
@given(seeds=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=3), grouping=st.integers(0, 99))
@settings(max_examples=25)
def test_grouping_does_not_matter(classifier: Classifier, seeds: list[int], grouping: int) -> None:
    """The same messages give the same results, one by one, all at once, or in random ticks.

    Between the ticks the program ends now and then, and goes on from a checkpoint.

    Phones of all apps at 0.5 to 200 Hz, with clocks set back, sensors apart, changing recordings,
    messages of one row, repeated and overtaken ones: nothing of it fails, and all that is dropped
    is counted alike.
    """
    devices = [f"phone-{number}" for number in range(len(seeds))]
    rng = random.Random(grouping)
    order = dealt(
        rng,
        {
            device: deliveries(device, times.messages(seed, seconds=12)[1])
            for device, seed in zip(devices, seeds, strict=True)
        },
    )
    one_by_one, in_ticks, at_once = (Results(classifier, devices) for _ in range(3))
    for delivery in order:
        one_by_one.push([delivery])
    at = 0
    while at < len(order):
        n = rng.choice([1, 2, 5, 40])
        in_ticks.push(order[at : at + n])
        at += n
        if rng.random() < 0.02:
            in_ticks.restart()
    at_once.push(order)
    known = one_by_one.finish(devices)

    for other in (in_ticks, at_once):
        assert known == other.finish(devices)
        assert one_by_one.results == other.results
        assert one_by_one.dropped == other.dropped
        assert [] == other.failures
