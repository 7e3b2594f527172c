"""Learnt numbers as the JSON files hold them that the trainer writes and recognition reads."""

from typing import Any, Self

import msgspec
import numpy as np


class LearntNumbers(msgspec.Struct, frozen=True, eq=False):
    """Numbers and arrays of numbers, which can be written as JSON and read again."""

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
