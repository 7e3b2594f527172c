import pytest

from pipeline.models.classifier import find_model
from tests.benchmarks.flops import flops_per_window

pytestmark = pytest.mark.train


def test_operations_of_a_window() -> None:
    """They are those of the products: of both directions of the LSTM, and of the last layer."""
    per_step = 2 * 2 * 4 * 64 * (60 + 64)  # two a multiply-add, directions, gates, units
    assert 32 * per_step + 2 * 256 * 6 == flops_per_window(find_model("lstm"))


def test_weights_that_nodes_make_count() -> None:
    """The matrices of a ConvLSTM are made when the file is loaded; its products are counted."""
    products = 8 * 2 * 4 * 4 * 48 * (4 * 64 + 4 * 48)  # steps, multiply-add, gates, places, units
    convolutions = 2 * 64 * 32 * 15 * 7 + 2 * 32 * 64 * 32 * 5
    assert products + convolutions + 2 * 96 * 6 == flops_per_window(find_model("conv-lstm"))
