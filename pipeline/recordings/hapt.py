"""The HAPT data set: the raw signals that UCI HAR was made from, with the postural transitions.

Reyes-Ortiz et al., "Transition-Aware Human Activity Recognition Using Smartphones",
Neurocomputing 2016. Each of 30 subjects went through the protocol twice, in two *experiments* of
about eight minutes. Where the files are found is decided by `datasets`.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import datasets
from pipeline.recordings.dataset_files import DataSetFiles
from pipeline.recordings.recording import DataError, Recording, Stretch, grid_times
from pipeline.vocabulary import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY

TRANSITIONS: Final = (
    "STAND_TO_SIT",
    "SIT_TO_STAND",
    "SIT_TO_LIE",
    "LIE_TO_SIT",
    "STAND_TO_LIE",
    "LIE_TO_STAND",
)
"""The labels that follow those of `ACTIVITIES`: 7 to 12."""

SAMPLES_BETWEEN_EXPERIMENTS: Final = 500
"""Samples that `recordings` leaves out between two experiments: 10 s. The truth is not known."""

_LABEL_FILE: Final = "RawData/labels.txt"
_SIGNAL_FILE: Final = re.compile(
    r"RawData/(?P<sensor>acc|gyro)_exp(?P<experiment>\d+)_user(?P<subject>\d+)\.txt"
)
_CACHE_VERSION: Final = 1  # to be raised with any change of what is cached


def recordings(
    data: Path | None = None,
    subjects: Collection[int] | None = None,
    *,
    download: bool = True,
    cache: Path | None = None,
) -> list[Recording]:
    """Return raw recordings: one a subject, one stretch an experiment, in the experiments' order.

    Samples are ``(n_samples, 6)`` float64 in m/s² and rad/s. Transitions and what is unlabelled
    have the label -1; `label_segments` tells them apart.

    Args:
        data: where the data set is; by default `datasets.opened` looks for it.
        subjects: whose recordings; by default all there are.
        download: whether the network may be used.
        cache: folder for what is downloaded and parsed instead of the user's.

    Raises:
        DataError: the data set or a subject is missing, damaged, or not what its authors describe.
    """
    arrays = _load(data, download=download, cache=cache)
    experiments = arrays["experiments"]
    present = np.unique(experiments[:, 1]).tolist()
    wanted = present if subjects is None else sorted(set(subjects))
    if not set(wanted) <= set(present):
        raise DataError(
            f"{datasets.HAPT.name}: there are recordings of the subjects {present} only, "
            f"not of {sorted(set(wanted) - set(present))}"
        )
    stretches: dict[int, list[Stretch]] = {subject: [] for subject in wanted}
    ends = np.cumsum(experiments[:, 2])
    for (experiment, subject, n_samples), end in zip(experiments.tolist(), ends, strict=True):
        if subject in stretches:
            stretches[subject].append(
                Stretch(
                    grid_times(_next_start(stretches[subject]), n_samples),
                    arrays["samples"][end - n_samples : end],
                    _labels(arrays["segments"], experiment, subject, n_samples),
                )
            )
    return [datasets.recording_of(datasets.HAPT, subject, stretches[subject]) for subject in wanted]


def label_segments(
    data: Path | None = None, *, download: bool = True, cache: Path | None = None
) -> NDArray[np.int64]:
    """Return the labels as published: ``(n_segments, 5)``.

    The columns are experiment, subject, label (1 to 6 of `ACTIVITIES`, 7 to 12 of `TRANSITIONS`),
    first and last sample of the experiment, counted from 1.

    Raises:
        DataError: the data set is missing, damaged, or not what its authors describe.
    """
    return _load(data, download=download, cache=cache)["segments"]


def data_hash(data: Path | None = None, *, download: bool = True, cache: Path | None = None) -> str:
    """Return 16 hexadecimal digits of the files read, as `datasets.data_hash` makes them.

    Raises:
        DataError: the data set is missing or damaged.
    """
    cache = datasets.cache_folder() if cache is None else cache
    with datasets.opened(datasets.HAPT, data, download=download, cache=cache) as files:
        return datasets.data_hash(files, _members(files))


def _load(data: Path | None, *, download: bool, cache: Path | None) -> dict[str, NDArray[Any]]:
    """Return the arrays that `_read` makes, from the cache if they are there."""
    cache = datasets.cache_folder() if cache is None else cache
    with datasets.opened(datasets.HAPT, data, download=download, cache=cache) as files:
        hash_of_files = datasets.data_hash(files, _members(files))
        return datasets.cached_arrays(
            cache / f"hapt-{hash_of_files}-v{_CACHE_VERSION}.npz", lambda: _read(files)
        )


def _members(files: DataSetFiles) -> list[str]:
    signal_files = [name for name in files.names() if _SIGNAL_FILE.fullmatch(name)]
    return [_LABEL_FILE, *sorted(signal_files)]


def _read(files: DataSetFiles) -> dict[str, NDArray[Any]]:
    """Return all there is in three arrays.

    ``samples`` is ``(n_samples, 6)``, one experiment after the other; ``experiments`` has the
    columns experiment, subject, number of samples; ``segments`` is as `label_segments` returns it.
    """
    samples, experiments = [], []
    for name in _members(files):
        match = _SIGNAL_FILE.fullmatch(name)
        if match is None or match["sensor"] == "gyro":
            continue
        acc = datasets.read_table(files, name, columns=3)  # g
        gyro_file = name.replace("acc", "gyro")
        gyro = datasets.read_table(files, gyro_file, columns=3)  # rad/s
        if len(acc) != len(gyro):
            raise DataError(
                f"{files.source}: {gyro_file}: has {len(gyro)} rows, but {name} has {len(acc)}"
            )
        samples.append(np.hstack([acc * STANDARD_GRAVITY, gyro]))  # (n_samples, 6)
        experiments.append((int(match["experiment"]), int(match["subject"]), len(acc)))
    if not samples:
        raise DataError(f"{files.source}: lacks the files RawData/acc_exp*_user*.txt")
    segments = datasets.read_table(files, _LABEL_FILE, columns=5)
    _check_segments(f"{files.source}: {_LABEL_FILE}", segments, experiments)
    return {
        "samples": np.concatenate(samples),
        "experiments": np.array(experiments),
        "segments": segments.astype(np.int64),
    }


def _check_segments(
    where: str, segments: NDArray[np.float64], experiments: list[tuple[int, int, int]]
) -> None:
    length = {(experiment, subject): n_samples for experiment, subject, n_samples in experiments}
    highest = len(ACTIVITIES) + len(TRANSITIONS)
    for row, (experiment, subject, label, first, last) in enumerate(segments.tolist(), start=1):
        if (experiment, subject) not in length:
            raise DataError(
                f"{where}: row {row}: there is no experiment {experiment:g} of subject {subject:g}"
            )
        if label not in range(1, highest + 1):
            raise DataError(f"{where}: row {row}: the label is {label:g}, not 1 to {highest}")
        n_samples = length[experiment, subject]
        if not (first.is_integer() and last.is_integer() and 1 <= first <= last <= n_samples):
            raise DataError(
                f"{where}: row {row}: {first:g} to {last:g} are no samples of an experiment "
                f"of {n_samples}"
            )


def _labels(
    segments: NDArray[np.int64], experiment: int, subject: int, n_samples: int
) -> NDArray[np.int8]:
    labels = np.full(n_samples, -1, np.int8)
    of_this = (segments[:, :2] == (experiment, subject)).all(axis=1)
    for _, _, label, first, last in segments[of_this].tolist():
        if label <= len(ACTIVITIES):
            labels[first - 1 : last] = label - 1
    return labels


def _next_start(stretches: list[Stretch]) -> float:
    """Return the start, in seconds, of the stretch that comes after these."""
    n_samples = sum(len(stretch.samples) + SAMPLES_BETWEEN_EXPERIMENTS for stretch in stretches)
    return n_samples / SAMPLING_RATE_HZ
