from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings import placement_sets, simulated
from pipeline.recordings.person_file import PLACEMENT_ACTIVITIES
from pipeline.recordings.recording import Recording
from tests.made_sets import write_set
from trainer.data import any_place
from trainer.data.any_place import people
from trainer.data.recorded_windows import windows_of


def at_the_waist(n: int) -> list[Recording]:
    """Return walks of so many people, as a data set's at the waist."""
    return [
        replace(one, person=str(number), worn_at="waist", data_set="Waist")
        for number, one in enumerate(simulated.recordings(n, seconds=8, activity="WALKING"))
    ]


def test_everybody_has_windows_of_one_form(tmp_path: Path) -> None:
    """Those of raw recordings come first, then those of placement sets, activities alike."""
    write_set(tmp_path / "sets" / "Made_pocket", ("s1", "s2"), seconds=8.0)
    sets = placement_sets.find(tmp_path / "sets")
    raw = at_the_waist(2)
    found = list(people(sets, raw, hop=64, cache=tmp_path / "kept"))
    assert [
        ("0", "Waist", "waist"),
        ("1", "Waist", "waist"),
        ("Made/s1", "Made_pocket", "trousers pocket"),
        ("Made/s2", "Made_pocket", "trousers pocket"),
    ] == [(one.person, one.data_set, one.worn_at) for one in found]
    assert {PLACEMENT_ACTIVITIES} == {one.activities for one in found}
    for one, recording in zip(found, raw, strict=False):
        expected = windows_of([recording], hop=64)
        np.testing.assert_array_equal(expected.samples, one.samples, strict=True)
        np.testing.assert_array_equal(expected.labels, one.labels, strict=True)
        np.testing.assert_array_equal(expected.wearer_frames, one.wearer_frames, strict=True)


def test_raw_recordings_are_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other samples, times, labels or activities are prepared anew."""
    prepared: list[str] = []

    def noted(recordings: Sequence[Recording], *, hop: int) -> object:
        prepared.append(recordings[0].person)
        return windows_of(recordings, hop=hop)

    monkeypatch.setattr(any_place, "windows_of", noted)
    (one,) = at_the_waist(1)
    (stretch,) = one.stretches
    others = [
        one.moved(1.0),
        replace(one, activities=one.activities[::-1]),
        replace(one, stretches=(replace(stretch, labels=-np.ones_like(stretch.labels)),)),
        replace(one, stretches=(replace(stretch, samples=stretch.samples * 1.01),)),
    ]
    for recording in (one, one, *others):
        list(people([], [recording], hop=64, cache=tmp_path))
    assert 1 + len(others) == len(prepared)
    assert 1 == len(list(tmp_path.iterdir()))
