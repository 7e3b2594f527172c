from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recognition.preparation.pace import (
    LOWEST_RATE_HZ,
    NEEDED_RATE_HZ,
    STEADY_PACE,
    NeededRates,
    Pace,
)
from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    motion,
    numbered,
    paced,
    push_all,
    sensor,
    six,
    stretches,
)


def test_rates_of_the_sensors_in_use() -> None:
    """The rates of the sensors in use are known, each for itself."""
    resampler = Resampler(1)
    resampler.push(0, [sensor("accelerometer", np.arange(100) / 100)])
    resampler.push(0, [sensor("gyroscope", np.arange(200) / 200)])

    assert resampler.rates_hz(0) == pytest.approx(
        {"accelerometer": 100, "gyroscope": 200}, rel=1e-3
    )


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


@pytest.mark.parametrize("rate_hz", [28.5, 29.9, 30.0, 30.4])
def test_a_rate_at_the_edge_does_not_flap(rate_hz: float) -> None:
    """A sensor just at the limit is slow or not, but not both by turns."""
    rng = np.random.default_rng(0)
    times = np.arange(1800) / rate_hz + rng.uniform(-0.01, 0.01, 1800)
    pieces, _ = push_all([numbered(EPOCH + times[k : k + 30]) for k in range(0, 1800, 30)])
    slow = ["low-rate" in one.troubles for one in pieces]
    assert 1 >= sum(one != other for one, other in pairwise(slow))


@given(
    rates_hz=st.lists(st.floats(5.0, 120.0), max_size=20),
    needed_hz=st.floats(LOWEST_RATE_HZ, NEEDED_RATE_HZ),
)
def test_one_steadied_rate_serves_all_models(rates_hz: list[float], needed_hz: float) -> None:
    """Whatever a model needs, a sensor is slow below 28/30 of it, and then until it reaches it."""
    pace, is_slow = STEADY_PACE, False
    for rate_hz in rates_hz:
        pace = Pace.of(rate_hz, before=pace)
        bound_hz = needed_hz if is_slow else needed_hz * 28 / 30
        if abs(rate_hz / bound_hz - 1) < 1e-9:  # as it is rounded
            return
        is_slow = rate_hz < bound_hz
        assert is_slow == (pace.steadied_hz < needed_hz)


def test_the_usual_bounds_are_exact() -> None:
    """A sensor becomes slow just below 28 Hz, and is slow no more at just 30 Hz."""
    below_28, below_30 = np.nextafter([28.0, 30.0], 0.0)
    slow = Pace.of(below_28, before=STEADY_PACE)
    assert slow.steadied_hz < NEEDED_RATE_HZ
    assert Pace.of(below_30, before=slow).steadied_hz < NEEDED_RATE_HZ
    assert STEADY_PACE == Pace.of(30.0, before=slow)
    assert STEADY_PACE == Pace.of(28.0, before=STEADY_PACE)


@pytest.mark.parametrize(
    ("rate_hz", "is_slow"), [(20.0, False), (19.6, False), (17.9, False), (17.5, True)]
)
@pytest.mark.parametrize("size", [1, 9, 10_000])
def test_a_phone_elsewhere(rate_hz: float, is_slow: bool, size: int) -> None:
    """What counts is what the phone's own model needs, and it needs not be reached exactly."""
    times = np.arange(round(10 * rate_hz)) / rate_hz
    for at_waist in (False, True):
        needed = NeededRates(30.0, 19.0, lambda _, at_waist=at_waist: at_waist)
        resampler = Resampler(1, needed_rates=needed)
        pieces: list[Piece] = []
        for k in range(0, len(times), size):
            pieces += resampler.push(0, [motion(*numbered(EPOCH + times[k : k + size]))])[0]
        late = [piece for piece in pieces if piece.origin is None or size > len(times)]
        assert (at_waist or is_slow) == ("low-rate" in resampler.troubles(0))
        assert (at_waist or is_slow) == ("low-rate" in late[-1].troubles)
