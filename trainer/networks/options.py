"""Options of the networks: views and sizes. Nothing here needs TensorFlow."""

from dataclasses import dataclass
from typing import Literal

from pipeline.vocabulary import WINDOW_LENGTH

View = Literal["coarse", "two-scale"]
"""The form in which a network gets a window (`views`): normalised; or that and the fine-scale
view."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of the three plain models; each takes of them what it has.

    Raises:
        ValueError: the parts do not make a window.
    """

    units: int = 128
    """Of the LSTM"""
    dense_units: int = 64
    """Of the dense layer"""
    filters: int = 64
    kernel_size: int = 3
    """Samples of a filter"""
    dropout: float = 0.5
    """Share of values dropped in training, 0 to 1"""
    n_steps: int = 4
    """Parts of a window"""
    n_length: int = 32
    """Samples of a part"""

    def __post_init__(self) -> None:
        """Check that the parts make a window."""
        n_samples = self.n_steps * self.n_length
        if n_samples != WINDOW_LENGTH:
            raise ValueError(
                f"n_steps x n_length must be the window length, {WINDOW_LENGTH} samples, "
                f"but is {self.n_steps} x {self.n_length} = {n_samples}"
            )
