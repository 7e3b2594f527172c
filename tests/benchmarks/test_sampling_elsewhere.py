from pathlib import Path

import pytest

from tests.benchmarks import sampling_elsewhere
from tests.benchmarks.figures import NotMeasuredError, Options
from tests.made_sets import write_set


def options(data: Path) -> Options:
    """Return options that name a folder of data sets."""
    return Options(data, models=[], seconds=1.0, training=False, full=False, json=None)


def test_every_rate_has_its_figure(tmp_path: Path) -> None:
    """Windows are found at all of them, and each is held against the recording as it is."""
    folder = tmp_path / "placements" / sampling_elsewhere.SET
    write_set(folder, ("made_1",), rate_hz=50.0, did=("walking",))
    first, *others = sampling_elsewhere.measure(options(tmp_path))
    assert len(sampling_elsewhere.RATES_HZ) == len(others)
    for figure in others:
        assert f"{figure.value - first.value:+.2f} points" == figure.detail


def test_the_set_is_missing(tmp_path: Path) -> None:
    """Then the reason is given."""
    write_set(tmp_path / "placements" / "Made_pocket", ("made_1",))
    with pytest.raises(NotMeasuredError, match="has no MotionSense"):
        sampling_elsewhere.measure(options(tmp_path))
