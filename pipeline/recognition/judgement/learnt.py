"""The numbers that the decisions need beside the classifier, learnt from labelled raw recordings.

`trainer.decisions` learns them; the files that ship are in `pipeline.models`. They do not depend on
the classifier, so they serve any model of the same activities.
"""

from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.network import Network


class Learnt(msgspec.Struct, frozen=True, eq=False):
    """The learnt numbers, as their JSON file holds them."""

    motion: Network
    """Gives log probabilities of `MOTIONS` from `motion_features`"""
    motion_shares: NDArray[np.float64]
    """``(n_motions,)``: how often each occurred in the recordings"""
    tilt: NDArray[np.float64]
    """``(n_features,)``: weights of `tilt_features`; the sum, a person's tilt, is higher sitting"""
    boundary: float
    """Mean over people of the tilt halfway between their sitting and their standing"""
    boundary_sd: float
    """Its standard deviation over people"""
    half_gap: float
    """Half the difference between sitting and standing"""
    tilt_sd: float
    """Standard deviation of a window's tilt about that, within people"""
    rates: NDArray[np.float64]
    """``(n, n)`` changes a second, from row to column, among `ACTIVITIES` and then
    `CHANGES_TOWARDS`; zeros on the diagonal"""
    novelty: Network
    """Gives the score of `novelty` from `novelty_features`"""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the numbers in JSON that `encode` wrote.

        Raises:
            msgspec.DecodeError: the bytes are something else.
        """
        return msgspec.json.decode(data, type=cls, dec_hook=lambda _, value: np.array(value, float))

    def encode(self) -> bytes:
        """Return the numbers as JSON, with five digits."""
        return msgspec.json.encode(self, enc_hook=_as_list)


def _as_list(array: object) -> list[Any]:
    """Return an array as JSON has it, with five digits."""
    if not isinstance(array, np.ndarray):
        raise NotImplementedError
    rounded: list[Any] = np.vectorize(lambda value: float(f"{value:.5g}"))(array).tolist()
    return rounded
