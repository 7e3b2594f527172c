from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.models.classifier import Classifier, find_model
from pipeline.vocabulary import ACTIVITIES


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


@pytest.fixture(scope="module")
def elsewhere(
    make_model: Callable[..., Path],
    make_card: Callable[..., dict[str, object]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Classifier:
    """Another tiny model, for phones worn any way round, which knows one more activity."""
    activities = (*ACTIVITIES, "RUNNING")
    card = make_card(name="tiny-any", activities=activities, orientation="any")
    path = tmp_path_factory.mktemp("model") / "tiny-any.onnx"
    return Classifier(make_model(path, card=card, n_activities=len(activities)))


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    """The shipped model that is the default."""
    return Classifier(find_model("cnn-lstm"))
