import pickle
from pathlib import Path

import pytest

from pipeline.commands.spark.serving import OtherModelError, Serving, load_models
from pipeline.commands.spark.settings import SparkSettings
from pipeline.recognition.placement.by_device import PlacementError

pytestmark = pytest.mark.usefixtures("own_settings")


def serving(model: Path, **settings: object) -> Serving:
    """Return how phones are served with a model, as a driver has it."""
    given = SparkSettings(
        kafka="kafka:9092", checkpoint_location="here", model=str(model), **settings
    )
    return Serving.of(given, load_models(str(model), batch_size=1, threads=1))


def test_it_travels_to_executors(tiny_model: Path) -> None:
    """An executor gets what the driver has, finds it equal, and can keep it by its value."""
    sent = serving(tiny_model, frame=["portrait"], convention=["phone-7=ios"])
    received = pickle.loads(pickle.dumps(sent))
    assert (sent, hash(sent)) == (received, hash(received))
    assert received.models == tuple(model.identity for model in received.load())


def test_an_executor_with_another_model_stops(tiny_model: Path, glass_model: Path) -> None:
    """A model is known by its hash: the same path with another one is refused."""
    sent = serving(tiny_model)
    other = Serving.of(
        SparkSettings(kafka="kafka:9092", checkpoint_location="here", model=str(tiny_model)),
        load_models(str(glass_model), batch_size=1, threads=1),
    )
    assert sent.models != other.models
    with pytest.raises(OtherModelError, match="install the same har-stream everywhere"):
        other.load()


def test_wrong_settings_are_told_by_the_driver(tiny_model: Path) -> None:
    """A setting that no executor could use raises where the step is made."""
    wrong = serving(tiny_model, frame=["sideways"])
    with pytest.raises(PlacementError, match="sideways"):
        wrong.step(wrong.load())
