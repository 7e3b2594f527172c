"""The HAPT data set: the raw signals that UCI HAR was made from, with the postural transitions.

Reyes-Ortiz et al., "Transition-Aware Human Activity Recognition Using Smartphones",
Neurocomputing 2016. Each of 30 subjects went through the protocol twice, in two *experiments* of
about eight minutes. Where the files are found is decided by `datasets`.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import datasets
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.signals import ACTIVITIES, SAMPLING_RATE_HZ, STANDARD_GRAVITY

TRANSITIONS: Final = (
    "STAND_TO_SIT",
    "SIT_TO_STAND",
    "SIT_TO_LIE",
    "LIE_TO_SIT",
    "STAND_TO_LIE",
    "LIE_TO_STAND",
)
"""The labels that follow those of `ACTIVITIES`: 7 to 12."""

BREAK: Final = 500
"""Samples that `recordings` leaves out between two experiments: 10 s. The truth is not known."""

_LABEL_FILE: Final = "RawData/labels.txt"
_ACC_FILE: Final = re.compile(r"RawData/acc_exp(\d+)_user(\d+)\.txt")
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
                    _next_start(stretches[subject]),
                    arrays["samples"][end - n_samples : end],
                    _labels(arrays["segments"], experiment, n_samples),
                )
            )
    return [Recording(f"subject-{subject:02d}", tuple(stretches[subject])) for subject in wanted]


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


def _load(data: Path | None, *, download: bool, cache: Path | None) -> dict[str, NDArray[...]]:
    """Return ``samples`` ``(n_samples, 6)`` of all experiments, ``experiments`` and ``segments``.

    ``experiments`` has the columns experiment, subject, number of samples.
    """
    cache = datasets.cache_folder() if cache is None else cache
    with datasets.opened(datasets.HAPT, data, download=download, cache=cache) as files:
        acc_files = {name: match for name in files.names() if (match := _ACC_FILE.fullmatch(name))}
        ...
