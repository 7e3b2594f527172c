import numpy as np
import pytest

from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    motion,
    numbered,
    numbers,
    on_grid,
    push_all,
    stretches,
)


def test_a_clock_that_is_set_back() -> None:
    """When for two seconds nothing but the past comes, a grid begins there, with all of it."""
    before, after = on_grid(100), numbered(EPOCH - 3600 + np.arange(200) / 50, first=100)
    parts = [before, *zip(np.split(after[0], 8), np.split(after[1], 8), strict=True)]

    pieces, dropped = push_all(parts)

    assert 0 == dropped
    assert [EPOCH, EPOCH - 3600] == [origin for origin, _ in stretches(pieces)]
    assert [list(range(100)), list(range(100, 300))] == numbers(pieces)


@pytest.mark.parametrize("n_rows", [1, 10, 50, 200])
def test_a_clock_that_is_set_back_by_little(n_rows: int) -> None:
    """However the samples are cut into messages, also where one reaches into what is known."""
    before = on_grid(150)
    times = EPOCH + 150 / 50 - 2.513 + np.arange(200) / 50
    after = numbered(times, first=150)
    parts = [
        (part[0][k : k + n_rows], part[1][k : k + n_rows])
        for part in (before, after)
        for k in range(0, 200, n_rows)
    ]

    pieces, dropped = push_all(parts)

    assert 0 == dropped
    assert [EPOCH, pytest.approx(times[0])] == [origin for origin, _ in stretches(pieces)]
    assert [list(range(150)), list(range(150, 350))] == numbers(pieces)


def test_a_repeated_recording_is_no_clock_set_back() -> None:
    """Messages that all come again, for many seconds, give nothing."""
    parts = [on_grid(25, first=first) for first in range(0, 300, 25)]

    pieces, dropped = push_all(parts + parts)

    assert 300 == dropped
    assert [list(range(300))] == numbers(pieces)


@pytest.mark.parametrize("n_old", [1, 3, 8, 20])
def test_a_backlog_among_live_samples(n_old: int) -> None:
    """However much of a backlog comes between two live messages, live rows come before long."""
    resampler = Resampler(1)
    pieces: list[Piece] = []
    dropped = Dropped()
    live, old = 1e6 + np.arange(50) / 50, np.arange(50) / 50
    for second in range(60):
        for times in [second + live, *(second * n_old + k + old for k in range(n_old))]:
            new, lost = resampler.push(0, [motion(*numbered(times))])
            pieces += new
            dropped += lost
    longest = max(len(rows) for origin, rows in stretches(pieces) if origin >= 1e6)
    assert longest >= 50 * 60 - 50 * 12
    assert dropped.late > 50 * n_old * 45
    assert "late-samples" in resampler.troubles(0)
