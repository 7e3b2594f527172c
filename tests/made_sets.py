"""Small made-up data sets of other placements, laid out as the real ones are."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings import simulated

LICENCE = "made up, as free as air"

Arrays = dict[str, NDArray[Any]]


def person_arrays(
    data_set: str = "Made_pocket",
    subject: str = "made_1",
    *,
    did: tuple[str, ...] = ("walking", "jogging", "sitting", "stairs"),
    seconds: float = 12.0,
    rate_hz: float = 25.0,
    ok: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Arrays:
    """Return the arrays of a person's file: a recording of each activity, all of it walking.

    Args:
        data_set: name of the set.
        subject: name of the person.
        did: the set's names of the activities.
        seconds: length of each recording.
        rate_hz: samples a second.
        ok: whether to use each recording, 1 or 0.
        seed: of the samples.
    """
    ours = {"walking": "WALKING", "sitting": "SITTING", "standing": "STANDING", "lying": "LAYING"}
    n = round(seconds * rate_hz)
    times = np.arange(n) / rate_hz
    (walk,) = simulated.recordings(1, seconds=seconds, seed=seed, activity="WALKING")
    (stretch,) = walk.stretches
    columns = [np.interp(times, stretch.times, column) for column in stretch.samples.T]
    samples = np.tile(np.column_stack(columns).astype(np.float32), (len(did), 1))
    numbers = np.repeat(np.arange(len(did)), n)
    return {
        "t": np.tile(times, len(did)),
        "acc": samples[:, :3],
        "gyro": samples[:, 3:],
        "label": numbers.astype(np.int8),
        "label_names": np.array(did),
        "label6_names": np.array([ours.get(name, "") for name in did]),
        "rec": numbers.astype(np.int16),
        "rec_names": np.array([f"{name}_1" for name in did]),
        "rec_ok": np.array(ok or [1] * len(did), np.int8),
        "subject": np.array(subject),
        "placement": np.array("trousers pocket"),
        "device": np.array("A Phone"),
        "fs_nominal": np.array(rate_hz),
        "source": np.array("nowhere"),
        "dataset": np.array(data_set),
    }


def write_person(path: Path, arrays: Arrays | None = None) -> Path:
    """Write a person's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = person_arrays() if arrays is None else arrays
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # mistaken for a flag
    return path


def write_set(folder: Path, subjects: tuple[str, ...], *, name: str = "", **given: Any) -> Path:  # noqa: ANN401
    """Write a data set of these people, as `person_arrays` makes them, into a folder."""
    for seed, subject in enumerate(subjects):
        arrays = person_arrays(name or folder.name, subject, seed=seed, **given)
        write_person(folder / f"{subject}.npz", arrays)
    (folder / "README.txt").write_text(f"Made up.\nLICENCE {LICENCE}\nFAULTS  all.\n")
    return folder
