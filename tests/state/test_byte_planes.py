from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.state.byte_planes import array_of, pieces_of

TYPES = [np.float64, np.float32, np.int64, np.int32, np.int8, np.uint16, np.bool_]


def returned(array: NDArray[Any], *, quick: bool) -> NDArray[Any]:
    """Return an array as it comes back from its pieces."""
    pieces = [memoryview(bytes(piece)) for piece in pieces_of(array, quick=quick)]
    return array_of(pieces, array.dtype, array.shape)


@given(
    dtype=st.sampled_from(TYPES),
    shape=st.lists(st.sampled_from([0, 1, 2, 9, 100, 400, 3000]), min_size=0, max_size=3),
    alike=st.integers(0, 8),
    seed=st.integers(0, 100),
    quick=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_each_array_comes_back(
    dtype: type, shape: list[int], alike: int, seed: int, *, quick: bool
) -> None:
    """An array of any shape, type and likeness comes back with its bits, also from a view."""
    while np.prod(shape) > 300_000:
        shape.pop()
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    bits[..., -alike or bits.shape[-1] :] = 65  # the leading bytes of the numbers
    array = (bits % 2 if dtype is np.bool_ else bits).view(dtype)[..., 0]
    for view in (array, array.T):
        again = returned(view, quick=quick)
        assert (view.dtype, view.shape) == (again.dtype, again.shape)
        assert view.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("array", "share", "quick_share"),
    [
        (np.zeros((1000, 9)), 0.01, 0.01),
        (np.tile(np.eye(3), (1000, 1, 1)), 0.01, 0.01),
        (np.full((1000, 256), 2097152, np.int32), 0.01, 0.01),
        (np.random.default_rng(0).normal(size=(10_000, 9)).astype(np.float32), 0.85, 1.0),
        (np.random.default_rng(0).integers(0, 2**62, (1000, 9)), 1.0, 1.0),
        (np.zeros(10), 1.0, 1.0),  # too small to be worth a thing
    ],
)
def test_what_is_alike_takes_little(array: NDArray[Any], share: float, quick_share: float) -> None:
    """Constants take hardly anything, signs and exponents less, unless it is to be quick.

    Noise takes what it is.
    """
    for quick, most in ((False, share), (True, quick_share)):
        n_bytes = sum(len(piece) for piece in pieces_of(array, quick=quick))
        assert n_bytes <= most * array.nbytes
