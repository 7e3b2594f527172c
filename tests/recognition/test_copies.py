import numpy as np
from numpy.testing import assert_array_equal

from pipeline.recognition.copies import Copies

PLACES = np.array([2, 0, 4])


def test_a_copy_stays_as_it_is_while_somebody_has_it() -> None:
    """Also if he has but a part of it, or its bytes; the next copy is elsewhere then."""
    copies, array = Copies(), np.arange(10.0).reshape(5, 2)
    expected = array[PLACES]
    whole = copies.taken("a", array, PLACES)
    part = copies.taken("a", array, PLACES)[1:, 0]
    data = copies.taken("a", array, PLACES).data
    array[:] = 0
    for _ in range(3):
        assert_array_equal(np.zeros((3, 2)), copies.taken("a", array, PLACES))
    assert_array_equal(expected, whole)
    assert_array_equal(expected[1:, 0], part)
    assert_array_equal(expected, np.asarray(data))


def test_memory_is_used_again() -> None:
    """Once nobody has the copy, also by a smaller or a larger one; not by another's."""
    copies, array = Copies(), np.arange(1000.0)
    addresses = [
        copies.taken("a", array, np.arange(n)).ctypes.data for n in (80, 800, 10, 1000, 800)
    ]
    assert 1 == len(set(addresses))
    kept = copies.taken("a", array, np.arange(800))
    assert not np.shares_memory(kept, copies.taken("b", array, np.arange(800)))


def test_shapes_and_types() -> None:
    """Rows of any shape and type, as many as places; none, too."""
    for array in (np.arange(6, dtype=np.int8), np.ones((5, 2, 3), np.float32)):
        for places in (np.array([], np.intp), np.array([1]), np.array([3, 3, 0])):
            copy = Copies().taken("a", array, places)
            assert array.dtype == copy.dtype
            assert_array_equal(array[places], copy)
