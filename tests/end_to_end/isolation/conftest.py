from pathlib import Path

import pytest

from pipeline.models.classifier import Classifier


@pytest.fixture(scope="session")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)
