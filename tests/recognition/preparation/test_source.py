import numpy as np

from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    motion,
    numbers,
    on_grid,
    push_all,
    six,
    stretches,
)


def test_a_repeated_message_is_dropped() -> None:
    """A message that arrives again, at once or later, gives nothing and harms nothing."""
    a, b, c = on_grid(25), on_grid(25, first=25), on_grid(25, first=50)

    pieces, dropped = push_all([a, a, b, a, b, c, c])

    assert 100 == dropped
    assert [list(range(75))] == numbers(pieces)


def test_overlapping_cut() -> None:
    """Of a message that overlaps what has come already only the new samples count."""
    pieces, dropped = push_all([on_grid(30), on_grid(30, first=20), on_grid(30, first=45)])

    assert 15 == dropped
    assert [list(range(75))] == numbers(pieces)


def test_repeats_within_a_message() -> None:
    """Samples of equal times within a message count once; of a disordered message, all."""
    times = EPOCH + np.array([0, 1, 1, 3, 2, 2, 4]) / 50

    pieces, dropped = push_all([(times, six([0, 1, 9, 3, 2, 9, 4]))])

    assert 2 == dropped
    assert [[0, 1, 2, 3, 4]] == numbers(pieces)


def test_messages_may_overtake_one_another() -> None:
    """Messages that arrive in another order within the lateness give the same rows."""
    parts = [on_grid(10, first=first) for first in range(0, 200, 10)]
    swapped = [parts[i ^ 1] for i in range(20)]

    pieces, dropped = push_all(swapped)

    assert 0 == dropped
    assert [list(range(200))] == numbers(pieces)


def test_what_follows_a_hole_waits() -> None:
    """Behind a missing message rows wait until it comes, or until it would come too late."""
    resampler = Resampler(1, lateness_s=0.2)
    resampler.push(0, [motion(*on_grid(25))])

    assert resampler.push(0, [motion(*on_grid(5, first=30))]) == ([], Dropped())
    assert resampler.push(0, [motion(*on_grid(5, first=35))]) == ([], Dropped())
    [filled], _ = resampler.push(0, [motion(*on_grid(5, first=25))])
    assert filled.rows[:, 0].tolist() == list(range(25, 40))

    assert resampler.push(0, [motion(*on_grid(10, first=45))]) == ([], Dropped())
    [bridged], _ = resampler.push(0, [motion(*on_grid(10, first=56))])  # 0.22 s after sample 45
    assert 55 - 40 == len(bridged.rows)


def test_a_hole_within_a_message_is_not_waited_for() -> None:
    """Samples that the phone itself left out do not delay the message in which they lack."""
    resampler = Resampler(1)
    resampler.push(0, [motion(*on_grid(25))])
    times, rows = on_grid(25, first=25)
    kept = np.r_[0:8, 11:25]

    [piece], dropped = resampler.push(0, [motion(times[kept], rows[kept])])

    assert dropped == Dropped()
    assert 25 == len(piece.rows)


def test_a_sample_that_comes_too_late_is_dropped() -> None:
    """What comes after the lateness is dropped, and the hole stays bridged."""
    parts = [on_grid(25), on_grid(25, first=30), on_grid(25, first=55), on_grid(5, first=25)]

    pieces, dropped = push_all([*parts, on_grid(25, first=80)])

    assert 5 == dropped
    [(_, rows)] = stretches(pieces)
    assert 105 == len(rows)
    np.testing.assert_allclose(rows[:, 0], np.arange(105), rtol=0, atol=1e-6)


def test_finish_releases_what_waits() -> None:
    """When a phone falls silent, what waited for a missing message comes out."""
    resampler = Resampler(1)
    resampler.push(0, [motion(*on_grid(25))])
    resampler.push(0, [motion(*on_grid(25, first=30))])

    [piece], _ = resampler.finish(0)

    assert 30 == len(piece.rows)
    assert resampler.finish(0) == ([], Dropped())


def test_memory_is_bounded() -> None:
    """Millions of samples within an instant, or late, are not kept."""
    resampler = Resampler(1)
    rng = np.random.default_rng(0)
    resampler.push(0, [motion(*on_grid(100))])
    for number in range(20):
        times = EPOCH + 1.5 + np.sort(rng.uniform(0, 1e-3, 10_000))
        resampler.push(0, [motion(np.unique(times), six(np.unique(times) * 0))])
        late = EPOCH - 1000 + number / 10 + np.sort(rng.uniform(0, 1e-3, 10_000))
        resampler.push(0, [motion(np.unique(late), six(np.unique(late) * 0))])
    state = resampler.state(np.array([0]))
    [[_, grid]] = state["others"]
    source = grid["sources"]["motion"]
    assert len(source["times"]) <= 20_000
    assert sum(len(times) for times, _ in source["late"]) <= 40_000
