"""How long the UCI HAR data set takes from its zip to arrays, first and from the cache.

The files are in the system's page cache; repeats are interleaved and their median counts.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.recordings import datasets, uci_har
from pipeline.recordings.recording import DataError
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone

COLD_LIMIT_S: Final = 8.0
CACHED_LIMIT_S: Final = 0.3
COLD_REPEATS: Final = 3
CACHED_REPEATS: Final = 7


def measure(options: Options) -> list[Figure]:
    """Return the figures: cold with numpy.loadtxt as its peer, and cached.

    Raises:
        NotMeasuredError: the data set is missing.
    """
    cold_s, loadtxt_s, cached_s = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            source = _unpack(options.data, folder)
        except DataError as error:
            raise NotMeasuredError(str(error)) from error
        texts = sorted(folder.glob("*.txt"))
        uci_har.load(source, download=False, cache=folder / "warm")  # imports, file in memory
        for repeat in range(COLD_REPEATS):
            cache = folder / f"cache-{repeat}"
            cold_s.append(_seconds(lambda: uci_har.load(source, download=False, cache=cache)))  # noqa: B023
            loadtxt_s.append(_seconds(lambda: [np.loadtxt(text) for text in texts]))
        for _ in range(CACHED_REPEATS):
            cached_s.append(
                _seconds(lambda: uci_har.load(source, download=False, cache=folder / "warm"))
            )
    cold, loadtxt, cached = map(statistics.median, (cold_s, loadtxt_s, cached_s))
    kind = "zip" if source.is_file() else "folder"
    return [
        Figure(
            "data_set",
            f"UCI HAR {kind} to arrays, cold",
            cold,
            "s",
            limit=COLD_LIMIT_S,
            peer=f"numpy.loadtxt of the {len(texts)} signal files, unpacked before",
            peer_value=loadtxt,
            detail=f"median of {COLD_REPEATS}",
        ),
        Figure(
            "data_set",
            "UCI HAR from the cache",
            cached,
            "s",
            limit=CACHED_LIMIT_S,
            detail=f"median of {CACHED_REPEATS}",
        ),
    ]


def _unpack(data: Path | None, folder: Path) -> Path:
    """Write the 18 signal files into a folder, and return the zip or folder they came from."""
    with datasets.opened(datasets.UCI_HAR, data) as files:
        for name in uci_har.members():
            if "Inertial Signals" in name:
                (folder / Path(name).name).write_bytes(files.read(name))
        return files.source


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "UCI HAR zip to arrays")


if __name__ == "__main__":
    main()
