from collections.abc import Mapping, Sequence

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
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 2e-4, 9e-4, 0.02, 0.1, 0.7, -0.3, -5.0]),
        min_size=25,
        max_size=25,
    ),
    ticks=st.lists(st.integers(1, 4), min_size=25, max_size=25),
    rate_hz=st.sampled_from([50.0, 50.0, 49.9, 51.3, 60.0, 100.0, 27.0, 31.0, 108.0, 119.0]),
    later_hz=st.sampled_from([None, None, None, 9.0, 26.0, 50.0, 104.0, 118.0]),
    jitter=st.sampled_from([0.0, 1e-5, 0.05, 0.3, 0.5]),
    lost=st.sampled_from([0.0, 0.0, 0.05]),
    prepared=st.booleans(),
)
@settings(max_examples=400)
def test_all_phones_at_once(
    sizes: list[int],
    shifts_s: list[float],
    ticks: list[int],
    rate_hz: float,
    later_hz: float | None,
    jitter: float,
    lost: float,
    prepared: bool,
) -> None:
    """Messages taken with those of all phones give what they give when pushed by themselves.

    Some begin early or late, so that they repeat, overtake, leave holes or gaps, or are off the
    grid; in between phones are on it, or go on at any rate, which changes once, with jitter and
    lost samples.
    """
    rng = np.random.default_rng(len(sizes))
    messages: dict[int, list[Readings]] = {0: [], 1: [], 2: []}
    for slot, of_slot in messages.items():
        time, of_phone_hz = EPOCH + slot / 7, rate_hz if slot else 50.0
        n_messages = len(sizes) if slot < 2 else 40
        for i in range(n_messages):
            if slot and later_hz and i == n_messages // 2:
                of_phone_hz = later_hz
            size = sizes[i % len(sizes)] if slot < 2 else 25
            shift_s = shifts_s[i % 25] if slot == 1 else 0.0
            times = time + shift_s + np.arange(size) / of_phone_hz
            time = max(time, times[-1] + 1 / of_phone_hz)
            if slot:
                times += rng.uniform(-jitter, jitter, size) / of_phone_hz
                kept = rng.random(size) >= lost
                kept[0] = True
                times = np.sort(times[kept])
            values = rng.normal(size=(len(times), 9 if prepared else 6))
            of_slot.append(Readings("phone", times, values, "prepared" if prepared else "motion"))
    at_once, alone = Resampler(3), Resampler(3)
    while any(messages.values()):
        tick = {}
        for slot, of_slot in messages.items():
            if of_slot:
                n = ticks.pop() if len(ticks) > 1 else 1
                tick[slot], of_slot[:n] = of_slot[:n], []
        expected = {slot: push_each(alone, slot, of_slot) for slot, of_slot in tick.items()}
        continued, rows, n_samples = taken_together(at_once, tick)
        assert n_samples == sum(len(of.times) for slot in continued for of in tick[slot])
        for slot, (pieces, n_dropped) in expected.items():
            if slot in continued:
                assert n_dropped == Dropped()
                assert all(piece.origin is None for piece in pieces)
                alone_rows = [piece.rows.tobytes() for piece in pieces if len(piece.rows)]
                assert rows.get(slot, b"") == b"".join(alone_rows)
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


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("seed", range(6))
def test_cuts_do_not_matter_when_the_rate_rises(size: int, seed: int) -> None:
    """Single samples that fall on grid points drop nothing that a low-pass then needs."""
    rng = np.random.default_rng(seed)
    steps_s = np.repeat([1 / 99.7, 1 / 114], [900, 900]) * rng.uniform(0.9, 1.1, 1800)
    times = EPOCH + np.cumsum(steps_s)
    rows = rng.normal(size=(len(times), 6))
    at = range(size, len(times), size)
    cut = list(zip(np.split(times, at), np.split(rows, at), strict=True))
    [(_, whole)], [(_, of_parts)] = (
        stretches(push_all(parts)[0]) for parts in ([(times, rows)], cut)
    )
    assert whole.tobytes() == of_parts.tobytes()


def taken_together(
    resampler: Resampler, tick: Mapping[int, Sequence[Readings]]
) -> tuple[set[int], dict[int, bytes], int]:
    """Return which phones' messages are taken together, their rows, and the number of samples."""
    continued = resampler.push_together(
        {slot: [[message] for message in of_phone] for slot, of_phone in tick.items()}
    )
    slots = [slot for some in continued for slot in some.slots.tolist()]
    assert len(slots) == len(set(slots))
    rows = [
        (int(slot), of_phone.tobytes())
        for some in continued
        for rows in some.rows
        for slot, of_phone in zip(rows.slots, rows.rows, strict=True)
    ]
    assert len(rows) == len(dict(rows))
    return set(slots), dict(rows), sum(some.n_samples for some in continued)


@pytest.mark.parametrize(
    ("rate_hz", "jitter_s", "size"),
    [(50, 0, 25), (50, 0, 1), (60, 0, 30), (50, 2e-3, 25), (100, 2e-3, 50), (59.7, 1e-3, 7)],
)
def test_ordinary_messages_are_taken_at_once(rate_hz: float, jitter_s: float, size: int) -> None:
    """Once it has sent for half a second, a phone is taken with the others, at any usual rate."""
    rng = np.random.default_rng(0)
    resampler = Resampler(2)
    n_alone = 0
    for number in range(round(8 * rate_hz / size)):
        times = EPOCH + (number * size + np.arange(size)) / rate_hz
        times += rng.uniform(-jitter_s, jitter_s, size)
        tick = {slot: [motion(times, rng.normal(size=(size, 6)))] for slot in range(2)}
        continued, _, _ = taken_together(resampler, tick)
        for slot in tick.keys() - continued:
            push_each(resampler, slot, tick[slot])
            n_alone += size

    assert n_alone <= 2 * max(size, 0.5 * rate_hz)


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
    found = at_once.begin_together({1: message})
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
    assert at_once.begin_together({1: message}) == []
