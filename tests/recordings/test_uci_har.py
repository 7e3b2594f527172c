"""The UCI HAR data set: reading, checking, and rebuilding what its windows were cut from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.recordings import uci_har
from pipeline.recordings.recording import DataError, Recording
from pipeline.recordings.uci_har import OVERLAP, SAMPLES_BETWEEN_BOUTS, DataSet, Split
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

Files = dict[str, bytes]
AsFolder = Callable[..., Path]

ACC = "train/Inertial Signals/body_acc_x_train.txt"
GYRO = "test/Inertial Signals/body_gyro_z_test.txt"


@pytest.fixture(scope="module")
def real(real_uci_har: Path, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Return the real data set, parsed."""
    return uci_har.load(real_uci_har, download=False, cache=tmp_path_factory.mktemp("cache"))


def _cut(recordings: list[Recording]) -> Split:
    """Cut windows from recordings as the data set's authors did."""
    windows, labels, subjects = [], [], []
    for recording in recordings:
        for stretch in recording.stretches:
            starts = sliding_window_view(stretch.samples, WINDOW_LENGTH, axis=0)[::OVERLAP]
            windows.append(starts.swapaxes(1, 2))  # (n_windows, 128, 9)
            labels += [stretch.labels[0]] * len(starts)
            subjects += [int(recording.device.removeprefix("subject-"))] * len(starts)
    return Split(np.concatenate(windows), np.array(labels, np.int8), np.array(subjects, np.int8))


def _assert_same(expected: Split, found: Split) -> None:
    for part, array in vars(expected).items():
        np.testing.assert_array_equal(array, getattr(found, part), strict=True)


def test_the_real_data_set_is_the_published_one(real: DataSet) -> None:
    """The figures are those of the authors' README and of the files counted once."""
    assert real.published
    assert "2084f4f2c05f1fef" == real.data_hash
    assert (7352, WINDOW_LENGTH, len(CHANNELS)) == real.train.windows.shape
    assert (2947, WINDOW_LENGTH, len(CHANNELS)) == real.test.windows.shape
    assert [1226, 1073, 986, 1286, 1374, 1407] == np.bincount(real.train.labels).tolist()
    assert [496, 471, 420, 491, 532, 537] == np.bincount(real.test.labels).tolist()
    assert [2, 4, 9, 10, 12, 13, 18, 20, 24] == np.unique(real.test.subjects).tolist()
    assert 21 == len(np.unique(real.train.subjects))


def test_the_real_numbers_are_those_of_the_text(real: DataSet) -> None:
    """The first numbers of two files are where they belong."""
    assert np.float32(1.8085150e-004) == real.train.windows[0, 0, 0]
    assert np.float32(1.0138560e-002) == real.train.windows[0, 1, 0]
    assert np.float32(1.1653150e-002) == real.test.windows[0, 0, 0]


@pytest.mark.parametrize(("split", "n_bouts"), [("train", 600), ("test", 257)])
def test_the_real_windows_share_samples_but_at_the_starts_of_bouts(
    real: DataSet, split: str, n_bouts: int
) -> None:
    """Neighbours share 64 samples in all channels or in none, and only within one activity."""
    windows = getattr(real, split).windows
    shared = (windows[:-1, -OVERLAP:] == windows[1:, :OVERLAP]).all(axis=1)  # (n - 1, 9)
    np.testing.assert_array_equal(shared.any(axis=1), shared.all(axis=1))
    np.testing.assert_array_equal(shared.all(axis=1), uci_har.continues(getattr(real, split)))
    assert n_bouts == 1 + np.count_nonzero(~shared.all(axis=1))


@pytest.mark.parametrize(("split", "n_bouts"), [("train", 600), ("test", 257)])
def test_the_real_recordings_hold_exactly_the_windows(
    real: DataSet, split: str, n_bouts: int
) -> None:
    """Cut every 64 samples, the stretches give every window of the split, bit for bit."""
    recordings = uci_har.recordings(getattr(real, split))
    _assert_same(getattr(real, split), _cut(recordings))
    assert n_bouts == sum(len(recording.stretches) for recording in recordings)


def test_the_hash_is_over_the_files_that_are_read() -> None:
    """These are nine signals, the labels and the subjects of two splits: 22 files."""
    assert 22 == len(set(uci_har.members()))
    assert 18 == sum("Inertial Signals" in name for name in uci_har.members())
    assert {"train/y_train.txt", "test/subject_test.txt", ACC, GYRO} <= set(uci_har.members())


def test_another_data_set_of_the_same_form_is_taken_as_such(
    tmp_path: Path, uci_har_files: Files, as_folder: AsFolder
) -> None:
    """It is read, but is not said to be the published one."""
    data = uci_har.load(as_folder(uci_har_files, tmp_path / "data"), cache=tmp_path)
    assert not data.published
    assert tmp_path / "data" == data.source
    assert [4, 4, 0, 0, 0, 0, 0, 0, 5, 5] == data.train.labels.tolist()
    assert [1, 1, 1, 1, 1, 3, 3, 3, 3, 3] == data.train.subjects.tolist()
    assert [1, 1, 1, 3, 3] == data.test.labels.tolist()
    channel = CHANNELS.index("total_acc_y")
    expected = np.loadtxt(tmp_path / "data" / "test/Inertial Signals/total_acc_y_test.txt")
    np.testing.assert_array_equal(expected.astype(np.float32), data.test.windows[:, :, channel])


def test_the_second_time_it_comes_from_the_cache(
    tmp_path: Path, uci_har_files: Files, as_folder: AsFolder
) -> None:
    """What is read again, or read after the cache was damaged, is the same."""
    folder = as_folder(uci_har_files, tmp_path / "data")
    first = uci_har.load(folder, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    modified_ns = kept.stat().st_mtime_ns
    second = uci_har.load(folder, cache=tmp_path / "cache")
    assert modified_ns == kept.stat().st_mtime_ns
    kept.write_bytes(kept.read_bytes()[:5000])
    third = uci_har.load(folder, cache=tmp_path / "cache")
    for again in (second, third):
        assert first.data_hash == again.data_hash
        _assert_same(first.train, again.train)
        _assert_same(first.test, again.test)


def _without(files: Files, name: str) -> Files:
    return {other: content for other, content in files.items() if other != name}


def _with_rows(files: Files, name: str, change: Callable[[list[bytes]], list[bytes]]) -> Files:
    return files | {name: b"\n".join(change(files[name].splitlines())) + b"\n"}


@pytest.mark.parametrize("name", [ACC, GYRO, "train/y_train.txt", "test/subject_test.txt"])
def test_a_missing_file_is_named(
    tmp_path: Path, uci_har_files: Files, as_folder: AsFolder, name: str
) -> None:
    """Without any of its files the data set is refused."""
    folder = as_folder(_without(uci_har_files, name), tmp_path / "data")
    with pytest.raises(DataError, match=f"{folder}: lacks the file {name}"):
        uci_har.load(folder, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (ACC, lambda rows: [*rows, rows[0]], "has 11 rows, but there are 10"),
        (GYRO, lambda rows: rows[1:], "has 4 rows, but there are 5"),
        (ACC, lambda rows: [row.rpartition(b" ")[0] for row in rows], "127 numbers in a row"),
        (GYRO, lambda rows: [rows[0] + b" 1", *rows[1:]], "number of columns changed"),
        (ACC, lambda rows: [b"one" + rows[0], *rows[1:]], "could not convert string"),
        (ACC, lambda rows: [rows[0], b" nan" * 128, *rows[2:]], "row 2 .* not finite"),
        ("train/y_train.txt", lambda rows: [*rows[:-1], b"0"], "row 10 holds 0, not 1 to 6"),
        ("test/y_test.txt", lambda rows: [b"7", *rows[1:]], "row 1 holds 7, not 1 to 6"),
        ("test/y_test.txt", lambda rows: [b"1.5", *rows[1:]], "row 1 holds 1.5, not 1 to 6"),
        ("test/y_test.txt", lambda rows: [*rows, b"1"], "has 6 rows, but there are 5"),
        ("test/subject_test.txt", lambda rows: [b"31"] * 5, "row 1 holds 31, not 1 to 30"),
        ("test/subject_test.txt", lambda rows: [b"-2"] * 5, "row 1 holds -2, not 1 to 30"),
        ("test/subject_test.txt", lambda rows: [b"3"] * 5, r"\[3\] are in the training split too"),
        ("train/subject_train.txt", lambda rows: [], "is empty"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    tmp_path: Path,
    uci_har_files: Files,
    as_folder: AsFolder,
    name: str,
    change: Callable[[list[bytes]], list[bytes]],
    reason: str,
) -> None:
    """The error says which file it is, and what is wrong with it; nothing is kept of it."""
    folder = as_folder(_with_rows(uci_har_files, name, change), tmp_path / "data")
    with pytest.raises(DataError, match=rf"{folder}: {name}: .*{reason}"):
        uci_har.load(folder, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["body_acc_x", "total_acc_z"])
def test_windows_that_do_not_overlap_are_refused(
    tmp_path: Path, uci_har_files: Files, as_folder: AsFolder, name: str
) -> None:
    """If one channel's windows do not continue each other, the windows are not in order."""
    file = f"train/Inertial Signals/{name}_train.txt"
    folder = as_folder(_with_rows(uci_har_files, file, lambda rows: rows[::-1]), tmp_path / "data")
    with pytest.raises(DataError, match=r"train/: only 0 of 6 windows begin with the 64"):
        uci_har.load(folder, cache=tmp_path / "cache")


bouts_of_a_subject = st.lists(
    st.tuples(st.integers(0, len(ACTIVITIES) - 1), st.integers(1, 4)), min_size=1, max_size=5
)


@given(
    bouts=st.dictionaries(st.integers(1, 30), bouts_of_a_subject, min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_recordings_hold_exactly_the_windows(
    bouts: dict[int, list[tuple[int, int]]], seed: int
) -> None:
    """Whatever bouts windows were cut from, the recordings are those bouts, in order."""
    rng = np.random.default_rng(seed)
    streams, windows, labels, subjects = [], [], [], []
    for subject in sorted(bouts):
        for label, n_windows in bouts[subject]:
            stream = rng.normal(size=(OVERLAP * (n_windows + 1), len(CHANNELS)))
            streams.append(stream.astype(np.float32))
            windows += [streams[-1][64 * k : 64 * k + 128] for k in range(n_windows)]
            labels += [label] * n_windows
            subjects += [subject] * n_windows
    split = Split(np.array(windows), np.array(labels, np.int8), np.array(subjects, np.int8))
    recordings = uci_har.recordings(split)
    _assert_same(split, _cut(recordings))
    assert [f"subject-{subject:02d}" for subject in sorted(bouts)] == [
        recording.device for recording in recordings
    ]
    found = [stretch for recording in recordings for stretch in recording.stretches]
    assert len(streams) == len(found)
    for stream, stretch in zip(streams, found, strict=True):
        np.testing.assert_array_equal(stream, stretch.samples, strict=True)


def test_stretches_lie_on_the_grid_with_a_break_between_them(
    tmp_path: Path, uci_har_files: Files, as_folder: AsFolder
) -> None:
    """Each begins 2 s after the last sample's end of the one before, to the bit of n / 50."""
    data = uci_har.load(as_folder(uci_har_files, tmp_path / "data"), cache=tmp_path)
    first, third = uci_har.recordings(data.train)
    assert ("subject-01", "subject-03") == (first.device, third.device)
    assert ("UCI HAR", "1", "waist") == (first.data_set, first.person, first.worn_at)
    assert [192, 256] == [len(stretch.samples) for stretch in first.stretches]
    assert [0.0, (192 + SAMPLES_BETWEEN_BOUTS) / SAMPLING_RATE_HZ] == [
        stretch.start for stretch in first.stretches
    ]
    assert [128, 192, 192] == [len(stretch.samples) for stretch in third.stretches]
    assert [0.0, 4.56, 10.4] == [stretch.start for stretch in third.stretches]
    assert [{0}, {0}, {5}] == [set(stretch.labels.tolist()) for stretch in third.stretches]
