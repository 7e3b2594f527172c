"""The files of a published data set, in any form in which people have it.

It is recognised by its content, never by a file's name: its folder, its zip, or a zip in a zip, as
the UCI archive serves it. Where it is looked for is decided in `datasets`.
"""

import io
import os
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from pipeline.recordings import bounded
from pipeline.recordings.recording import DataError

MOST_FILE_BYTES: Final = 512 << 20
"""Of a file that is read, the largest by far being a zip in a zip"""


@dataclass(frozen=True)
class Published:
    """A data set as its publishers lay it out and the UCI archive serves it."""

    name: str
    marker: str
    """A file that this data set has and no other, relative to its root"""
    url: str
    file_name: str
    """Name of the zip in the cache folder"""


class DataSetFiles(Protocol):
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


class ZipFiles:
    """The files of a data set in a zip."""

    def __init__(self, source: Path, archive: bounded.Zip, root: str) -> None:
        """Take the files of a zip whose names begin with ``root``."""
        self.source = source
        self._archive = archive
        self._members = {
            member.filename.removeprefix(root): member
            for member in archive.infolist()
            if member.filename.startswith(root) and not member.filename.endswith("/")
        }

    def names(self) -> Iterable[str]:
        """Return the name of every file."""
        return self._members

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        member = self._member(name)
        try:
            with bounded.open_member(self._archive, member) as file:
                return bounded.read_all(file, f"{self.source}: {name}", most_bytes=MOST_FILE_BYTES)
        except bounded.ZIP_ERRORS as error:
            raise DataError(f"{self.source}: {name}: damaged: {error}") from error

    def size_and_crc32(self, name: str) -> tuple[int, int]:
        """Return a file's size in bytes and its CRC-32."""
        member = self._member(name)
        return member.file_size, member.CRC

    def close(self) -> None:
        """Close the zip."""
        self._archive.close()

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise DataError(f"{self.source}: lacks the file {name}")
        return self._members[name]


class FolderFiles:
    """The files of a data set in a folder."""

    def __init__(self, source: Path) -> None:
        """Take all files of a folder."""
        self.source = source

    def names(self) -> Iterable[str]:
        """Return the name of every file."""
        for folder, _, names in os.walk(self.source):
            for name in names:
                yield (Path(folder) / name).relative_to(self.source).as_posix()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        path = self.source / name
        if not os.path.lexists(path):
            raise DataError(f"{self.source}: lacks the file {name}")
        try:
            with bounded.open_file(path) as file:
                return bounded.read_all(file, str(path), most_bytes=MOST_FILE_BYTES)
        except OSError as error:
            raise DataError(f"{self.source}: {name}: cannot be read: {error}") from error

    def size_and_crc32(self, name: str) -> tuple[int, int]:
        """Return a file's size in bytes and its CRC-32."""
        content = self.read(name)
        return len(content), zlib.crc32(content)

    def close(self) -> None:
        """Do nothing: each file is closed when it was read."""


def open_zip(path: Path, published: Published) -> DataSetFiles | None:
    """Return the files of the data set in a zip, None if it holds another one.

    Raises:
        DataError: it cannot be read.
    """
    located = find_in_zip(path, published)
    return None if located is None else ZipFiles(path, *located[:2])


def find_in_zip(path: Path, published: Published) -> tuple[bounded.Zip, str, bytes | None] | None:
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
