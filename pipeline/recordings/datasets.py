"""Finding the published data sets on disk or in the UCI archive, and what their readers share.

What a data set's files mean is decided by their readers, `uci_har` and `hapt`.
"""

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from pipeline.atomic_file import replacing_path
from pipeline.event_log import EventLog
from pipeline.recordings import bounded
from pipeline.recordings.dataset_files import DataSetFiles, FolderFiles, Published, open_zip
from pipeline.recordings.download import fetch_zip
from pipeline.recordings.recording import DataError, Recording, Stretch
from pipeline.vocabulary import SAMPLING_RATE_HZ

FOLDER_VARIABLE: Final = "HAR_DATA_DIR"
"""Environment variable that names a folder with data sets."""

HASH_DIGITS: Final = 16

logger = EventLog(__name__)


UCI_HAR: Final = Published(
    name="UCI HAR",
    marker="train/subject_train.txt",
    url="https://archive.ics.uci.edu/static/public/240/"
    "human+activity+recognition+using+smartphones.zip",
    file_name="UCI HAR Dataset.zip",
)
HAPT: Final = Published(
    name="HAPT",
    marker="RawData/labels.txt",
    url="https://archive.ics.uci.edu/static/public/341/"
    "smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
    file_name="HAPT Data Set.zip",
)


def cache_folder() -> Path:
    """Return the user's folder for downloaded and for parsed data sets."""
    return user_cache_path("har-stream")


@contextmanager
def opened(
    published: Published,
    data: Path | None = None,
    *,
    download: bool = True,
    cache: Path | None = None,
    url: str | None = None,
) -> Iterator[DataSetFiles]:
    """Find a data set and open it.

    Args:
        published: which data set.
        data: its zip, its folder, or a folder that holds either; then nowhere else is looked.
            Otherwise the places are the folder named by ``HAR_DATA_DIR``, the cache folder, the
            UCI archive.
        download: whether the network may be used.
        cache: folder for the download instead of `cache_folder`.
        url: where to download from instead of the UCI archive.

    Raises:
        DataError: there is no such data set, or its file is damaged, or its download failed.
    """
    cache = cache_folder() if cache is None else cache
    if data is not None:
        files = _look_in(data.expanduser(), published)
        if files is None:
            raise DataError(f"{data}: holds no {published.name} data set ({published.marker})")
    else:
        files = _look_around(published, cache)
        if files is None and download:
            target = cache / published.file_name
            remedy = _remedy(published, cache)
            fetch_zip(published, url or published.url, target, remedy=remedy)
            files = open_zip(target, published)
        if files is None:
            raise DataError(f"no {published.name} data set found; {_remedy(published, cache)}")
    try:
        yield files
    finally:
        files.close()


def recording_of(published: Published, subject: int, stretches: Iterable[Stretch]) -> Recording:
    """Return a subject's recording: a phone worn at the waist, sampled 50 times a second."""
    return Recording(
        f"subject-{subject:02d}",
        tuple(stretches),
        rate_hz=SAMPLING_RATE_HZ,
        person=str(subject),
        worn_at="waist",
        data_set=published.name,
    )


def data_hash(files: DataSetFiles, names: Iterable[str]) -> str:
    """Return 16 hexadecimal digits that tell whether the files ``names`` are the same.

    They are the beginning of the SHA-256 of the sorted lines ``name size crc32``, so that a zip
    need not be inflated, and zip and folder give the same.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    lines = []
    for name in names:
        size, crc32 = files.size_and_crc32(name)
        lines.append(f"{name} {size} {crc32:08x}\n")
    return sha256("".join(sorted(lines)).encode()).hexdigest()[:HASH_DIGITS]


def read_table(files: DataSetFiles, name: str, *, columns: int) -> NDArray[np.float64]:
    """Return the numbers ``(n_rows, columns)`` of a text file.

    Raises:
        DataError: the file is missing, or is not rows of that many finite numbers.
    """
    text = files.read(name)
    where = f"{files.source}: {name}"
    if not text.strip():
        raise DataError(f"{where}: is empty")
    try:
        table = np.loadtxt(io.BytesIO(text), comments=None, ndmin=2)
    except ValueError as error:  # says which row
        raise DataError(f"{where}: {error}") from error
    if table.shape[1] != columns:
        raise DataError(f"{where}: has {table.shape[1]} numbers in a row, not {columns}")
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise DataError(f"{where}: row {np.argmin(finite) + 1} holds a number that is not finite")
    return table


def cached_arrays(
    path: Path, make: Callable[[], dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays kept in the ``.npz`` file ``path``, made anew if it is missing or damaged.

    A cache that cannot be written costs time, not the arrays.
    """
    try:
        with zipfile.ZipFile(path) as kept:  # whole arrays are read so that their CRC-32 is checked
            return {
                name.removesuffix(".npy"): np.load(io.BytesIO(kept.read(name)))
                for name in kept.namelist()
            }
    except FileNotFoundError:
        pass
    except bounded.ZIP_ERRORS as error:
        logger.warning(
            "cache-damaged", "%(path)s: damaged, is made anew: %(error)s", path=path, error=error
        )
    arrays = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be writing the same file.
        with replacing_path(path) as unfinished:
            np.savez(unfinished, **arrays)  # type: ignore[arg-type]  # mistaken for a flag
    except OSError as error:
        logger.warning(
            "cache-not-written",
            "%(path)s: cannot be written, so the data set is parsed each time: %(error)s",
            path=path,
            error=error,
        )
    return arrays


def _look_around(published: Published, cache: Path) -> DataSetFiles | None:
    """Look in the folder of the environment variable and in the cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        try:
            files = _look_in(Path(named).expanduser(), published)
        except DataError as error:
            logger.warning(
                "data-set-passed-over",
                "%(variable)s: %(error)s",
                variable=FOLDER_VARIABLE,
                error=error,
            )
        else:
            if files is not None:
                return files
            logger.warning(
                "data-set-not-found",
                "%(variable)s: %(path)s holds no %(data_set)s data set",
                variable=FOLDER_VARIABLE,
                path=named,
                data_set=published.name,
            )
    if not cache.is_dir():
        return None
    try:
        return _look_in(cache, published)
    except DataError as error:
        logger.warning("data-set-damaged", "%(error)s", error=error)
        return None


def _look_in(place: Path, published: Published) -> DataSetFiles | None:
    """Look at a zip, or at a folder and at the zips and folders in it.

    Raises:
        DataError: there is no such place, or all that is found is a file that cannot be read.
    """
    if place.is_file():
        return open_zip(place, published)
    try:
        entries = sorted(place.iterdir())
    except OSError as error:
        raise DataError(f"{place}: no such zip or folder: {error}") from error
    for folder in [place, *entries]:
        if os.path.isfile(folder / published.marker):  # unlike Path's, False if not permitted
            return FolderFiles(folder)
    damaged: DataError | None = None
    for path in entries:
        if path.suffix.lower() == ".zip" and path.is_file():
            try:
                files = open_zip(path, published)
            except DataError as error:
                damaged = damaged or error
                continue
            if files is not None:
                return files
    if damaged is not None:
        raise damaged
    return None


def _remedy(published: Published, cache: Path) -> str:
    return (
        f"name its zip or folder (by --data, where the command has that), set {FOLDER_VARIABLE} to "
        "the folder that holds it, "
        f"or put its zip, {published.url}, into {cache}"
    )
