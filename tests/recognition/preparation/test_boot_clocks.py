import numpy as np
import pytest

from pipeline.recognition.preparation.boot_clocks import CLOCK_CHECKED_S, BootClocks

EPOCH = 1698501144.4
SPAN_S = CLOCK_CHECKED_S


def read(clocks: BootClocks, delays_s: list[float], *, first: float) -> list[float]:
    """Read a phone's clock once a span, each message so late; return by how much it was misread."""
    times = [first + number * SPAN_S for number in range(len(delays_s))]
    return [
        clocks.read(0, time, EPOCH + time + delay_s)
        for time, delay_s in zip(times, delays_s, strict=True)
    ]


def test_a_clock_that_shows_the_epoch() -> None:
    """What was never read as a clock since boot dates as it says, and tells no age."""
    clocks = BootClocks(2)
    clocks.read(1, 100.0, EPOCH + 100.0)

    assert EPOCH + 7 == clocks.dated(0, EPOCH + 7)
    assert 0.0 == clocks.age_s(0, EPOCH, EPOCH + 7)


def test_a_clock_that_was_misread() -> None:
    """It is read anew when two spans agree that messages come sooner after all."""
    clocks = BootClocks(1)
    clocks.read(0, 95.0, EPOCH + 95.0 + 30.0)
    assert EPOCH + 125.0 == clocks.dated(0, 95.0)

    earlier_s = read(clocks, [0.2, 0.1, 0.3], first=100.0)

    assert [0.0, 29.9, 0.0] == pytest.approx(earlier_s)
    assert 1.0 == pytest.approx(clocks.age_s(0, 120.0, EPOCH + 121.1))


def test_a_backlog_dates_nothing_anew() -> None:
    """While each message comes sooner than the one before, the clock stays as it was read."""
    clocks = BootClocks(1)
    clocks.read(0, 95.0, EPOCH + 95.0 + 30.0)
    clocks.dated(0, 95.0)

    assert [0.0] * 5 == read(clocks, [25.0, 20.0, 15.0, 10.0, 5.0], first=100.0)


def test_another_boot() -> None:
    """A grid that begins earlier on the clock than the one before is of another boot."""
    clocks = BootClocks(1)
    clocks.read(0, 500.0, EPOCH + 500.0)
    clocks.dated(0, 499.0)
    clocks.read(0, 20.0, EPOCH + 1000.0)

    assert EPOCH + 1000.0 == pytest.approx(clocks.dated(0, 20.0))


def test_a_forgotten_clock() -> None:
    """A phone whose state is dropped is as one never seen."""
    clocks = BootClocks(1)
    fresh = {name: array.copy() for name, array in clocks.state(np.array([0])).items()}
    clocks.read(0, 100.0, EPOCH)
    clocks.dated(0, 100.0)

    clocks.reset([0])

    for name, array in clocks.state(np.array([0])).items():
        np.testing.assert_array_equal(array, fresh[name])
