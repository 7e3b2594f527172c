import json
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.formats import native
from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import hapt, simulated
from tests.benchmarks import plain_consumer, quick_consumer

ROWS: Final = 25
START: Final = 1_700_000_000.0
LONGEST: Final = 9_000
"""Samples, three minutes"""


def test_its_predictions_are_those_of_har_stream() -> None:
    """Simulated motion: the same windows, the same activities and probabilities."""
    (recording,) = simulated.recordings(1, seconds=60.0)
    _compare(recording.stretches[0].samples)


def test_its_predictions_on_a_real_recording_are_those_of_har_stream(data_dir: Path) -> None:
    """A raw recording: the same windows, the same activities and probabilities."""
    (recording,) = hapt.recordings(data_dir, [1], download=False)
    _compare(recording.stretches[0].samples[:LONGEST])


def test_the_quick_wins_change_no_prediction() -> None:
    """Two phones' messages in ticks of many: the same windows and activities as one by one."""
    model = find_model("cnn-lstm")
    samples = [one.stretches[0].samples for one in simulated.recordings(2, seconds=20.0)]
    messages = [
        (f"phone-{phone}", _payload(samples[phone][first : first + ROWS], START + first / 50))
        for first in range(0, len(samples[0]), ROWS)
        for phone in range(2)
    ]
    plain, quick = plain_consumer.Consumer(model), plain_consumer.Consumer(model)
    expected = [one for message in messages for one in plain.predictions(*message)]
    found = []
    for first in range(0, len(messages), 15):
        found += quick_consumer.predictions(quick, messages[first : first + 15])
    assert len(expected) == len(found) > 20
    for one, other in zip(expected, found, strict=True):
        assert {"device", "start", "end", "activity"} <= one.keys()
        assert pytest.approx(one.pop("probabilities"), abs=1e-5) == other.pop("probabilities")
        assert pytest.approx(one.pop("probability"), abs=1e-5) == other.pop("probability")
        assert one == other


def _compare(samples: NDArray[np.floating]) -> None:
    model = find_model("cnn-lstm")
    plain = plain_consumer.Consumer(model)
    classifier = Classifier(model)
    recognizer = Recognizer(classifier, hop=plain_consumer.HOP, max_devices=1)
    recognizer.admit("phone")
    found, expected = [], []
    for first in range(0, len(samples), ROWS):
        payload = _payload(samples[first : first + ROWS], START + first / 50)
        found += plain.predictions("phone", payload)
        readings = [one for one in native.decode(payload, "phone") if isinstance(one, Readings)]
        expected += recognizer.push([Delivery(readings)]).predictions
    assert len(found) == len(expected) > len(samples) // 64 - 4
    for one, other in zip(found, expected, strict=True):
        assert one["device"] == other.device
        assert pytest.approx(other.start, abs=1e-6) == one["start"]
        assert pytest.approx(other.end, abs=1e-6) == one["end"]
        assert one["activity"] == classifier.activities[other.label]
        assert list(one["probabilities"]) == list(classifier.activities)
        assert pytest.approx(other.probabilities.tolist(), abs=1e-4) == list(
            one["probabilities"].values()
        )
        assert one["probability"] == max(one["probabilities"].values())
        assert one["model"] == classifier.card.identity


def _payload(rows: NDArray[np.floating], start: float) -> bytes:
    message = {
        "v": 1,
        "start": start,
        "rate": 50.0,
        "acc": rows[:, :3].tolist(),
        "acc_unit": "m/s2",
        "gyro": rows[:, 3:].tolist(),
        "gyro_unit": "rad/s",
    }
    return json.dumps(message).encode()
