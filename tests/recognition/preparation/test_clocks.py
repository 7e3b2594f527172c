import numpy as np
import pytest

from pipeline.recognition.preparation.pieces import Piece
from pipeline.recognition.preparation.resampler import Resampler
from tests.recognition.preparation.samples import cut, sensor, stretches


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


def test_sensors_that_alternate_slowly() -> None:
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
