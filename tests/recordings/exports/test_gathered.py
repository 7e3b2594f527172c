"""A sensor's samples, gathered block by block: which are left out, and where they lie."""

import errno
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.recordings.exports import gathered as gathered_module
from pipeline.recordings.exports.gathered import gathered
from pipeline.recordings.recording import DataError


def test_whole_samples() -> None:
    """Samples that lack a number are left out and counted, the others are in order."""
    table = [
        [3.0, 1, 1, 1],
        [1.0, 2, 2, 2],
        [np.nan, 3, 3, 3],
        [2.0, 4, np.nan, 4],
        [5] + [np.nan] * 3,
    ]
    (times, values), n_partial = gathered("accelerometer", [np.array(table)])
    assert ([1.0, 3.0], [2.0, 1.0], 2) == (times.tolist(), values[:, 0].tolist(), n_partial)


def _table(n_rows: int, n_outside: int, *, shuffled: bool) -> NDArray[np.float64]:
    table = np.column_stack([np.arange(n_rows) // 2, *np.random.default_rng(2).random((3, n_rows))])
    table[:n_outside, 1] = 1e9  # no accelerometer gives that
    table[n_outside : n_outside + 1, 2] = np.nan
    return np.random.default_rng(3).permutation(table) if shuffled else table


@given(
    n_rows=st.integers(1, 60),
    n_outside=st.integers(0, 9),
    shuffled=st.booleans(),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    most_in_memory=st.sampled_from([0, 20, 1 << 20]),
)
def test_blocks(
    n_rows: int, n_outside: int, shuffled: bool, cuts: list[int], most_in_memory: int
) -> None:
    """However a table is cut, and wherever its samples lie, they are the same.

    Values that no sensor gives are left out where they are few, and else are there.
    """
    table = _table(n_rows, min(n_outside, n_rows), shuffled=shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "MOST_IN_MEMORY", most_in_memory)
        (times, values), n_partial = gathered("accelerometer", np.split(table, sorted(cuts)))
    is_outside = table[:, 1] > 1e8
    left_out = np.isnan(table).any(axis=1)
    if is_outside.sum() <= n_rows / 10:
        left_out |= is_outside
    kept = table[~left_out]
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    np.testing.assert_array_equal(kept, np.column_stack([times, values]))
    assert left_out.sum() == n_partial


def test_a_long_recording_lies_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arrays are views of a file, so that they take no memory by themselves."""
    monkeypatch.setattr(gathered_module, "MOST_IN_MEMORY", 100)
    (times, values), _ = gathered("gyroscope", [np.ones((150, 4))] * 2)
    assert (np.memmap, np.memmap) == (type(times), type(values))
    assert ((300,), (300, 3)) == (times.shape, values.shape)


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file cannot be written, the error says where it is to be."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gathered_module, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp-is-full")
    with pytest.raises(DataError, match=r"^/tmp-is-full: No space left on device: .* set TMPDIR"):
        gathered("gyroscope", [np.ones((300, 4))])
