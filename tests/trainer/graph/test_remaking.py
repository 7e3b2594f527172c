import onnx
import pytest

from pipeline.models.classifier import find_model
from pipeline.vocabulary import SHIPPED_MODELS
from trainer.graph.remaking import remade

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_what_ships_is_what_an_export_makes_now(name: str) -> None:
    """The shipped models are made again to the same bytes: nothing is left to make faster."""
    content = find_model(name).read_bytes()
    assert content == remade(onnx.load_from_string(content)).SerializeToString()
