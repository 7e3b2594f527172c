import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readings import Readings
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    motion,
    numbered,
    numbers,
    on_grid,
    push_all,
    push_each,
    stretches,
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 25, 100])
def test_samples_on_the_grid_pass_untouched(size: int) -> None:
    """Samples at 50 Hz come out bit for bit, none lost, none twice, at the time of the first."""
    times, rows = on_grid(100)
    rows *= np.pi
    cuts = range(size, 100, size)

    pieces, dropped = push_all(list(zip(np.split(times, cuts), np.split(rows, cuts), strict=True)))

    [(origin, gridded)] = stretches(pieces)
    assert 0 == dropped
    assert origin == times[0]
    assert rows.tobytes() == gridded.tobytes()


def test_starts_rounded_to_milliseconds() -> None:
    """Messages whose start is rounded to whole milliseconds are on the grid none the less."""
    parts = []
    for first in range(0, 100, 7):  # 0.14 s: after some messages the rounding goes either way
        times = round(EPOCH + 0.0004 + first / 50, 3) + np.arange(7) / 50
        parts.append(numbered(times, first=first))

    pieces, dropped = push_all(parts)

    assert 0 == dropped
    assert [list(range(105))] == numbers(pieces)


def test_phones_do_not_mix() -> None:
    """Each slot has a grid of its own, and a reset ends one alone."""
    resampler = Resampler(2)
    resampler.push(0, [motion(*on_grid(20))])
    resampler.push(1, [motion(*numbered(EPOCH + 0.007 + np.arange(20) / 50))])
    resampler.reset([0])

    [again], _ = resampler.push(0, [motion(*on_grid(20))])
    other = numbered(EPOCH + 0.407 + np.arange(20) / 50, first=20)
    [onward], _ = resampler.push(1, [motion(*other)])

    assert EPOCH == again.origin
    assert again.rows[:, 0].tolist() == list(range(20))
    assert onward.origin is None
    assert onward.rows[:, 0].tolist() == list(range(20, 40))


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
    rows = np.random.default_rng(len(steps)).normal(size=(len(times), 6))
    cuts = sorted(cuts)
    parts = list(zip(np.split(times, cuts), np.split(rows, cuts), strict=True))
    if repeat:
        parts = [part for part in parts for _ in range(2)]

    whole = stretches(push_all([(times, rows)])[0])
    cut = stretches(push_all(parts)[0])

    assert [origin for origin, _ in whole] == [origin for origin, _ in cut]
    for expected, actual in zip(whole, cut, strict=True):
        assert expected[1].tobytes() == actual[1].tobytes()


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=25),
    shifts_s=st.lists(
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 2e-4, 9e-4, 0.02, 0.1, 0.7, -0.3, -5.0]),
        min_size=25,
        max_size=25,
    ),
    ticks=st.lists(st.integers(1, 4), min_size=25, max_size=25),
    prepared=st.booleans(),
)
@settings(max_examples=200)
def test_all_phones_at_once(
    sizes: list[int], shifts_s: list[float], ticks: list[int], prepared: bool
) -> None:
    """Messages taken with those of all phones give what they give when pushed by themselves.

    Some begin early or late, so that they repeat, overtake, leave holes or gaps, or are off the
    grid; in between phones are on it.
    """
    rng = np.random.default_rng(len(sizes))
    messages: dict[int, list[Readings]] = {0: [], 1: []}
    for slot, of_slot in messages.items():
        time = EPOCH + slot / 7
        for size, shift_s in zip(sizes, shifts_s if slot else [0.0] * 25, strict=False):
            values = rng.normal(size=(size, 9 if prepared else 6))
            times = time + shift_s + np.arange(size) / 50
            of_slot.append(Readings("phone", times, values, "prepared" if prepared else "motion"))
            time = max(time, times[-1] + 0.02)
    at_once, alone = Resampler(2), Resampler(2)
    while any(messages.values()):
        tick = {}
        for slot, of_slot in messages.items():
            if of_slot:
                n = ticks.pop() if len(ticks) > 1 else 1
                tick[slot], of_slot[:n] = of_slot[:n], []
        expected = {slot: push_each(alone, slot, of_slot) for slot, of_slot in tick.items()}
        steady = {
            int(slot): rows
            for found in at_once.push_steady(tick)
            for slot, rows in zip(found.slots, found.rows, strict=True)
        }
        for slot, (pieces, n_dropped) in expected.items():
            if slot in steady:
                assert n_dropped == Dropped()
                assert all(piece.origin is None for piece in pieces)
                assert [rows.tobytes() for rows in (steady[slot],)] == [
                    np.concatenate([piece.rows for piece in pieces]).tobytes()
                ]
                continue
            actual, actually_dropped = push_each(at_once, slot, tick[slot])
            assert n_dropped == actually_dropped
            assert [(one.origin, one.rows.tobytes()) for one in pieces] == [
                (one.origin, one.rows.tobytes()) for one in actual
            ]
        for slot in tick:
            assert at_once.newest(slot) == alone.newest(slot)
            assert at_once.rates_hz(slot) == alone.rates_hz(slot)
            assert at_once.troubles(slot) == alone.troubles(slot)


def test_ordinary_messages_are_taken_at_once() -> None:
    """From its second message on, a phone with samples on the grid is taken with the others."""
    resampler = Resampler(2)
    taken = []
    for first in range(0, 100, 25):
        tick = {slot: [motion(*on_grid(25, first=first))] for slot in range(2)}
        found = resampler.push_steady(tick)
        taken.append(sum(len(rows.slots) for rows in found))
        if not found:
            for slot, messages in tick.items():
                push_each(resampler, slot, messages)

    assert [0, 2, 2, 2] == taken


@given(
    n_rows=st.integers(1, 130),
    lateness_s=st.sampled_from([0.0, 0.2, 1.0]),
    jitter_s=st.sampled_from([0.0, 1e-5, 2.4e-4, 4e-4, 2e-3]),
    step_s=st.sampled_from([0.02, 0.02001, 0.01, 0.5]),
    prepared=st.booleans(),
)
@settings(max_examples=300)
def test_a_grid_begun_at_once(
    n_rows: int, lateness_s: float, jitter_s: float, step_s: float, prepared: bool
) -> None:
    """It has the rows, and is in the state, in which pushing the message leaves it, if taken."""
    rng = np.random.default_rng(n_rows)
    times = EPOCH + np.arange(n_rows) * step_s + rng.uniform(-jitter_s, jitter_s, n_rows)
    values = rng.normal(size=(n_rows, 9 if prepared else 6))
    message = Readings("phone", times, values, "prepared" if prepared else "motion")
    at_once, alone = Resampler(2, lateness_s=lateness_s), Resampler(2, lateness_s=lateness_s)
    found = at_once.begin_steady({1: message})
    before = Resampler(2, lateness_s=lateness_s).state(np.arange(2))
    if not found:
        np.testing.assert_equal(at_once.state(np.arange(2)), before)
        is_ordinary = jitter_s == 0.0 and step_s == 0.02 and n_rows * step_s > lateness_s + 0.04
        assert not (is_ordinary and 17 <= n_rows <= 100)
        return
    [rows] = found
    [piece], n_dropped = alone.push(1, [message])
    assert (rows.slots.tolist(), n_dropped, piece.origin) == ([1], Dropped(), times[0])
    assert rows.rows[0].tobytes() == piece.rows.tobytes()
    assert piece.troubles == frozenset()
    np.testing.assert_equal(at_once.state(np.arange(2)), alone.state(np.arange(2)))
    assert at_once.begin_steady({1: message}) == []
