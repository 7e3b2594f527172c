import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands.replay.counted_windows import CountedWindows
from pipeline.readings import Readings, Sensor
from pipeline.recognition.offline import RecordedPhone
from pipeline.recordings.recording import grid_times

EPOCH = 1.6e9


@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    gaps=st.sets(st.integers(0, 11), max_size=2),
    hop=st.integers(1, 128),
    sensor=st.sampled_from(["motion", "prepared"]),
)
@settings(max_examples=50)
def test_what_is_counted_is_what_is_made(
    sizes: list[int], gaps: set[int], hop: int, sensor: Sensor
) -> None:
    """Each message completes the windows that preparation makes of it, across gaps and hops."""
    counted, phone = CountedWindows(hop=hop), RecordedPhone(hop=hop)
    start = EPOCH
    for number, size in enumerate(sizes):
        start += 2.0 * (number in gaps)
        values = np.ones((size, 9 if sensor == "prepared" else 6))
        message = [Readings("phone", grid_times(start, size), values, sensor)]
        start += size / 50
        expected = phone.push(message).starts
        assert expected == pytest.approx(counted.push(message), abs=1e-6)


def test_nothing_is_complete_too_early() -> None:
    """A prepared window needs its 128 samples, a raw one the sample behind them too."""
    for sensor, n_columns, needed in (("prepared", 9, 128), ("motion", 6, 129)):
        windows = CountedWindows(hop=64)
        values = np.zeros((needed - 1, n_columns))
        assert not len(windows.push([Readings("p", grid_times(0.0, needed - 1), values, sensor)]))
        last = Readings("p", grid_times((needed - 1) / 50, 1), values[:1], sensor)
        assert [0.0] == windows.push([last]).tolist()
