from pathlib import Path

import pytest

from pipeline.models.classifier import Classifier, find_model


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    """The shipped model that is the default."""
    return Classifier(find_model("cnn-lstm"))
