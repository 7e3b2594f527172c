"""Arrays as bytes, nothing lost: those of their bytes that are much alike are compressed.

Strategy: the bytes of all numbers are sorted by significance into *planes*. In a large array the
leading ones, signs and exponents, are much alike from number to number and column by column, and
run-length coding with Huffman codes (zlib's) makes a few bits of them; those behind are like noise,
and stay as they are. Samples of each plane show which it is; where little would be saved, the array
stays as it is.

Planes that hardly differ, of zeros or of times at equal distances, are compressed the faster. Where
time counts for more than size they alone are: a disk takes ten times as many bytes of the others in
the time in which they would be compressed.
"""

import zlib
from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SMALL_BYTES: Final = 4096
"""Smaller arrays stay as they are"""
_SMALL_PLANE: Final = 16_384
"""The planes of an array of fewer numbers are one piece"""
_WIDE: Final = 64
"""Columns from which on the numbers of a row are next to each other, not those of a column"""
_SAMPLE_ITEMS: Final = 256
"""Numbers next to each other in one of the samples"""
_N_SAMPLES: Final = 4
_MOST_LEFT: Final = 0.85
"""Share of a piece that compression may leave, by the samples, for it to be worth its time"""
_MOST_LEFT_IF_QUICK: Final = 0.1
"""The same, where time counts for more than size"""
_LEAST_SAVED: Final = 0.15
"""Share of an array that must be saved for its planes to be sorted"""
_RAW: Final = -15  # zlib's window, without header and checksum: a checkpoint has its own
_LEVEL: Final = 1
_MEMORY: Final = 8


def pieces_of(array: NDArray[Any], *, quick: bool = False) -> list[memoryview]:
    """Return an array's bytes: as they are in one piece, or in a piece for all planes or each.

    With ``quick`` time counts for more than size.
    """
    flat = np.ascontiguousarray(array)
    if flat.nbytes >= _SMALL_BYTES:
        flat = flat.reshape(len(flat), -1)
        n_pieces = 1 if flat.size < _SMALL_PLANE else flat.itemsize
        left = _left_of_samples(flat, n_pieces)
        is_worth_it = left <= (_MOST_LEFT_IF_QUICK if quick else _MOST_LEFT)
        if (is_worth_it * (1 - left)).mean() >= _LEAST_SAVED:
            planes = _planes(flat).reshape(n_pieces, -1)
            pieces = [
                _compressed(piece) if compresses else piece.data
                for piece, compresses in zip(planes, is_worth_it.tolist(), strict=True)
            ]
            if len(pieces) > 1 or len(pieces[0]) < flat.nbytes:  # else it seems as it is
                return pieces
    return [flat.reshape(-1).view(np.uint8).data]


def array_of(
    pieces: Sequence[memoryview], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return the array of this type and shape that `pieces_of` was given."""
    n_items = prod(shape)
    n_bytes = n_items * dtype.itemsize
    if len(pieces) == 1 and len(pieces[0]) == n_bytes:
        return np.frombuffer(pieces[0], dtype).reshape(shape)
    length = n_bytes // len(pieces)
    items = np.empty((n_items, dtype.itemsize), np.uint8)
    for i, piece in enumerate(pieces):
        whole = piece if len(piece) == length else zlib.decompress(piece, _RAW, length)
        planes = np.frombuffer(whole, np.uint8).reshape(-1, n_items)
        items[:, i * len(planes) : (i + 1) * len(planes)] = planes.T
    if n_items >= _WIDE * shape[0]:
        return items.view(dtype).reshape(shape)
    by_column = items.view(dtype).reshape(-1, shape[0])
    return np.ascontiguousarray(by_column.T).reshape(shape)


def _planes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of an array ``(n, n_columns)``, ``(itemsize, n_columns * n)``."""
    in_order = array if array.shape[1] >= _WIDE else np.ascontiguousarray(array.T)
    return in_order.view(np.uint8).reshape(-1, array.itemsize).T.copy()


def _left_of_samples(array: NDArray[Any], n_pieces: int) -> NDArray[np.float64]:
    """Return which share of each piece compression leaves, by samples of it."""
    n_rows = max(_SAMPLE_ITEMS // array.shape[1], 1)
    firsts = np.linspace(0, max(len(array) - n_rows, 0), _N_SAMPLES).astype(int)
    planes = _planes(np.concatenate([array[first : first + n_rows] for first in firsts]))
    pieces = planes.reshape(n_pieces, -1)
    return np.array([len(_deflated(piece)) / len(piece) for piece in pieces])


def _compressed(plane: NDArray[np.uint8]) -> memoryview:
    """Return a plane compressed, or as it is if that is not shorter."""
    shorter = memoryview(_deflated(plane))
    return shorter if len(shorter) < len(plane) else plane.data


def _deflated(plane: NDArray[np.uint8]) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_RLE)
    return deflate.compress(plane.data) + deflate.flush()
