import pytest

from trainer.networks.options import Sizes


@pytest.mark.parametrize(
    "parts", [{"n_steps": 5}, {"n_length": 16}, {"n_steps": 3, "n_length": 43}]
)
def test_parts_that_make_no_window(parts: dict[str, int]) -> None:
    """Parts of a window that do not make 128 samples are refused."""
    with pytest.raises(ValueError, match="n_steps x n_length must be the window length, 128"):
        Sizes(**parts)
