"""What messages must lead to.

The measure is a recognizer that is given the same messages here, one by one: it knows no trouble.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.formats import native
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Prediction, Recognised
from tests.end_to_end.durability.messages import Sent

HOP: Final = 64
Key = tuple[str, float]
"""Device and start of a window"""


@dataclass(frozen=True)
class Expected:
    """What messages lead to without trouble."""

    predictions: dict[Key, dict[str, Any]]
    """What is published of each window"""
    n_gaps: int


def expected_of(messages: Iterable[Sent], classifiers: Sequence[Classifier]) -> Expected:
    """Return what these messages, in this order, lead to.

    The classifiers are one for all phones, or one for phones that state that they are worn at the
    waist and one for the others.
    """
    [classifier, *elsewhere] = classifiers
    recognizer = Recognizer(classifier, model_elsewhere=next(iter(elsewhere), None), hop=HOP)
    predictions: list[Prediction] = []

    def note(recognised: Recognised) -> None:
        predictions.extend(recognised.predictions)
        assert not recognised.dropped

    for message in messages:
        recognizer.admit(message.device)
        readings = native.decode(message.payload, message.device)
        at_waist = readings[0].worn_at == "waist"
        recognizer.place(message.device, 1.0, FRAMES["landscape"], at_waist=at_waist)
        note(recognizer.push([Delivery(readings)]))
    assert not recognizer.finish(recognizer.devices).predictions, "some would come at the end only"
    published = [published_for(prediction) for prediction in predictions]
    by_key = {(one["device"], one["start"]): one for one in published}
    assert len(by_key) == len(published)
    return Expected(by_key, recognizer.counts["gaps"])


def published_for(prediction: Prediction) -> dict[str, Any]:
    """Return what the contract says is published for a prediction."""
    probabilities = [round(float(p), 7) for p in prediction.probabilities]
    published = {
        "device": prediction.device,
        "start": round(prediction.start, 6),
        "end": round(prediction.end, 6),
        "activity": prediction.activity,
        "probability": probabilities[prediction.label],
        "probabilities": dict(zip(prediction.activities, probabilities, strict=True)),
        "model": prediction.model,
    }
    return published | ({"settling": True} if prediction.settling else {})
