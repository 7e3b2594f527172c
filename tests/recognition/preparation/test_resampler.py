from collections.abc import Sequence
from itertools import pairwise, zip_longest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.readings import Readings, Sensor
from pipeline.recognition.preparation.dropped import Dropped
from pipeline.recognition.preparation.interpolation import low_pass
from pipeline.recognition.preparation.pieces import Piece, joined_pieces
from pipeline.recognition.preparation.resampler import Resampler

EPOCH = 1698501144.4
"""Epoch seconds of the first sample: large, and not a whole number."""

WEIGHTS = np.array([1.0, -1.0, 0.5, 0.1, -0.1, 0.05])
"""What the six columns make of a sample's number: all different, none of them out of bounds."""

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` and rows ``(n, 6)``"""


def motion(times: NDArray[np.float64], rows: NDArray[np.float64]) -> Readings:
    """Return samples as the readings of accelerometer and gyroscope together."""
    return Readings("phone", times, rows)


def numbered(times: Sequence[float] | NDArray[np.float64], *, first: int = 0) -> Samples:
    """Return samples that hold their own number, so that a loss or a repetition shows."""
    numbers = np.arange(first, first + len(times), dtype=np.float64)
    return np.asarray(times, np.float64), np.outer(numbers, WEIGHTS)


def six(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows whose first column is ``values``."""
    return np.outer(np.asarray(values, np.float64), WEIGHTS)


def on_grid(n_samples: int, *, first: int = 0) -> Samples:
    """Return numbered samples at 50 Hz from `EPOCH` on."""
    return numbered(EPOCH + np.arange(first, first + n_samples) / 50, first=first)


def push_all(parts: Sequence[Samples]) -> tuple[list[Piece], int]:
    """Return all pieces of one phone's messages, and how many samples were dropped."""
    resampler = Resampler(1)
    pieces, dropped = [], Dropped()
    for times, rows in parts:
        if len(times):
            new, n_dropped = resampler.push(0, [motion(times, rows)])
            pieces += new
            dropped += n_dropped
    last, n_dropped = resampler.finish(0)
    dropped += n_dropped
    return pieces + last, dropped.repeated + dropped.late


def push_each(
    resampler: Resampler, slot: int, messages: Sequence[Readings]
) -> tuple[list[Piece], Dropped]:
    """Return the pieces, joined, and the losses of messages with one sensor's readings each."""
    pieces, dropped = [], Dropped()
    for message in messages:
        new, lost = resampler.push(slot, [message])
        pieces += new
        dropped += lost
    return joined_pieces(pieces), dropped


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


def test_overlapping_cut() -> None:
    """Of a message that overlaps what has come already only the new samples count."""
    pieces, dropped = push_all([on_grid(30), on_grid(30, first=20), on_grid(30, first=45)])

    assert dropped == 15
    assert [list(range(75))] == numbers(pieces)


def test_repeats_within_a_message() -> None:
    """Samples of equal times within a message count once; of a disordered message, all."""
    times = EPOCH + np.array([0, 1, 1, 3, 2, 2, 4]) / 50

    pieces, dropped = push_all([(times, six([0, 1, 9, 3, 2, 9, 4]))])

    assert dropped == 2
    assert [[0, 1, 2, 3, 4]] == numbers(pieces)


def test_messages_may_overtake_one_another() -> None:
    """Messages that arrive in another order within the lateness give the same rows."""
    parts = [on_grid(10, first=first) for first in range(0, 200, 10)]
    swapped = [parts[i ^ 1] for i in range(20)]

    pieces, dropped = push_all(swapped)

    assert dropped == 0
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
    assert len(bridged.rows) == 55 - 40


def test_a_hole_within_a_message_is_not_waited_for() -> None:
    """Samples that the phone itself left out do not delay the message in which they lack."""
    resampler = Resampler(1)
    resampler.push(0, [motion(*on_grid(25))])
    times, rows = on_grid(25, first=25)
    kept = np.r_[0:8, 11:25]

    [piece], dropped = resampler.push(0, [motion(times[kept], rows[kept])])

    assert dropped == Dropped()
    assert len(piece.rows) == 25


def test_a_sample_that_comes_too_late_is_dropped() -> None:
    """What comes after the lateness is dropped, and the hole stays bridged."""
    parts = [on_grid(25), on_grid(25, first=30), on_grid(25, first=55), on_grid(5, first=25)]

    pieces, dropped = push_all([*parts, on_grid(25, first=80)])

    assert dropped == 5
    [(_, rows)] = stretches(pieces)
    assert len(rows) == 105
    np.testing.assert_allclose(rows[:, 0], np.arange(105), rtol=0, atol=1e-6)


def test_a_clock_that_is_set_back() -> None:
    """When for two seconds nothing but the past comes, a grid begins there, with all of it."""
    before, after = on_grid(100), numbered(EPOCH - 3600 + np.arange(200) / 50, first=100)
    parts = [before, *zip(np.split(after[0], 8), np.split(after[1], 8), strict=True)]

    pieces, dropped = push_all(parts)

    assert dropped == 0
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

    assert dropped == 0
    assert [EPOCH, pytest.approx(times[0])] == [origin for origin, _ in stretches(pieces)]
    assert [list(range(150)), list(range(150, 350))] == numbers(pieces)


def test_a_repeated_recording_is_no_clock_set_back() -> None:
    """Messages that all come again, for many seconds, give nothing."""
    parts = [on_grid(25, first=first) for first in range(0, 300, 25)]

    pieces, dropped = push_all(parts + parts)

    assert dropped == 300
    assert [list(range(300))] == numbers(pieces)


def test_finish_releases_what_waits() -> None:
    """When a phone falls silent, what waited for a missing message comes out."""
    resampler = Resampler(1)
    resampler.push(0, [motion(*on_grid(25))])
    resampler.push(0, [motion(*on_grid(25, first=30))])

    [piece], _ = resampler.finish(0)

    assert len(piece.rows) == 30
    assert resampler.finish(0) == ([], Dropped())


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

    pieces, dropped = push_all([(EPOCH + times[kept], six(signal)[kept])])

    [(_, rows)] = stretches(pieces)
    assert dropped == 0
    assert len(rows) == 100
    np.testing.assert_allclose(rows[:, 0], signal, rtol=0, atol=2e-3)
    np.testing.assert_array_equal(signal[kept], rows[kept, 0])


@pytest.mark.parametrize(
    ("rate_hz", "tolerance"), [(60.0, 0.01), (100.0, 1e-6), (204.0, 0.01), (400.0, 0.01)]
)
def test_other_rates(rate_hz: float, tolerance: float) -> None:
    """A 2 Hz sine measured at another rate comes out as that sine at 50 Hz."""
    n_samples = int(4 * rate_hz)
    times = np.arange(n_samples) / rate_hz
    sine = np.sin(2 * np.pi * 2.0 * times)
    parts = [(EPOCH + times[k : k + 20], six(sine)[k : k + 20]) for k in range(0, n_samples, 20)]

    pieces, dropped = push_all(parts)

    [(_, rows)] = stretches(pieces)
    assert dropped == 0
    assert len(rows) >= 4 * 50 - 5  # the low-pass looks 60 ms ahead
    expected = np.sin(2 * np.pi * 2.0 * np.arange(len(rows)) / 50)
    # Before the first sample the low-pass takes the first for what was.
    np.testing.assert_allclose(rows[5:, 0], expected[5:], rtol=0, atol=tolerance)


@pytest.mark.parametrize("rate_hz", [120.0, 200.0, 421.0, 840.0])
@pytest.mark.parametrize("tone_hz", [38.0, 47.0, 55.0])
def test_fast_tones_do_not_fold(rate_hz: float, tone_hz: float) -> None:
    """Of a tone that 50 Hz cannot hold, less than 2 % is left after decimation."""
    times = np.arange(int(4 * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * tone_hz * times)

    pieces, _ = push_all([(EPOCH + times, six(tone))])

    [(_, rows)] = stretches(pieces)
    assert np.abs(rows[5:, 0]).max() < (0.02 if rate_hz > 150 else 0.2)


def test_the_low_pass_is_scipys() -> None:
    """The taps are those of SciPy's window method, and pass what walking has unchanged."""
    signal = pytest.importorskip("scipy.signal")
    for oversampling in (3, 4, 8, 17):
        taps = low_pass(oversampling)
        rate_hz = 50 * oversampling
        beta = signal.kaiser_beta(40)
        expected = signal.firwin(len(taps), 25, window=("kaiser", beta), fs=rate_hz)
        np.testing.assert_allclose(taps, expected, rtol=0, atol=1e-12)
        _, response = signal.freqz(taps, worN=[1.0, 5.0, 10.0, 15.0], fs=rate_hz)
        np.testing.assert_allclose(np.abs(response), 1.0, rtol=0, atol=0.02)


def sensor(name: Sensor, times: NDArray[np.float64], *, scale: float = 1.0) -> Readings:
    """Return what a sensor says of a smooth motion, seconds after `EPOCH`."""
    angle = 2 * np.pi * times
    values = scale * np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle)], axis=1)
    return Readings("phone", EPOCH + times, values, name)


def expected_rows(n_rows: int, *, first_s: float, acc: float, gyro: float) -> NDArray[np.float64]:
    """Return the motion of `sensor` on the grid."""
    times = first_s + np.arange(n_rows) / 50
    parts = [sensor("gravity", times, scale=scale).values for scale in (acc, gyro)]
    return np.hstack(parts)


def cut(readings: Readings, size: int) -> list[Readings]:
    """Return readings cut into messages."""
    cuts = range(size, len(readings.times), size)
    return [
        replace(readings, times=times, values=values)
        for times, values in zip(
            np.split(readings.times, cuts), np.split(readings.values, cuts), strict=True
        )
    ]


def within(readings: Readings, first: float, last: float) -> Readings:
    """Return the samples between two times."""
    chosen = (readings.times >= first) & (readings.times <= last)
    return replace(readings, times=readings.times[chosen], values=readings.values[chosen])


def push_readings(readings: Sequence[Readings], *, size: int = 25) -> list[Piece]:
    """Return all pieces of one phone's sensors, each cut into messages, side by side."""
    resampler = Resampler(1)
    pieces = []
    for message in zip_longest(*(cut(one, size) for one in readings)):
        pieces += resampler.push(0, [one for one in message if one is not None])[0]
    return pieces + resampler.finish(0)[0]


def test_sensors_with_times_of_their_own() -> None:
    """Accelerometer and gyroscope at other rates and times make one grid, each interpolated."""
    acc = sensor("accelerometer", 0.0042 + np.arange(500) / 100, scale=2.0)
    gyro = sensor("gyroscope", 0.0131 + np.arange(300) / 60, scale=0.5)

    [(origin, rows)] = stretches(push_readings([acc, gyro]))

    assert origin == pytest.approx(EPOCH + 0.0131, abs=1e-6)
    assert len(rows) >= 245
    expected = expected_rows(len(rows), first_s=0.0131, acc=2.0, gyro=0.5)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=0.02)


def test_the_sum_of_linear_acceleration_and_gravity() -> None:
    """Where a phone sends the two parts of its acceleration, rows hold their sum."""
    linear = sensor("linear_acceleration", np.arange(500) / 100, scale=1.0)
    gravity = sensor("gravity", 0.003 + np.arange(500) / 100, scale=2.0)
    gyro = sensor("gyroscope", np.arange(500) / 100, scale=0.5)

    [(origin, rows)] = stretches(push_readings([linear, gravity, gyro]))

    assert origin == pytest.approx(EPOCH + 0.003, abs=1e-6)
    expected = expected_rows(len(rows), first_s=0.003, acc=3.0, gyro=0.5)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=0.01)


def test_the_best_of_several_sensors_is_taken() -> None:
    """The accelerometer with gravity is preferred to its parts, the calibrated gyroscope too."""
    times = np.arange(200) / 50
    readings = [
        sensor("linear_acceleration", times, scale=9.0),
        sensor("gravity", times, scale=9.0),
        sensor("gyroscope_uncalibrated", times, scale=9.0),
        sensor("gyroscope", times, scale=0.5),
        sensor("accelerometer", times, scale=2.0),
    ]

    [(_, rows)] = stretches(push_readings(readings))

    np.testing.assert_array_equal(expected_rows(200, first_s=0.0, acc=2.0, gyro=0.5)[:5], rows[:5])


def test_a_gap_of_one_sensor_is_a_gap() -> None:
    """Where one of the sensors pauses, the grid ends, and begins anew when it is back."""
    times = np.arange(500) / 50
    gyro = sensor("gyroscope", times[(times < 4) | (times >= 6)])

    pieces = push_readings([sensor("accelerometer", times), gyro])

    assert [EPOCH, EPOCH + 6] == pytest.approx([origin for origin, _ in stretches(pieces)])
    assert [200, 200] == [len(rows) for _, rows in stretches(pieces)]


def test_a_sensor_that_stops() -> None:
    """When a sensor stops for good the grid ends; the other's samples do not pile up."""
    resampler = Resampler(1)
    for first in range(0, 5000, 50):
        times = (first + np.arange(50)) / 50
        resampler.push(0, [sensor("accelerometer", times)])
        if first < 500:
            resampler.push(0, [sensor("gyroscope", times)])

    grid = resampler._grids[0]
    assert sum(len(source.times) for source in grid.sources.values()) < 700


def test_another_sensor_takes_over() -> None:
    """When a phone sends other sensors than before, rows are made of those after a while."""
    times = np.arange(1000) / 50
    early, later = times[times < 10], times[times >= 10]
    resampler = Resampler(1)
    pieces = []
    for part in cut(sensor("gyroscope", times), 50):
        in_use = [sensor("accelerometer", early)]
        if part.times[0] >= EPOCH + 10:
            in_use = [sensor("linear_acceleration", later), sensor("gravity", later)]
        span = (part.times[0] - 1e-3, part.times[-1] + 1e-3)
        pieces += resampler.push(0, [part, *(within(one, *span) for one in in_use)])[0]

    first, second = stretches(pieces)
    assert len(first[1]) == 500
    assert EPOCH + 10 <= second[0] <= EPOCH + 16


@pytest.mark.parametrize(
    ("sent", "lacking"),
    [
        (["accelerometer"], ["gyroscope"]),
        (["gyroscope"], ["accelerometer"]),
        (["linear_acceleration", "gyroscope"], ["gravity"]),
        (["accelerometer", "gyroscope"], []),
        (["linear_acceleration"], ["gravity", "gyroscope"]),
    ],
)
def test_what_a_phone_lacks(sent: list[Sensor], lacking: list[Sensor]) -> None:
    """Of a phone that does not send enough for rows it is known what it would have to send."""
    resampler = Resampler(1)
    resampler.push(0, [sensor(name, np.arange(100) / 100) for name in sent])

    assert resampler.lacks(0) == lacking


def test_rates_are_told() -> None:
    """The rates of the sensors in use are known, each for itself."""
    resampler = Resampler(1)
    resampler.push(0, [sensor("accelerometer", np.arange(100) / 100)])
    resampler.push(0, [sensor("gyroscope", np.arange(200) / 200)])

    assert resampler.rates_hz(0) == pytest.approx(
        {"accelerometer": 100, "gyroscope": 200}, rel=1e-3
    )


def test_a_clock_that_is_slow_does_not_drift() -> None:
    """A phone that samples at 49 Hz gives 50 rows a second: times decide, never counts."""
    times = np.arange(49 * 60) / 49

    pieces, _ = push_all([(EPOCH + times, six(times))])

    [(_, rows)] = stretches(pieces)
    assert abs(60 * 50 - len(rows)) <= 2
    np.testing.assert_allclose(rows[:, 0], np.arange(len(rows)) / 50, rtol=0, atol=1e-3)


def test_phones_do_not_mix() -> None:
    """Each slot has a grid of its own, and a reset ends one alone."""
    resampler = Resampler(2)
    resampler.push(0, [motion(*on_grid(20))])
    resampler.push(1, [motion(*numbered(EPOCH + 0.007 + np.arange(20) / 50))])
    resampler.reset([0])

    [again], _ = resampler.push(0, [motion(*on_grid(20))])
    other = numbered(EPOCH + 0.407 + np.arange(20) / 50, first=20)
    [onward], _ = resampler.push(1, [motion(*other)])

    assert again.origin == EPOCH
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

    assert taken == [0, 2, 2, 2]


def paced(rates_hz: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the times of samples at some rates one after the other, each for so many seconds."""
    parts, begin = [], 0.0
    for rate_hz, seconds in rates_hz:
        parts.append(begin + np.arange(round(rate_hz * seconds)) / rate_hz)
        begin += seconds
    return np.concatenate(parts)


@pytest.mark.parametrize("size", [1, 3, 25, 10_000])
def test_the_rate_is_measured_again_and_again(size: int) -> None:
    """Where the rate changes, so does what is made of the samples, at the same row for any cut."""
    times = paced([(50, 6), (20, 6), (200, 6), (50, 6)])
    tone = np.sin(2 * np.pi * 40.0 * times)  # which 50 Hz cannot hold
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for k in range(0, len(times), size):
        part = slice(k, k + size)
        pieces += resampler.push(0, [motion(EPOCH + times[part], six(tone[part]))])[0]
    slow = np.concatenate([np.full(len(one.rows), "low-rate" in one.troubles) for one in pieces])
    rows = np.concatenate([one.rows[:, 0] for one in pieces])
    seconds = np.arange(len(rows)) / 50
    assert 1 == sum(one.origin is not None for one in pieces)
    assert not slow[seconds < 6].any()
    assert slow[(seconds > 9) & (seconds < 12)].all()
    assert not slow[seconds > 15].any()
    assert np.abs(rows[(seconds > 15) & (seconds < 17.5)]).max() < 0.1  # low-passed by then
    assert {"motion": pytest.approx(50, abs=1)} == resampler.rates_hz(0)


@pytest.mark.parametrize("rate_hz", [0.2, 0.5, 1.0, 2.0, 2.5, 9.0])
@pytest.mark.parametrize("size", [1, 7])
def test_too_slow_a_sensor(rate_hz: float, size: int) -> None:
    """A few samples a second never make a window's rows, and that is told within some of them."""
    times = np.arange(60) / rate_hz
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for k in range(0, len(times), size):
        pieces += resampler.push(0, [motion(*numbered(EPOCH + times[k : k + size]))])[0]
    assert max((len(rows) for _, rows in stretches(pieces)), default=0) < 128
    assert "low-rate" in resampler.troubles(0)
    assert resampler.rates_hz(0)["motion"] < 30


def test_a_slow_beginning_heals() -> None:
    """A first instant that is not like the rest is forgotten within seconds."""
    times = np.concatenate([[0.0, 0.25], 0.5 + np.arange(400) / 50])
    pieces, dropped = push_all([(EPOCH + times, six(times))])
    [(origin, rows)] = stretches(pieces)
    assert 0 == dropped
    assert origin == EPOCH
    assert len(rows) == 25 + 400
    assert not any(piece.troubles for piece in pieces)


def test_an_early_event_is_bridged_by_a_line() -> None:
    """Between two samples that are far apart nothing is invented."""
    times = np.concatenate([[0.0], 0.45 + np.arange(50) / 50])
    pieces, _ = push_all([(EPOCH + times, six(np.r_[0.0, 10.0, np.tile([9.0, 11.0], 25)[:49]]))])
    [(_, rows)] = stretches(pieces)
    np.testing.assert_allclose(rows[:22, 0], np.arange(22) * 0.02 / 0.45 * 10, rtol=0, atol=1e-4)


def test_samples_almost_at_one_time_do_not_overshoot() -> None:
    """Two different samples within a microsecond do not throw a cubic off."""
    times = np.arange(100) / 40
    doubled = np.sort(np.r_[times, times[50] + 1e-6])
    values = np.sin(2 * np.pi * doubled)
    values[51] += 0.5
    pieces, _ = push_all([(EPOCH + doubled, six(values))])
    [(_, rows)] = stretches(pieces)
    assert np.abs(rows[:, 0]).max() < 2


def test_a_better_sensor_that_comes_late() -> None:
    """Rows go over to a better sensor once it has come for some seconds, and stay with it."""
    times = np.arange(1000) / 50
    late = times[times >= 2]
    readings = [
        sensor("accelerometer_uncalibrated", times, scale=1.0),
        sensor("gyroscope", times),
    ]
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for second in range(20):
        message = [within(one, EPOCH + second, EPOCH + second + 0.99) for one in readings]
        if second >= 2:
            better = sensor("accelerometer", late, scale=2.0)
            message.append(within(better, EPOCH + second, EPOCH + second + 0.99))
        pieces += resampler.push(0, message)[0]
    grids = stretches(pieces)
    assert 2 == len(grids)
    assert {"accelerometer": 50, "gyroscope": 50} == pytest.approx(resampler.rates_hz(0), abs=1)
    assert np.abs(grids[0][1][:, :3]).max() == pytest.approx(1, abs=0.01)
    assert np.abs(grids[1][1][:, :3]).max() == pytest.approx(2, abs=0.01)
    assert EPOCH + 6 < grids[1][0] < EPOCH + 9


@pytest.mark.parametrize("ahead_s", [0.0, 0.02, 0.15, -0.3, 3.0, -7200.0])
@pytest.mark.parametrize("together", [True, False])
def test_clocks_apart(ahead_s: float, together: bool) -> None:
    """Sensors whose newest samples never come near one another have clocks apart."""
    resampler = Resampler(1)
    for second in range(12):
        times = 1000 + second + np.arange(50) / 50
        message = [sensor("accelerometer", times + ahead_s), sensor("gyroscope", times)]
        for part in [message] if together else [[one] for one in message]:
            resampler.push(0, part)
    # Of sensors that take turns, the pause between messages may be a difference as well.
    is_apart = abs(ahead_s) > (0.1 if together or ahead_s > 0 else 1.0)
    assert is_apart == ("clocks-apart" in resampler.troubles(0))
    expected = ahead_s if is_apart else 0.0
    if together or not is_apart or abs(ahead_s) > 1:
        assert expected == pytest.approx(resampler.clocks_apart_s(0), abs=0.05 if together else 1.0)
    assert [] == resampler.lacks(0)


def test_sensors_that_take_long_turns() -> None:
    """Sensors that are sent in turns of eight seconds each make all rows, without a warning."""
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for turn in range(5):
        times = 8 * turn + np.arange(400) / 50
        for name in ("accelerometer", "gyroscope"):
            for part in cut(sensor(name, times), 10):
                pieces += resampler.push(0, [part])[0]
    [(_, rows)] = stretches(pieces)
    assert len(rows) >= 5 * 400 - 5
    assert frozenset() == resampler.troubles(0)


@pytest.mark.parametrize("rate_hz", [28.5, 29.9, 30.0, 30.4])
def test_a_rate_at_the_edge_does_not_flap(rate_hz: float) -> None:
    """A sensor just at the limit is slow or not, but not both by turns."""
    rng = np.random.default_rng(0)
    times = np.arange(1800) / rate_hz + rng.uniform(-0.01, 0.01, 1800)
    pieces, _ = push_all([numbered(EPOCH + times[k : k + 30]) for k in range(0, 1800, 30)])
    slow = ["low-rate" in one.troubles for one in pieces]
    assert 1 >= sum(one != other for one, other in pairwise(slow))


def test_a_sensor_that_ends() -> None:
    """When a sensor is switched off, it is missing after some seconds of the other's samples."""
    resampler = Resampler(1)
    for second in range(20):
        times = second + np.arange(50) / 50
        message = [sensor("accelerometer", times)]
        if second < 5:
            message.append(sensor("gyroscope", times))
        resampler.push(0, message)
    assert ["gyroscope"] == resampler.lacks(0)
    assert "clocks-apart" not in resampler.troubles(0)


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


def test_forms_that_take_turns() -> None:
    """If messages of two forms take turns, one of them makes rows, and two phones are told of."""
    resampler = Resampler(1)
    pieces: list[Piece] = []
    for second in range(30):
        times = second + np.arange(50) / 50
        pieces += resampler.push(0, [motion(*numbered(EPOCH + times))])[0]
        pieces += resampler.push(0, [sensor("accelerometer", times), sensor("gyroscope", times)])[0]
    assert "two-phones" in resampler.troubles(0)
    assert max(len(rows) for _, rows in stretches(pieces)) > 25 * 50


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
