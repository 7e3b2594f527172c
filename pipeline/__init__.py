"""Live recognition of human activity from phones' motion sensors over MQTT.

The names below are the public Python API: load a model, push readings of many phones, and get
predictions, activities and episodes. Importing the package loads nothing else: each name is
imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipeline.formats import FORMATS
    from pipeline.models.card import ModelCard, ModelError
    from pipeline.models.classifier import Classifier
    from pipeline.readings import Delivery, MessageError, Readings
    from pipeline.recognition.recognizer import Recognizer
    from pipeline.recognition.results import Change, Episode, Prediction, Recognised

__all__ = [
    "FORMATS",
    "Change",
    "Classifier",
    "Delivery",
    "Episode",
    "MessageError",
    "ModelCard",
    "ModelError",
    "Prediction",
    "Readings",
    "Recognised",
    "Recognizer",
    "load_model",
]

_MODULES: Final = {
    "FORMATS": "pipeline.formats",
    "Change": "pipeline.recognition.results",
    "Classifier": "pipeline.models.classifier",
    "Delivery": "pipeline.readings",
    "Episode": "pipeline.recognition.results",
    "MessageError": "pipeline.readings",
    "ModelCard": "pipeline.models.card",
    "ModelError": "pipeline.models.card",
    "Prediction": "pipeline.recognition.results",
    "Readings": "pipeline.readings",
    "Recognised": "pipeline.recognition.results",
    "Recognizer": "pipeline.recognition.recognizer",
}
"""The module of each public name that is imported when it is first used."""


def load_model(name_or_path: str, *, threads: int = 1, batch_size: int = 64) -> "Classifier":
    """Return a shipped model by its name, such as ``cnn-lstm``, or any model by its file's path.

    Args:
        name_or_path: name of a shipped model, or path of an .onnx file made by har-train.
        threads: batches that are classified at the same time.
        batch_size: most windows in one call of the model.

    Raises:
        ModelError: there is no such model, or the file cannot be used.
    """
    from pipeline.models.classifier import Classifier, find_model

    return Classifier(find_model(name_or_path), threads=threads, batch_size=batch_size)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used.

    Raises:
        AttributeError: it is no public name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names beside the module's own."""
    return sorted({*globals(), *__all__})
