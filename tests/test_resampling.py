from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.resampling import Piece, Resampler

EPOCH = 1698501144.4
"""Epoch seconds of the first sample: large, and not a whole number."""

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` and rows ``(n, 2)``"""


def numbered(times: Sequence[float] | NDArray[np.float64], *, first: int = 0) -> Samples:
    """Return samples that hold their own number, so that a loss or a repetition shows."""
    numbers = np.arange(first, first + len(times), dtype=np.float64)
    return np.asarray(times, np.float64), np.stack([numbers, -numbers], axis=1)


def on_grid(n_samples: int, *, first: int = 0) -> Samples:
    """Return numbered samples at 50 Hz from `EPOCH` on."""
    return numbered(EPOCH + np.arange(first, first + n_samples) / 50, first=first)


def push_all(parts: Sequence[Samples]) -> tuple[list[Piece], int]:
    """Return all pieces of one phone's messages, and how many samples were dropped."""
    resampler = Resampler(1, 2)
    pieces, dropped = [], 0
    for times, rows in parts:
        if len(times):
            new, n_dropped = resampler.push(0, times, rows)
            pieces += new
            dropped += n_dropped
    return pieces, dropped


def stretches(pieces: Sequence[Piece]) -> list[tuple[float, NDArray[np.float64]]]:
    """Return the grids: time of the first row, and all rows."""
    grids: list[tuple[float, list[NDArray[np.float64]]]] = []
    for piece in pieces:
        if piece.origin is not None:
            grids.append((piece.origin, []))
        grids[-1][1].append(piece.rows)
    return [(origin, np.concatenate(rows)) for origin, rows in grids]


def numbers(pieces: Sequence[Piece]) -> list[list[float]]:
    """Return the sample numbers of each grid's rows."""
    return [rows[:, 0].tolist() for _, rows in stretches(pieces)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 25, 100])
def test_samples_on_the_grid_pass_untouched(size: int) -> None:
    """Samples at 50 Hz come out bit for bit, none lost, none twice, at the time of the first."""
    times, rows = on_grid(100)
    rows *= np.pi
    cuts = range(size, 100, size)

    pieces, dropped = push_all(list(zip(np.split(times, cuts), np.split(rows, cuts), strict=True)))

    [(origin, gridded)] = stretches(pieces)
    assert dropped == 0
    assert origin == times[0]
    assert rows.tobytes() == gridded.tobytes()


def test_starts_rounded_to_milliseconds() -> None:
    """Messages whose start is rounded to whole milliseconds are on the grid none the less."""
    parts = []
    for first in range(0, 100, 7):  # 0.14 s: after some messages the rounding goes either way
        times = round(EPOCH + 0.0004 + first / 50, 3) + np.arange(7) / 50
        parts.append(numbered(times, first=first))

    pieces, dropped = push_all(parts)

    assert dropped == 0
    assert [list(range(105))] == numbers(pieces)


def test_a_repeated_message_is_dropped() -> None:
    """A message that arrives again, at once or later, gives nothing and harms nothing."""
    a, b, c = on_grid(25), on_grid(25, first=25), on_grid(25, first=50)

    pieces, dropped = push_all([a, a, b, a, b, c, c])

    assert dropped == 100
    assert [list(range(75))] == numbers(pieces)


def test_overlapping_messages() -> None:
    """Of a message that overlaps what has come already only the new samples count."""
    pieces, dropped = push_all([on_grid(30), on_grid(30, first=20), on_grid(30, first=45)])

    assert dropped == 15
    assert [list(range(75))] == numbers(pieces)


def test_repeats_within_a_message() -> None:
    """Samples of equal times within a message count once; of a disordered message, all."""
    times = EPOCH + np.array([0, 1, 1, 3, 2, 2, 4]) / 50

    pieces, dropped = push_all([(times, np.array([[n, 0.0] for n in (0, 1, 9, 3, 2, 9, 4)]))])

    assert dropped == 2
    assert [[0, 1, 2, 3, 4]] == numbers(pieces)


def test_a_sample_that_comes_late_is_dropped() -> None:
    """What is older than the newest sample is dropped, even where the grid awaits it."""
    parts = [
        numbered([EPOCH, EPOCH + 0.0206]),  # the grid's point at 0.02 s awaits a sample more
        numbered(EPOCH + np.array([1, 2, 3]) / 50, first=2),  # its first is late
        on_grid(5, first=4),
    ]

    pieces, dropped = push_all(parts)

    assert dropped == 1
    [(_, rows)] = stretches(pieces)
    assert rows[0, 0] == 0
    assert rows[1, 0] == pytest.approx(0.97, abs=0.05)  # between samples 0 and 1
    assert [3, 4, 4, 5, 6, 7, 8] == rows[2:, 0].tolist()


def test_a_long_pause_begins_a_new_grid() -> None:
    """After more than half a second without a sample a new grid begins, at the next sample."""
    late = EPOCH + 49 / 50 + 0.501
    parts = [on_grid(50), numbered(late + np.arange(50) / 50, first=50)]

    pieces, dropped = push_all(parts)

    assert dropped == 0
    assert [EPOCH, late] == [origin for origin, _ in stretches(pieces)]
    assert [list(range(50)), list(range(50, 100))] == numbers(pieces)


@pytest.mark.parametrize("epoch", [0.0, 1000.0, EPOCH, EPOCH + 0.1, 1.7e9 + 1 / 3])
def test_half_a_second_is_no_gap(epoch: float) -> None:
    """A pause of half a second, to the precision of epoch seconds, is bridged."""
    times = np.concatenate([np.arange(10) / 50, 0.18 + 0.5 + np.arange(10) / 50])

    pieces, _ = push_all([numbered(epoch + times)])

    [(origin, rows)] = stretches(pieces)
    assert origin == epoch
    assert len(rows) == 10 + 24 + 10


def test_a_gap_within_a_message() -> None:
    """A pause within one message is a gap as between messages."""
    times = np.concatenate([np.arange(30), 100 + np.arange(30)]) / 50

    pieces, _ = push_all([numbered(EPOCH + times)])

    assert [list(range(30)), list(range(30, 60))] == numbers(pieces)


def test_a_dropout_is_bridged() -> None:
    """Where a few samples are missing of a smooth signal, the grid holds what was there."""
    times = np.arange(100) / 50
    signal = np.sin(2 * np.pi * 1.0 * times)
    kept = np.r_[0:40, 43:100]

    pieces, dropped = push_all([(EPOCH + times[kept], np.stack([signal, signal], axis=1)[kept])])

    [(_, rows)] = stretches(pieces)
    assert dropped == 0
    assert len(rows) == 100
    np.testing.assert_allclose(rows[:, 0], signal, rtol=0, atol=2e-3)
    np.testing.assert_array_equal(signal[kept], rows[kept, 0])


@pytest.mark.parametrize(("rate_hz", "tolerance"), [(60.0, 0.01), (100.0, 1e-6), (204.0, 7e-3)])
def test_other_rates(rate_hz: float, tolerance: float) -> None:
    """A 2 Hz sine measured at another rate comes out as that sine at 50 Hz.

    At 204 Hz it is within what half a millisecond makes, by which a sample may miss its grid point.
    """
    n_samples = int(4 * rate_hz)
    times = np.arange(n_samples) / rate_hz
    sine = np.sin(2 * np.pi * 2.0 * times)
    parts = [
        (EPOCH + times[k : k + 20], np.stack([sine, sine], axis=1)[k : k + 20])
        for k in range(0, n_samples, 20)
    ]

    pieces, dropped = push_all(parts)

    [(_, rows)] = stretches(pieces)
    assert dropped == 0
    assert len(rows) >= 4 * 50 - 2
    expected = np.sin(2 * np.pi * 2.0 * np.arange(len(rows)) / 50)
    np.testing.assert_allclose(rows[:, 0], expected, rtol=0, atol=tolerance)


def test_a_clock_that_is_slow_does_not_drift() -> None:
    """A phone that samples at 49 Hz gives 50 rows a second: times decide, never counts."""
    times = np.arange(49 * 60) / 49

    pieces, _ = push_all([(EPOCH + times, np.stack([times, times], axis=1))])

    [(_, rows)] = stretches(pieces)
    assert abs(60 * 50 - len(rows)) <= 2
    np.testing.assert_allclose(rows[:, 0], np.arange(len(rows)) / 50, rtol=0, atol=1e-3)


def test_phones_do_not_mix() -> None:
    """Each slot has a grid of its own, and a reset ends one alone."""
    resampler = Resampler(2, 2)
    resampler.push(0, *on_grid(10))
    resampler.push(1, *numbered(EPOCH + 0.007 + np.arange(10) / 50))
    resampler.reset([0])

    [again], _ = resampler.push(0, *on_grid(10))
    [onward], _ = resampler.push(1, *numbered(EPOCH + 0.207 + np.arange(10) / 50, first=10))

    assert again.origin == EPOCH
    assert again.rows[:, 0].tolist() == list(range(10))
    assert onward.origin is None
    assert onward.rows[:, 0].tolist() == list(range(10, 20))


steps_s = st.one_of(
    st.just(0.02),
    st.sampled_from([0.01, 0.0205, 0.0195, 0.0006, 0.04, 0.5, 0.6]),
    st.floats(1e-4, 0.7),
)


@given(
    steps=st.lists(steps_s, min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=30),
    repeat=st.booleans(),
)
@settings(max_examples=300)
def test_cuts_do_not_matter(steps: list[float], cuts: list[int], repeat: bool) -> None:
    """However ascending times are cut, and if each part comes twice, the rows are the same."""
    times = EPOCH + np.cumsum(steps)
    rows = np.random.default_rng(len(steps)).normal(size=(len(times), 2))
    cuts = sorted(cuts)
    parts = list(zip(np.split(times, cuts), np.split(rows, cuts), strict=True))
    if repeat:
        parts = [part for part in parts for _ in range(2)]

    whole = stretches(push_all([(times, rows)])[0])
    cut = stretches(push_all(parts)[0])

    assert [origin for origin, _ in whole] == [origin for origin, _ in cut]
    for expected, actual in zip(whole, cut, strict=True):
        assert expected[1].tobytes() == actual[1].tobytes()
