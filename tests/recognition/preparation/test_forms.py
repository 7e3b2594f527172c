import numpy as np

from pipeline.recognition.preparation.grid import Grid
from pipeline.recognition.preparation.pace import NeededRates
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import DEFAULT_LATENESS_S, Resampler
from tests.recognition.preparation.samples import EPOCH, motion, numbered, sensor, stretches


def test_two_phones_in_one() -> None:
    """Two phones that send side by side under one name are told apart from one that repeats."""
    one, two, repeats = Resampler(1), Resampler(1), Resampler(1)
    for second in range(12):
        times = EPOCH + second + np.arange(50) / 50
        for resampler in (one, two, repeats):
            resampler.push(0, [motion(*numbered(times))])
        two.push(0, [motion(*numbered(times + 0.4931))])
        repeats.push(0, [motion(*numbered(times))])
        repeats.push(0, [motion(*numbered(times[25:]))])
    assert "two-phones" in two.troubles(0)
    assert frozenset() == one.troubles(0) == repeats.troubles(0)


def test_forms_that_alternate() -> None:
    """If messages of two forms take turns, one of them makes rows, and two phones are told of."""
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for second in range(30):
        times = second + np.arange(50) / 50
        pieces += resampler.push(0, [motion(*numbered(EPOCH + times))])[0]
        pieces += resampler.push(0, [sensor("accelerometer", times), sensor("gyroscope", times)])[0]
    assert "two-phones" in resampler.troubles(0)
    assert max(len(rows) for _, rows in stretches(pieces)) > 25 * 50


def test_forms_that_alternate_after_a_calm_time() -> None:
    """Of them, too, one makes rows, and it does not matter whether the calm grid was in arrays."""
    resampler, grid = Resampler(1), Grid(0, DEFAULT_LATENESS_S, NeededRates())
    for second in range(90):
        times = second + np.arange(50) / 50
        messages = [[motion(*numbered(EPOCH + times))]]
        if second >= 70:
            messages.append([sensor("accelerometer", times), sensor("gyroscope", times)])
        for message in messages:
            pieces, dropped = grid.push(message)
            actual, actually_dropped = resampler.push(0, message)
            assert dropped == actually_dropped
            assert [(piece.origin, len(piece.rows)) for piece in pieces] == [
                (piece.origin, len(piece.rows)) for piece in actual
            ]
    assert "two-phones" in resampler.troubles(0)
