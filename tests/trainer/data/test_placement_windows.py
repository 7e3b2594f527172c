import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.recordings import person_file, placement_sets
from pipeline.recordings.recording import DataError, Recording
from tests.made_sets import person_arrays, write_person, write_set
from tests.processes import ROOT
from trainer.data import kept_windows
from trainer.data.placement_windows import windows_by_person
from trainer.data.recorded_windows import RecordedWindows, windows_of


@pytest.fixture
def sets(tmp_path: Path) -> list[placement_sets.PlacementSet]:
    """Two sets that share a person."""
    write_set(tmp_path / "sets" / "Made_chest", ("s1", "s2"), seconds=8.0)
    write_set(tmp_path / "sets" / "Made_pocket", ("s2",), seconds=8.0)
    return placement_sets.find(tmp_path / "sets")


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the people's files that are prepared during a test."""
    names: list[str] = []
    read: Callable[..., list[Recording]] = person_file.read

    def noted(path: Path, *, original_names: bool = False) -> list[Recording]:
        if not original_names:
            names.append(path.name)
        return read(path, original_names=original_names)

    monkeypatch.setattr(person_file, "read", noted)
    return names


def owners(found: list[RecordedWindows]) -> list[tuple[str, str]]:
    """Return set and person of each."""
    return [(windows.data_set, windows.person) for windows in found]


def test_windows_come_by_person_and_set(
    sets: list[placement_sets.PlacementSet], tmp_path: Path
) -> None:
    """Who is in two sets comes twice, with the windows that the file gives."""
    found = list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    expected = [("Made_chest", "Made/s1"), ("Made_chest", "Made/s2"), ("Made_pocket", "Made/s2")]
    assert expected == owners(found)
    for windows, path in zip(found, sorted((tmp_path / "sets").glob("*/*.npz")), strict=True):
        direct = windows_of(person_file.read(path), hop=64)
        stairs = direct.recordings == 3
        assert stairs.tolist() == windows.is_stairs.tolist()
        assert (direct.worn_at, direct.activities) == (windows.worn_at, windows.activities)
        np.testing.assert_array_equal(direct.samples, windows.samples, strict=True)
        np.testing.assert_array_equal(direct.labels, windows.labels, strict=True)
        np.testing.assert_array_equal(direct.wearer_frames, windows.wearer_frames, strict=True)


def test_windows_are_prepared_once(
    sets: list[placement_sets.PlacementSet], tmp_path: Path, read_files: list[str]
) -> None:
    """The second time they are what was kept, bit for bit; another hop is another matter."""
    first = list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    assert ["s1.npz", "s2.npz", "s2.npz"] == read_files
    again = list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    assert 3 == len(read_files)
    assert owners(first) == owners(again)
    for one, other in zip(first, again, strict=True):
        for name in kept_windows._KEPT:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    assert len(first[0]) < len(next(windows_by_person(sets, hop=32, cache=tmp_path / "kept")))
    assert 4 == len(read_files)
    assert 4 == len(list((tmp_path / "kept").iterdir()))


def test_people_are_prepared_when_they_are_asked_for(
    sets: list[placement_sets.PlacementSet], tmp_path: Path, read_files: list[str]
) -> None:
    """Nothing is done ahead."""
    list(itertools.islice(windows_by_person(sets, hop=64, cache=tmp_path / "kept"), 2))
    assert ["s1.npz", "s2.npz"] == read_files


def test_another_file_is_prepared_anew(
    sets: list[placement_sets.PlacementSet], tmp_path: Path, read_files: list[str]
) -> None:
    """What was kept of it before is gone; what is kept of others stays."""
    kept = tmp_path / "kept"
    before = list(windows_by_person(sets, hop=64, cache=kept))
    names = set(kept.iterdir())
    write_person(tmp_path / "sets/Made_pocket/s2.npz", person_arrays("Made_pocket", "s2", seed=7))
    read_files.clear()
    after = list(windows_by_person(sets, hop=64, cache=kept))
    assert ["s2.npz"] == read_files
    assert not np.array_equal(before[2].samples, after[2].samples)
    assert (3, 1) == (len(list(kept.iterdir())), len(names - set(kept.iterdir())))


def test_other_code_prepares_anew(
    sets: list[placement_sets.PlacementSet],
    tmp_path: Path,
    read_files: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change of what makes windows is a change of the windows."""
    list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    monkeypatch.setattr(kept_windows, "_code_hash", lambda: "other")
    list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    assert 6 == len(read_files)
    assert 3 == len(list((tmp_path / "kept").iterdir()))


def test_a_damaged_cache_is_made_anew(
    sets: list[placement_sets.PlacementSet],
    tmp_path: Path,
    read_files: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A crash leaves whole files only; what a disk does to them is found and said."""
    first = list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    for path in (tmp_path / "kept").iterdir():
        os.truncate(path, path.stat().st_size // 2)
    read_files.clear()
    again = list(windows_by_person(sets, hop=64, cache=tmp_path / "kept"))
    assert 3 == len(read_files) == len(caplog.messages)
    assert "damaged, is made anew" in caplog.messages[0]
    np.testing.assert_array_equal(first[0].samples, again[0].samples)


def test_people_without_a_recording_to_use(tmp_path: Path) -> None:
    """They are passed over, also the second time."""
    folder = write_set(tmp_path / "Made", ("s1",), seconds=8.0)
    write_person(folder / "s0.npz", person_arrays("Made", "s0", ok=(0, 0, 0, 0)))
    for _ in range(2):
        found = windows_by_person([placement_sets.open_set(folder)], hop=64, cache=tmp_path / "k")
        assert [("Made", "Made/s1")] == owners(list(found))


def test_a_damaged_file_ends_it(sets: list[placement_sets.PlacementSet], tmp_path: Path) -> None:
    """It is named; the people before it have come."""
    (tmp_path / "sets/Made_chest/s2.npz").write_bytes(b"no")
    found = windows_by_person(sets, hop=64, cache=tmp_path / "kept")
    assert "Made/s1" == next(found).person
    with pytest.raises(DataError, match=r"Made_chest/s2\.npz: cannot be read"):
        next(found)


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes through all windows of the sets that are left, and judges people held out."""
    page = (ROOT / "docs" / "reference" / "data-sets.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    for name in ("IndoorSurvey_hand", "PDIoT_pocket", "WISDM2019_phone"):
        write_set(tmp_path / "placements" / name, ("s1",), seconds=8.0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example, names)
    assert "WISDM2019_phone" == names["held_out"].name
    assert ("WISDM2019/s1", True) == (names["windows"].person, names["is_to_judge"])
    assert 2 == len(list((tmp_path / "out-windows").iterdir()))
