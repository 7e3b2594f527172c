"""What reading and preparing all placement sets takes: time, memory, and room for what is kept.

They are read from ``placements`` in the folder of the data sets. Each measurement is of a process
of its own; the files are in the system's page cache.
"""

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.recordings import placement_sets
from pipeline.recordings.recording import DataError
from tests.benchmarks.figures import FOLDER_VARIABLE, Figure, NotMeasuredError, Options, run_alone
from trainer.data.placement_windows import windows_by_person

FOLDER: Final = "placements"
HOP: Final = 64


@dataclass(frozen=True)
class Taken:
    """What some work took."""

    what: str
    """What was done"""
    seconds: float
    cpu_s: float
    most_mib: float
    """Highest memory of the process"""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.what}; CPU time {self.cpu_s:.1f} s, highest memory {self.most_mib:.0f} MiB"


def measure(options: Options) -> list[Figure]:
    """Return the figures: reading, preparing, and preparing when it has been done before.

    Raises:
        NotMeasuredError: there are no placement sets, or one is damaged.
    """
    data = options.data or os.environ.get(FOLDER_VARIABLE)
    if data is None:
        raise NotMeasuredError(f"name the data sets' folder, with --data or {FOLDER_VARIABLE}")
    folder = Path(data) / FOLDER
    try:
        with tempfile.TemporaryDirectory() as name:
            kept = Path(name)
            _in_own_process(_read, folder, kept)  # brings the files into memory
            read = _in_own_process(_read, folder, kept)
            prepared = _in_own_process(_prepare, folder, kept)
            mib = sum(file.stat().st_size for file in kept.iterdir()) / (1 << 20)
            again = _in_own_process(_prepare, folder, kept)
    except DataError as error:
        raise NotMeasuredError(str(error)) from error
    figures = {
        "placement sets to recordings": read,
        f"to windows, hop {HOP}": prepared,
        "windows from the cache": again,
    }
    lines = [
        Figure("placement_sets", name, taken.seconds, "s", detail=str(taken))
        for name, taken in figures.items()
    ]
    return [*lines, Figure("placement_sets", "windows on the disk", mib, "MiB")]


def _in_own_process(work: Callable[[Path, Path], str], folder: Path, kept: Path) -> Taken:
    """Return what some work takes."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as process:
        return process.submit(_measured, work, folder, kept).result()


def _measured(work: Callable[[Path, Path], str], folder: Path, kept: Path) -> Taken:
    begun, cpu_begun = time.perf_counter(), time.process_time()
    what = work(folder, kept)
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - cpu_begun
    most_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Taken(what, seconds, cpu_s, most_mib)


def _read(folder: Path, kept: Path) -> str:
    """Read all recordings, person by person."""
    n_files = n_recordings = 0
    hours = 0.0
    for one in placement_sets.find(folder):
        for recordings in one.recordings():
            n_files += 1
            n_recordings += len(recordings)
            for stretch in (part for recording in recordings for part in recording.stretches):
                hours += (stretch.times[-1] - stretch.start) / 3600
    return f"{n_files} files, {n_recordings:,} recordings, {hours:.1f} h"


def _prepare(folder: Path, kept: Path) -> str:
    """Make all windows, or read those that are kept, person by person."""
    n_windows = n_usable = 0
    for windows in windows_by_person(placement_sets.find(folder), hop=HOP, cache=kept):
        n_windows += len(windows)
        n_usable += int((windows.is_settled & (windows.labels >= 0)).sum())
    return f"{n_windows:,} windows, {n_usable:,} of them settled and labelled"


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "time and memory of placement sets")


if __name__ == "__main__":
    main()
