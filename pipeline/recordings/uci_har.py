"""The UCI HAR data set: its windows, checked, and the recordings that they were cut from.

Anguita et al., "A Public Domain Dataset for Human Activity Recognition Using Smartphones",
ESANN 2013: 30 subjects with a phone on the waist, windows of 128 samples of the nine prepared
channels, half overlapping. Where the files are found is decided by `datasets`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import datasets
from pipeline.recordings.dataset_files import DataSetFiles
from pipeline.recordings.recording import DataError, Recording, Stretch, grid_times
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, WINDOW_LENGTH

PUBLISHED_HASH: Final = "2084f4f2c05f1fef"
"""`DataSet.data_hash` of the files as their authors published them."""

OVERLAP: Final = 64
"""Samples that neighbouring windows of one bout share."""

SAMPLES_BETWEEN_BOUTS: Final = 100
"""Samples that `recordings` leaves out between two bouts: 2 s. The true breaks are not known."""

N_SUBJECTS: Final = 30

_SPLITS: Final = ("train", "test")
_CACHE_VERSION: Final = 1  # to be raised with any change of what is cached


@dataclass(frozen=True)
class Split:
    """The windows of some subjects, grouped by subject, in the order of their recording."""

    windows: NDArray[np.float32]
    """``(n_windows, 128, 9)`` in g and rad/s, channels in the order of `CHANNELS`"""
    labels: NDArray[np.int8]
    """``(n_windows,)``: index into `ACTIVITIES`"""
    subjects: NDArray[np.int8]
    """``(n_windows,)``: 1 to 30"""

    def chosen(self, which: NDArray[np.bool_]) -> "Split":
        """Return those windows where ``which`` ``(n_windows,)`` is true."""
        return Split(self.windows[which], self.labels[which], self.subjects[which])


@dataclass(frozen=True)
class DataSet:
    """The two splits as published; no subject is in both."""

    train: Split
    test: Split
    data_hash: str
    """`datasets.data_hash` of the files read"""
    source: Path
    """The zip or the folder"""
    published: bool
    """Whether these are the published files; else they only look like them"""


def load(data: Path | None = None, *, download: bool = True, cache: Path | None = None) -> DataSet:
    """Return the data set, from wherever `datasets.opened` finds it.

    It is checked when read for the first time, and kept parsed in the cache folder.

    Raises:
        DataError: it is missing, damaged, or not what its authors describe.
    """
    cache = datasets.cache_folder() if cache is None else cache
    with datasets.opened(datasets.UCI_HAR, data, download=download, cache=cache) as files:
        data_hash = datasets.data_hash(files, members())
        arrays = datasets.cached_arrays(
            cache / f"uci-har-{data_hash}-v{_CACHE_VERSION}.npz", lambda: _read(files)
        )
        train, test = (
            Split(*(arrays[f"{split}_{part}"] for part in ("windows", "labels", "subjects")))
            for split in _SPLITS
        )
        return DataSet(train, test, data_hash, files.source, data_hash == PUBLISHED_HASH)


def recordings(split: Split) -> list[Recording]:
    """Return what the windows were cut from: one recording a subject, one stretch a bout.

    Windows cut from each stretch, `OVERLAP` samples apart, are those of the split. As the true
    times are not published, the bouts of a subject follow each other with `SAMPLES_BETWEEN_BOUTS`
    left out between them.
    """
    return [
        datasets.recording_of(datasets.UCI_HAR, subject, _stretches(split, subject))
        for subject in np.unique(split.subjects).tolist()
    ]


def members() -> list[str]:
    """Return the names of the 22 files that are read, relative to the data set's root."""
    return [
        name
        for split in _SPLITS
        for name in (
            *(_signal_file(split, channel) for channel in CHANNELS),
            _label_file(split),
            _subject_file(split),
        )
    ]


def continues(split: Split) -> NDArray[np.bool_]:
    """Return ``(n_windows - 1,)``, whether each window but the first continues the one before.

    It does if it begins with the samples that the one before ends with: on the published files
    this is so in all nine channels or in none, and only for one subject and one activity.
    """
    same = split.windows[:-1, -OVERLAP:] == split.windows[1:, :OVERLAP]
    shared: NDArray[np.bool_] = same.all(axis=(1, 2))
    return _alike(split) & shared


def _stretches(split: Split, subject: int) -> Iterator[Stretch]:
    of_subject = split.chosen(split.subjects == subject)
    firsts = np.flatnonzero(np.concatenate([[True], ~continues(of_subject)]))
    start = 0  # samples
    for windows, labels in zip(
        np.split(of_subject.windows, firsts[1:]),
        np.split(of_subject.labels, firsts[1:]),
        strict=True,
    ):
        new = windows[1:, OVERLAP:].reshape(-1, len(CHANNELS))
        samples = np.concatenate([windows[0], new])  # (n_samples, 9)
        times = grid_times(start / SAMPLING_RATE_HZ, len(samples))
        yield Stretch(times, samples, np.full(len(samples), labels[0], np.int8), "prepared")
        start += len(samples) + SAMPLES_BETWEEN_BOUTS


def _read(files: DataSetFiles) -> dict[str, NDArray[np.float32] | NDArray[np.int8]]:
    splits = {name: _read_split(files, name) for name in _SPLITS}
    in_both = np.intersect1d(splits["train"].subjects, splits["test"].subjects)
    if len(in_both):
        raise DataError(
            f"{files.source}: {_subject_file('test')}: subjects {in_both.tolist()} "
            "are in the training split too"
        )
    return {
        f"{name}_{part}": array
        for name, split in splits.items()
        for part, array in vars(split).items()
    }


def _read_split(files: DataSetFiles, name: str) -> Split:
    subjects = _read_integers(files, _subject_file(name), highest=N_SUBJECTS)
    labels = _read_integers(files, _label_file(name), highest=len(ACTIVITIES)) - np.int8(1)
    _check_rows(files, _label_file(name), len(labels), expected=len(subjects))
    windows = np.empty((len(subjects), WINDOW_LENGTH, len(CHANNELS)), np.float32)
    for channel, channel_name in enumerate(CHANNELS):
        file = _signal_file(name, channel_name)
        rows = datasets.read_table(files, file, columns=WINDOW_LENGTH)  # (n_windows, 128)
        _check_rows(files, file, len(rows), expected=len(subjects))
        windows[:, :, channel] = rows
    split = Split(windows, labels, subjects)
    n_alike, n_continuing = _alike(split).sum(), continues(split).sum()
    if n_continuing < n_alike / 2:
        raise DataError(
            f"{files.source}: {name}/: only {n_continuing} of {n_alike} windows begin with the "
            f"{OVERLAP} samples that the one before ends with"
        )
    return split


def _read_integers(files: DataSetFiles, name: str, *, highest: int) -> NDArray[np.int8]:
    column = datasets.read_table(files, name, columns=1)[:, 0]
    right = np.isin(column, np.arange(1, highest + 1))
    if not right.all():
        row = np.argmin(right)
        raise DataError(
            f"{files.source}: {name}: row {row + 1} holds {column[row]:g}, not 1 to {highest}"
        )
    return column.astype(np.int8)


def _check_rows(files: DataSetFiles, name: str, rows: int, *, expected: int) -> None:
    if rows != expected:
        raise DataError(
            f"{files.source}: {name}: has {rows} rows, but there are {expected} subjects' rows"
        )


def _alike(split: Split) -> NDArray[np.bool_]:
    """Return ``(n_windows - 1,)``, whether neighbours have the same subject and activity."""
    subjects, labels = split.subjects, split.labels
    alike: NDArray[np.bool_] = (subjects[1:] == subjects[:-1]) & (labels[1:] == labels[:-1])
    return alike


def _signal_file(split: str, channel: str) -> str:
    return f"{split}/Inertial Signals/{channel}_{split}.txt"


def _label_file(split: str) -> str:
    return f"{split}/y_{split}.txt"


def _subject_file(split: str) -> str:
    return f"{split}/subject_{split}.txt"
