"""Pieces of a phone's grid: the rows that one message completes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.preparation.troubles import Trouble


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive grid rows of one phone."""

    slot: int
    origin: float | None
    """Time of the first row in epoch seconds if a new grid begins here, else None"""
    rows: NDArray[np.float64]
    """``(n_rows, n_columns)``: raw (6) or prepared (9)"""
    troubles: frozenset[Trouble] = frozenset()
    """Those of `DOUBTFUL` that were in force"""
    begins_recording: bool = False
    """Whether it is the first of another recording"""
    earlier_s: float = 0.0
    """By how much all that follows is earlier than it seemed; such a piece has no rows"""


def joined_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """Return one phone's pieces with those joined that only came one after the other."""
    if len(pieces) < 2:
        return list(pieces)
    joined: list[list[Piece]] = []
    for piece in pieces:
        if joined and piece.origin is None and piece.troubles == joined[-1][0].troubles:
            joined[-1].append(piece)
        else:
            joined.append([piece])
    return [
        Piece(
            first.slot,
            first.origin,
            np.concatenate([first.rows, *(piece.rows for piece in rest)]) if rest else first.rows,
            first.troubles,
        )
        for first, *rest in joined
    ]
