"""The models that ship."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recordings import simulated, uci_har
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.vocabulary import ACTIVITIES, ANY, SAMPLING_RATE_HZ, SHIPPED_MODELS, WINDOW_LENGTH

EPOCH = 1.7e9


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_cards(name: str) -> None:
    """Each shipped model's card tells its name, its data, its seed and that it is not for sale."""
    card = Classifier(find_model(name)).card

    known = PLACEMENT_ACTIVITIES if name.endswith(ANY) else ACTIVITIES
    assert (name, known, 1) == (card.name, card.activities, card.seed)
    assert uci_har.PUBLISHED_HASH == card.training_data_hash.partition("+")[0]
    assert name.endswith(ANY) == any("PDIoT" in one.name for one in card.data_sets)
    assert "prohibits commercial use" in card.licence
    assert "test split evaluated once" in card.selection


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_accuracy_is_that_of_the_card(name: str, data_dir: Path) -> None:
    """Each shipped model reaches the accuracy that its card tells, on the whole test split."""
    classifier = Classifier(find_model(name))
    test = uci_har.load(data_dir).test

    labels = classifier.classify(test.windows).argmax(axis=1)

    # Another processor may round a tie the other way.
    accuracy = float(np.mean(labels == test.labels))
    assert pytest.approx(classifier.card.test_accuracy, abs=1e-3) == accuracy


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_simulated_activities_are_recognised(name: str) -> None:
    """Each shipped model puts most windows of at least five simulated activities right."""
    recognizer = Recognizer(Classifier(find_model(name)), hop=64)
    right = np.zeros(len(ACTIVITIES))
    windows = np.zeros(len(ACTIVITIES))
    for recording in simulated.recordings():
        [stretch] = recording.stretches
        times = EPOCH + np.arange(len(stretch.samples)) / SAMPLING_RATE_HZ
        recognizer.admit(recording.device)
        recognised = recognizer.push(
            [Delivery([Readings(recording.device, times, stretch.samples)])]
        )
        for prediction in recognised.predictions:
            first = round((prediction.start - EPOCH) * SAMPLING_RATE_HZ)
            labels = set(stretch.labels[first : first + WINDOW_LENGTH].tolist())
            if len(labels) == 1 and -1 not in labels:
                [label] = labels
                windows[label] += 1
                right[label] += prediction.label == label

    assert np.all(windows > 0)
    assert np.count_nonzero(right / windows > 0.5) >= 5
