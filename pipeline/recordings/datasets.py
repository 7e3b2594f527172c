"""Finding and opening the published data sets: on disk, in a zip, or in the UCI archive.

A data set is recognised by its content, never by a file's name, in any form in which people have
it: its folder, its zip, or a zip in a zip, as the UCI archive serves it. What the files mean is
decided by their readers, `uci_har` and `hapt`.
"""

import http.client
import io
import logging
import os
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from pipeline.recordings import bounded
from pipeline.recordings.recording import DataError

FOLDER_VARIABLE: Final = "HAR_DATA_DIR"
"""Environment variable that names a folder with data sets."""

HASH_DIGITS: Final = 16

MOST_FILE_BYTES: Final = 512 << 20
"""Of a file that is read, the largest by far being a zip in a zip"""

_TIMEOUT_S: Final = 30.0
_BLOCK_BYTES: Final = 1 << 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A data set as its publishers lay it out and the UCI archive serves it."""

    name: str
    marker: str
    """A file that this data set has and no other, relative to its root"""
    url: str
    file_name: str
    """Name of the zip in the cache folder"""


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


class Files(Protocol):
    """The files of an opened data set, by their names relative to its root."""

    source: Path
    """The zip or the folder"""

    def names(self) -> Iterable[str]:
        """Return the name of every file, ``train/y_train.txt``."""

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            DataError: the file is missing or damaged.
        """

    def size_and_crc32(self, name: str) -> tuple[int, int]:
        """Return a file's size in bytes and its CRC-32.

        Raises:
            DataError: the file is missing or cannot be read.
        """

    def close(self) -> None:
        """Close the zip."""


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
) -> Iterator[Files]:
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
            _download(published, url or published.url, target)
            files = _open_zip(target, published)
        if files is None:
            raise DataError(f"no {published.name} data set found; {_remedy(published, cache)}")
    try:
        yield files
    finally:
        files.close()


def data_hash(files: Files, names: Iterable[str]) -> str:
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


def read_table(files: Files, name: str, *, columns: int) -> NDArray[np.float64]:
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
        _log.warning("%s: damaged, is made anew: %s", path, error)
    arrays = make()
    try:
        with _unfinished(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub mistakes them for a flag
    except OSError as error:
        _log.warning("%s: cannot be written, so the data set is parsed each time: %s", path, error)
    return arrays


class _ZipFiles:
    def __init__(self, source: Path, archive: bounded.Zip, root: str) -> None:
        self.source = source
        self._archive = archive
        self._members = {
            member.filename.removeprefix(root): member
            for member in archive.infolist()
            if member.filename.startswith(root) and not member.filename.endswith("/")
        }

    def names(self) -> Iterable[str]:
        return self._members

    def read(self, name: str) -> bytes:
        member = self._member(name)
        try:
            with bounded.open_member(self._archive, member) as file:
                return bounded.read_all(file, f"{self.source}: {name}", most_bytes=MOST_FILE_BYTES)
        except bounded.ZIP_ERRORS as error:
            raise DataError(f"{self.source}: {name}: damaged: {error}") from error

    def size_and_crc32(self, name: str) -> tuple[int, int]:
        member = self._member(name)
        return member.file_size, member.CRC

    def close(self) -> None:
        self._archive.close()

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise DataError(f"{self.source}: lacks the file {name}")
        return self._members[name]


class _FolderFiles:
    def __init__(self, source: Path) -> None:
        self.source = source

    def names(self) -> Iterable[str]:
        for folder, _, names in os.walk(self.source):
            for name in names:
                yield (Path(folder) / name).relative_to(self.source).as_posix()

    def read(self, name: str) -> bytes:
        path = self.source / name
        if not os.path.lexists(path):
            raise DataError(f"{self.source}: lacks the file {name}")
        try:
            with bounded.open_file(path) as file:
                return bounded.read_all(file, str(path), most_bytes=MOST_FILE_BYTES)
        except OSError as error:
            raise DataError(f"{self.source}: {name}: cannot be read: {error}") from error

    def size_and_crc32(self, name: str) -> tuple[int, int]:
        content = self.read(name)
        return len(content), zlib.crc32(content)

    def close(self) -> None:
        pass


def _look_around(published: Published, cache: Path) -> Files | None:
    """Look in the folder of the environment variable and in the cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        try:
            files = _look_in(Path(named).expanduser(), published)
        except DataError as error:
            _log.warning("%s: %s", FOLDER_VARIABLE, error)
        else:
            if files is not None:
                return files
            _log.warning("%s: %s holds no %s data set", FOLDER_VARIABLE, named, published.name)
    if not cache.is_dir():
        return None
    try:
        return _look_in(cache, published)
    except DataError as error:
        _log.warning("%s", error)
        return None


def _look_in(place: Path, published: Published) -> Files | None:
    """Look at a zip, or at a folder and at the zips and folders in it.

    Raises:
        DataError: there is no such place, or all that is found is a file that cannot be read.
    """
    if place.is_file():
        return _open_zip(place, published)
    try:
        entries = sorted(place.iterdir())
    except OSError as error:
        raise DataError(f"{place}: no such zip or folder: {error}") from error
    for folder in [place, *entries]:
        if os.path.isfile(folder / published.marker):  # unlike Path's, False if not permitted
            return _FolderFiles(folder)
    damaged: DataError | None = None
    for path in entries:
        if path.suffix.lower() == ".zip" and path.is_file():
            try:
                files = _open_zip(path, published)
            except DataError as error:
                damaged = damaged or error
                continue
            if files is not None:
                return files
    if damaged is not None:
        raise damaged
    return None


def _open_zip(path: Path, published: Published) -> Files | None:
    found = _find_in_zip(path, published)
    return None if found is None else _ZipFiles(path, *found[:2])


def _find_in_zip(path: Path, published: Published) -> tuple[bounded.Zip, str, bytes | None] | None:
    """Return the archive, ``path`` or a zip in it, that holds the data set, and its root there.

    Of a zip in it there is also the content.
    """
    try:
        archive = bounded.Zip(bounded.open_file(path))
    except bounded.ZIP_ERRORS as error:
        raise DataError(f"{path}: no readable zip file: {error}") from error
    root = _root(archive, published)
    if root is not None:
        return archive, root, None
    with archive:
        for member in archive.infolist():
            name = member.filename
            if not name.lower().endswith(".zip") or name.startswith("__MACOSX/"):
                continue
            try:
                with bounded.open_member(archive, member) as file:
                    content = bounded.read_all(file, f"{path}: {name}", most_bytes=MOST_FILE_BYTES)
                nested = bounded.Zip(io.BytesIO(content))
            except bounded.ZIP_ERRORS as error:
                raise DataError(f"{path}: {name}: no readable zip file: {error}") from error
            root = _root(nested, published)
            if root is not None:
                return nested, root, content
            nested.close()
    return None


def _root(archive: zipfile.ZipFile, published: Published) -> str | None:
    """Return what precedes the names of the data set's files, None if it is another data set."""
    roots = [
        name.removesuffix(published.marker)
        for name in archive.namelist()
        if f"/{name}".endswith(f"/{published.marker}")
    ]
    return min(roots, key=len, default=None)


def _download(published: Published, url: str, target: Path) -> None:
    """Fetch a zip, check every byte of it, and keep it as ``target``.

    Raises:
        DataError: it could not be fetched or kept, or what came is damaged or not the data set.
    """
    try:
        with _unfinished(target) as unfinished:
            _fetch(published.name, url, unfinished)
            _check_and_unwrap(published, unfinished)
    except (*bounded.ZIP_ERRORS, http.client.HTTPException, DataError) as error:
        raise DataError(
            f"the {published.name} data set could not be downloaded from {url}: {error}; "
            f"{_remedy(published, target.parent)}"
        ) from error


def _fetch(name: str, url: str, target: Path) -> None:
    # Hardly ever needed, and slow to import.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response,
        target.open("wb") as file,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        length = response.headers["Content-Length"]
        size = None if length is None else int(length)
        task = progress.add_task(f"Downloading {name}", total=size)
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
            progress.advance(task, len(block))
        received = file.tell()
    if size is not None and received != size:
        raise EOFError(f"the transfer ended after {received} of {size} bytes")


def _check_and_unwrap(published: Published, path: Path) -> None:
    """Check every file of the zip ``path``, and if it wraps the data set's own zip, keep that."""
    found = _find_in_zip(path, published)
    if found is None:
        raise DataError(f"what came holds no {published.name} data set ({published.marker})")
    archive, _, nested = found
    with archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise DataError(f"{damaged} came damaged")
        if nested is not None:  # a zip in a zip takes time to open each time
            path.write_bytes(nested)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which becomes ``path`` only if all goes well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        unfinished.replace(path)


def _remedy(published: Published, cache: Path) -> str:
    return (
        f"name its zip or folder with --data, set {FOLDER_VARIABLE} to the folder that holds it, "
        f"or put its zip, {published.url}, into {cache}"
    )
