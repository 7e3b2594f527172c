import numpy as np
import pytest

from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import (
    EPOCH,
    expected_rows,
    numbered,
    numbers,
    on_grid,
    push_all,
    push_readings,
    sensor,
    six,
    stretches,
)


def test_a_long_pause_begins_a_new_grid() -> None:
    """After more than half a second without a sample a new grid begins, at the next sample."""
    late = EPOCH + 49 / 50 + 0.501
    parts = [on_grid(50), numbered(late + np.arange(50) / 50, first=50)]

    pieces, dropped = push_all(parts)

    assert 0 == dropped
    assert [EPOCH, late] == [origin for origin, _ in stretches(pieces)]
    assert [list(range(50)), list(range(50, 100))] == numbers(pieces)


@pytest.mark.parametrize("epoch", [0.0, 1000.0, EPOCH, EPOCH + 0.1, 1.7e9 + 1 / 3])
def test_half_a_second_is_no_gap(epoch: float) -> None:
    """A pause of half a second, to the precision of epoch seconds, is bridged."""
    times = np.concatenate([np.arange(10) / 50, 0.18 + 0.5 + np.arange(10) / 50])

    pieces, _ = push_all([numbered(epoch + times)])

    [(origin, rows)] = stretches(pieces)
    assert origin == epoch
    assert 10 + 24 + 10 == len(rows)


def test_a_gap_within_a_message() -> None:
    """A pause within one message is a gap as between messages."""
    times = np.concatenate([np.arange(30), 100 + np.arange(30)]) / 50

    pieces, _ = push_all([numbered(EPOCH + times)])

    assert [list(range(30)), list(range(30, 60))] == numbers(pieces)


def test_sensors_with_times_of_their_own() -> None:
    """Accelerometer and gyroscope at other rates and times make one grid, each interpolated."""
    acc = sensor("accelerometer", 0.0042 + np.arange(500) / 100, scale=2.0)
    gyro = sensor("gyroscope", 0.0131 + np.arange(300) / 60, scale=0.5)

    [(origin, rows)] = stretches(push_readings([acc, gyro]))

    assert origin == pytest.approx(EPOCH + 0.0131, abs=1e-6)
    assert len(rows) >= 245
    expected = expected_rows(len(rows), first_s=0.0131, acc=2.0, gyro=0.5)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=0.02)


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


def test_a_clock_that_is_slow_does_not_drift() -> None:
    """A phone that samples at 49 Hz gives 50 rows a second: times decide, never counts."""
    times = np.arange(49 * 60) / 49

    pieces, _ = push_all([(EPOCH + times, six(times))])

    [(_, rows)] = stretches(pieces)
    assert abs(60 * 50 - len(rows)) <= 2
    np.testing.assert_allclose(rows[:, 0], np.arange(len(rows)) / 50, rtol=0, atol=1e-3)
