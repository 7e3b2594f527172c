import pytest

from pipeline.recordings.uci_har import DataSet
from trainer.networks.options import Sizes
from trainer.networks.plain import plain_lstm
from trainer.training.fitted import count_parameters

pytestmark = pytest.mark.train


def test_parameters_are_counted(mini_data: DataSet, small: Sizes) -> None:
    """The count is that of the trained weights: the LSTM's gates and two dense layers."""
    units, dense_units = small.units, small.dense_units
    gates = 4 * (9 + units + 1) * units
    expected = gates + (units + 1) * dense_units + (dense_units + 1) * 6
    assert expected == count_parameters(plain_lstm(mini_data.train.windows, 6, small))
