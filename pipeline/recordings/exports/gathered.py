"""The samples of one sensor, gathered from its table block by block.

Strategy: only samples are kept of which every number is there. Those of a long recording, which
would take 0.3 GB a sensor for a day at 100 Hz, lie in temporary files that have no name, and their
arrays are views of these: what nobody looks at takes no memory.

Rules: samples come in the order of their times. In the rare table that is not in that order, or has
values that no sensor gives, they are in memory as a whole, as everything has to be moved.
"""

import mmap
import tempfile
import weakref
from array import array
from collections.abc import Iterable
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import Sensor, largest_value
from pipeline.recordings.exports.tables import MOST_DAMAGED
from pipeline.recordings.recording import DataError

MOST_IN_MEMORY: Final = 1 << 20
"""Samples of a sensor: three hours at 100 Hz, 32 MiB"""

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` in seconds, ascending, and values ``(n, 3)`` in m/s² or rad/s."""


class Gathered:
    """The samples of one sensor so far."""

    def __init__(self, sensor: Sensor) -> None:
        """Begin with none."""
        self._largest = largest_value(sensor)
        self._times, self._values = _Column(), _Column()
        self._n_rows = self._n_outside = 0
        self._n_partial = self._n_partial_within = 0
        self._is_ascending = True
        self._last = -np.inf

    def add(self, table: NDArray[np.float64]) -> None:
        """Take rows ``(n, 4)`` of times and x, y, z, in which NaN and infinity are no numbers.

        Raises:
            DataError: there is no room for them.
        """
        known = np.isfinite(table)
        within = np.abs(table[:, 1:]) <= self._largest
        complete = known.all(axis=1)
        fit = complete & within.all(axis=1)
        self._n_rows += len(table)
        self._n_outside += int((known[:, 1:] & ~within).any(axis=1).sum())
        self._n_partial += int((known[:, 1:].any(axis=1) & ~complete).sum())
        self._n_partial_within += int(((known[:, 1:] & within).any(axis=1) & ~fit).sum())
        kept = table[complete]
        if len(kept):
            times = kept[:, 0]
            self._is_ascending &= bool(self._last <= times[0] and (np.diff(times) >= 0).all())
            self._last = times[-1]
            self._times.add(times)
            self._values.add(kept[:, 1:])

    def samples(self) -> tuple[Samples, int]:
        """Return all samples, and how many rows have some numbers of a sample, but not all.

        In a few rows, what no such sensor gives is no number. Nothing more can be added.

        Raises:
            DataError: there is no room for them.
        """
        times, values = self._times.read(), self._values.read().reshape(-1, 3)
        leaves_out = 0 < self._n_outside <= MOST_DAMAGED * self._n_rows
        if leaves_out:
            within = (np.abs(values) <= self._largest).all(axis=1)
            times, values = times[within], values[within]
        if not self._is_ascending:
            order = np.argsort(times, kind="stable")
            times, values = times[order], values[order]
        is_counted_within = self._n_outside <= MOST_DAMAGED * self._n_rows
        return (times, values), self._n_partial_within if is_counted_within else self._n_partial


class _Column:
    """Numbers one after another: in memory, or if they are many in a temporary file."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._file: IO[bytes] | None = None
        self._n = 0

    def add(self, numbers: NDArray[np.float64]) -> None:
        self._n += numbers.size
        self._numbers.frombytes(numbers.tobytes())
        if len(self._numbers) > MOST_IN_MEMORY:
            self._put_by()

    def read(self) -> NDArray[np.float64]:
        if self._file is None:
            return np.frombuffer(self._numbers) if self._n else np.empty(0)
        self._put_by()
        try:
            return np.memmap(self._file, np.float64, "r", shape=(self._n,))
        except OSError as error:
            raise _no_room(error) from error

    def _put_by(self) -> None:
        """Move what is in memory behind what is in the file.

        Raises:
            DataError: it cannot be written.
        """
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()
                weakref.finalize(self, self._file.close)  # what is mapped stays
            self._file.write(self._numbers)
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error
        self._numbers = array("d")


def gathered(sensor: Sensor, blocks: Iterable[NDArray[np.float64]]) -> tuple[Samples, int]:
    """Return the samples in blocks of a table, each ``(n, 4)``, as `Gathered.samples` does.

    Raises:
        DataError: there is no room for them.
    """
    samples = Gathered(sensor)
    for block in blocks:
        samples.add(block)
    return samples.samples()


def taken_out(samples: NDArray[np.float64], rows: slice) -> NDArray[np.float64]:
    """Return rows of a sensor's times or values by themselves.

    If they are in a file, no part of it is in memory any longer.
    """
    taken = np.array(samples[rows])
    mapped = samples
    while isinstance(mapped.base, np.ndarray):
        mapped = mapped.base
    if isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.base.madvise(mmap.MADV_DONTNEED)
    return taken


def _no_room(error: OSError) -> DataError:
    place = tempfile.tempdir or "temporary files"
    return DataError(
        f"{place}: {error.strerror}: the samples of long recordings are kept there while they are "
        "used: set TMPDIR to a folder with room"
    )
