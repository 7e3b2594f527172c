from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.gait import shipped_gait
from pipeline.recognition.offline import RecordedPhone
from pipeline.recognition.preparation.filters import SETTLING_ROWS
from pipeline.recognition.wearer.frame import UPRIGHT_KNOWN
from pipeline.recordings import person_file, simulated
from pipeline.recordings.recording import Recording
from pipeline.vocabulary import ACTIVITIES
from tests.made_sets import person_arrays, write_person
from trainer.data.raw_windows import cut, prepare
from trainer.data.recorded_windows import windows_of


def walk(seconds: float = 10.0) -> Recording:
    """Return a walk at 50 Hz of a person with a name, with times of its own."""
    (one,) = simulated.recordings(1, seconds=seconds, activity="WALKING")
    return replace(one, rate_hz=None, person="Made/s1", data_set="Made", worn_at="pocket")


def test_windows_are_those_that_a_live_phone_has() -> None:
    """At 50 Hz they are what the filters make of the samples, cut every hop."""
    recording = walk()
    (stretch,) = recording.stretches
    found = windows_of([recording], hop=32)
    expected = cut(prepare(stretch), hop=32)
    np.testing.assert_allclose(expected, found.samples, atol=1e-6)
    assert (np.float32, np.int8) == (found.samples.dtype, found.labels.dtype)
    n = len(expected)
    np.testing.assert_allclose(stretch.start + np.arange(n) * 32 / 50, found.starts, atol=1e-6)
    np.testing.assert_array_equal(np.arange(n) * 32 >= SETTLING_ROWS, found.is_settled)
    assert ("Made/s1", "Made", "pocket", n) == (
        found.person, found.data_set, found.worn_at, len(found)
    )  # fmt: skip


@given(rows=st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_windows_do_not_depend_on_how_a_recording_is_cut(rows: list[int]) -> None:
    """A recording in messages of any lengths has the same windows."""
    recording = walk(6.0)
    (stretch,) = recording.stretches
    ends = np.minimum(np.cumsum([0, *rows, len(stretch.times)]), len(stretch.times))
    pairs = zip(ends.tolist(), ends.tolist()[1:], strict=False)
    parts = tuple(stretch.part(first, last) for first, last in pairs if first < last)
    expected = windows_of([recording], hop=64)
    found = windows_of([replace(recording, stretches=parts)], hop=64)
    np.testing.assert_array_equal(expected.samples, found.samples)
    np.testing.assert_array_equal(expected.labels, found.labels)


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 50.0, 104.0])
def test_recordings_of_any_rate(tmp_path: Path, rate_hz: float) -> None:
    """They all have a window about every hop, numbered by recording, with its label."""
    path = write_person(tmp_path / "s1.npz", person_arrays(rate_hz=rate_hz, seconds=12.0))
    found = windows_of(person_file.read(path), hop=64)
    counts = np.bincount(found.recordings)
    assert [(12 * 50 - 1 - 128) // 64 + 1] * 4 == counts.tolist()
    names = [*found.activities, None]
    expected = np.repeat(["WALKING", "RUNNING", "SITTING", None], counts)
    assert expected.tolist() == [names[label] for label in found.labels]
    assert (found.starts[found.is_settled] >= SETTLING_ROWS / 50 - 1e-6).all()
    # A gait is one at any rate: as strong as at 50 Hz.
    at_50_hz = person_arrays(rate_hz=50.0, seconds=12.0)
    other = windows_of(person_file.read(write_person(path, at_50_hz)), hop=64)
    spreads = [one.samples[one.is_settled][:, :, 0].std() for one in (found, other)]
    assert spreads == pytest.approx([spreads[1]] * 2, rel=0.1)


def test_labels_of_windows() -> None:
    """A window has one if all its samples have the same, of those that are asked for."""
    recording = walk(20.0)
    (stretch,) = recording.stretches
    labels = np.repeat([0, 3, -1, 5], 250)
    recording = replace(recording, stretches=(replace(stretch, labels=labels),))
    found = windows_of([recording], hop=10, activities=("LAYING", "WALKING"))
    first = np.rint(found.starts * 50).astype(int) - round(stretch.start * 50)
    expected = {0: 1, 3: 0}  # quarters of WALKING and LAYING
    for start, label in zip(first.tolist(), found.labels.tolist(), strict=True):
        quarters = {start // 250, (start + 127) // 250}
        assert label == (expected.get(min(quarters), -1) if len(quarters) == 1 else -1)
    assert ("LAYING", "WALKING") == found.activities
    assert "SITTING" == ACTIVITIES[3]


def test_the_wearers_frame_is_learnt_as_live() -> None:
    """It is what a live phone's is, by each window's last sample."""
    recording = walk(20.0)
    phone = RecordedPhone(hop=16, gait=shipped_gait())
    messages = [[part.readings for part in message] for message in recording.messages]
    expected = np.concatenate([phone.push(message).wearer_frames for message in messages])
    found = windows_of([recording], hop=16).wearer_frames
    np.testing.assert_array_equal(expected, found[: len(expected)], strict=True)
    is_known = found[:, UPRIGHT_KNOWN] == 1
    assert is_known[-1]
    assert not is_known[0]


def test_recordings_with_walking_come_first() -> None:
    """The wearer's frame is kept from recording to recording; of two walks the first is first."""
    (stretch,) = walk().stretches
    unlabelled = replace(stretch, labels=np.full(len(stretch.labels), -1))
    rest = replace(walk(), stretches=(unlabelled,))
    given = [rest, walk(), walk(), replace(rest, activities=("soup",))]
    found = windows_of(given, hop=64)
    knows = [found.wearer_frames[found.recordings == k, UPRIGHT_KNOWN] for k in range(4)]
    assert not knows[1][0]
    assert all(all(knows[k]) for k in (0, 2, 3))
    assert [0, 1, 2, 3] == sorted(set(found.recordings.tolist()))
    assert (np.diff(found.recordings) >= 0).all()


def test_stairs_in_either_direction() -> None:
    """They have no label, but are marked where all of a window is stairs."""
    recordings = [walk(), walk()]
    named = [
        replace(one, activities=("stairs",), stretches=(replace(one.stretches[0], labels=labels),))
        for one, labels in zip(recordings, (np.repeat([-1, 0], 250), np.full(500, -1)), strict=True)
    ]
    found = windows_of(recordings, hop=64, originals=named)
    begins = found.starts - found.starts[0]
    assert ((found.recordings == 0) & (begins >= 5)).tolist() == found.is_stairs.tolist()
    assert found.is_stairs.any()
    assert not windows_of(recordings, hop=64).is_stairs.any()


@pytest.mark.parametrize(("pause_s", "n_lost"), [(0.1, 0), (0.3, 2), (0.45, 2)])
def test_no_window_is_across_a_gap(pause_s: float, n_lost: int) -> None:
    """A pause that a live phone bridges costs the windows across it, beyond 0.2 s."""
    (stretch,) = walk(20.0).stretches
    times = stretch.times + np.where(np.arange(1000) < 500, 0.0, pause_s)
    found, whole = (
        windows_of([replace(walk(20.0), stretches=(replace(stretch, times=t),))], hop=64)
        for t in (times, np.linspace(times[0], times[-1], 1000))
    )
    assert n_lost == len(whole) - len(found)
    before, behind = times[499], times[500]
    ends = found.starts + 127 / 50
    across = (found.starts <= before) & (ends >= behind)
    assert (n_lost == 0) == across.any()


def test_a_long_gap_begins_anew() -> None:
    """The filters settle again behind it, as a live phone's do."""
    (stretch,) = walk(20.0).stretches
    times = stretch.times + np.where(np.arange(1000) < 500, 0.0, 60.0)
    found = windows_of([replace(walk(20.0), stretches=(replace(stretch, times=times),))], hop=64)
    behind = found.starts >= times[500]
    one = windows_of([walk(10.0)], hop=64)
    expected = one.is_settled.tolist()
    assert (expected, expected) == (
        found.is_settled[~behind].tolist(), found.is_settled[behind].tolist()
    )  # fmt: skip


def test_a_recording_without_windows() -> None:
    """It is too short for one; others keep their numbers."""
    found = windows_of([walk(1.0), walk(6.0)], hop=64)
    assert {1} == set(found.recordings.tolist())
    assert 0 == len(windows_of([walk(1.0)], hop=64))


def test_recordings_of_two_people() -> None:
    """They are an error of the caller's, as none at all are."""
    for recordings in ([], [walk(), replace(walk(), person="Made/s2")]):
        with pytest.raises(ValueError, match="unpack"):
            windows_of(recordings, hop=64)


def test_sections_end_at_gaps_and_recordings() -> None:
    """Each is of one recording without a gap, and its windows give its samples back."""
    first, second = walk(8.0), walk(6.0)
    windows = windows_of([first, second], hop=32)
    kept = np.arange(len(windows)) != 3
    parted = replace(windows, **{name: getattr(windows, name)[kept] for name in _ARRAYS})
    sections = parted.sections(hop=32)
    ends = np.flatnonzero(windows.recordings == 0)[-1]
    expected = [[0, 1, 2], [*range(3, ends)], [*range(ends, len(parted))]]
    assert expected == [section.tolist() for section in sections]
    whole = windows.sections(hop=32)[1]
    (stretch,) = second.stretches
    prepared = prepare(stretch)
    np.testing.assert_allclose(
        prepared[: 128 + 32 * (len(whole) - 1)], windows.signal(whole, hop=32), atol=1e-6
    )
    empty = replace(windows, **{name: getattr(windows, name)[:0] for name in _ARRAYS})
    assert [] == empty.sections(hop=32)


_ARRAYS = (
    *("samples", "labels", "is_settled", "recordings", "starts"),
    *("is_stairs", "wearer_frames"),
)
