from pathlib import Path

import pytest

from tests.benchmarks import placement_sets
from tests.benchmarks.figures import NotMeasuredError, Options
from tests.made_sets import write_set


def options(data: Path) -> Options:
    """Return options that name a folder of data sets."""
    return Options(data, models=[], seconds=1.0, training=False, full=False, json=None)


def test_all_sets_are_measured(tmp_path: Path) -> None:
    """The figures say how much was read and prepared, and what is kept gives the same windows."""
    write_set(tmp_path / "placements" / "Made", ("s1", "s2"), seconds=36.0)
    read, prepared, again, disk = placement_sets.measure(options(tmp_path))
    assert read.detail.startswith("2 files, 8 recordings, 0.1 h; CPU time ")
    of_each = (36 * 50 - 1 - 128) // 64 + 1
    words = f"{2 * 4 * of_each:,} windows, {2 * 3 * (of_each - 3):,} of them settled and labelled"
    assert (words, words) == tuple(one.detail.split(";")[0] for one in (prepared, again))
    assert 0.5 < disk.value / (2 * 4 * of_each * 128 * 9 * 4 / 2**20) < 1.5


def test_no_sets(tmp_path: Path) -> None:
    """Then the reason is given."""
    with pytest.raises(NotMeasuredError, match=f"{tmp_path}/placements: no such folder"):
        placement_sets.measure(options(tmp_path))
