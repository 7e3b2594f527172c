import numpy as np
import pytest

from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import EPOCH, cut, sensor, stretches, within


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
    assert 500 == len(first[1])
    assert EPOCH + 10 <= second[0] <= EPOCH + 16


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
