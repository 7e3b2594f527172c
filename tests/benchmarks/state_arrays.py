"""The bytes a phone of a recognizer's state, array by array: in a checkpoint, and in memory."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.recognizer import Recognizer
from pipeline.state.checkpoint import encode

_EMPTY: Final = len(encode({"": None}, quick=True)) - 1
"""What a checkpoint of one value takes beside it"""


def in_checkpoint(state: Mapping[str, Any]) -> dict[str, float]:
    """Return how many bytes a phone each part of a state takes in a checkpoint, most first.

    A part is an array, or a value that has none within, named by its path.
    """
    n_phones = max(len(state["devices"]), 1)
    sizes = {
        path: (len(encode({"": part}, quick=True)) - _EMPTY) / n_phones
        for path, part in _parts(state, ())
    }
    return _most_first(sizes)


def in_memory(recognizer: Recognizer, n_slots: int) -> dict[str, float]:
    """Return how many bytes a slot the recognizer's arrays have, most first, named by their paths.

    Where no phone of a model is, its arrays are reserved, but take no memory.
    """
    arrays = {id(array): (path, array) for path, array in _arrays(recognizer, (), n_slots)}
    return _most_first({path: array.nbytes / n_slots for path, array in arrays.values()})


def _most_first(sizes: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _parts(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        within = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        within = dict(enumerate(value)).items()
    else:
        yield "/".join(path), value
        return
    for name, part in within:
        yield from _parts(part, (*path, str(name)))


def _arrays(
    owner: object, path: tuple[str, ...], n_slots: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays over slots of an object and of those that it has, with their paths."""
    for name, value in enumerate(owner) if isinstance(owner, list) else vars(owner).items():
        within = (*path, str(name).removeprefix("_"))
        if isinstance(value, np.ndarray):
            if value.shape[:1] == (n_slots,):
                yield "/".join(within), value
        elif isinstance(value, list) or type(value).__module__.startswith("pipeline.recognition."):
            if isinstance(value, list) or hasattr(value, "__dict__"):
                yield from _arrays(value, within, n_slots)
