"""The files of exports: zips, folders and tables that were named, sorted by folder.

Here every file is accounted for: it may hold samples, or there is a note that says why it was
passed over. What an app's files mean is decided in its own module, ``sensor_logger``, ``phyphox``.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from errno import EACCES
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

from pipeline.recordings import bounded
from pipeline.recordings.exports.tables import BOMS, NoTableError, Table
from pipeline.recordings.recording import DataError

MOST_FILES: Final = 20_000
"""In a folder, with the folders in it, or in a zip"""

TABLES: Final = (".csv", ".tsv", ".txt", ".json")
"""Ends of the names of files that may hold samples"""

MOST_NAMED: Final = 3
"""Files that are named one by one in a message"""

ENCRYPTED: Final = 1
"""Among the flags of a file in a zip"""

_NO_TABLES: Final = {
    ".xls": "a workbook: save its sheets as CSV",
    ".xlsx": "a workbook: save its sheets as CSV",
    ".ods": "a workbook: save its sheets as CSV",
    ".sqlite": "a database: export the recording as a zip of CSV files",
    ".db": "a database: export the recording as a zip of CSV files",
    ".zip": "a zip in a zip: unpack it first",
}
_OF_THE_SYSTEM: Final = (".", "__MACOSX")  # begins of names of which no app knows
_META: Final = "meta"  # a folder that belongs to the files beside it (phyphox)


@dataclass(frozen=True, eq=False)
class ExportFiles:
    """The files of one folder, which are one recording if nothing speaks against it."""

    source: str
    """Where they are, for people"""
    contents: Mapping[str, Callable[[], IO[bytes]]]
    """What opens each that may hold samples, by their names, ``Accelerometer.csv`` or
    ``meta/time.csv``"""
    passed_over: Mapping[str, str]
    """Why the others are not read, by their names"""
    paths: Mapping[str, Path] = field(default_factory=dict)
    """Those that were named singly, by their names here"""

    def named(self, name: str) -> str | None:
        """Return a file's name as it is spelt, given in lower case; None if there is none.

        Raises:
            DataError: two files have it, in different spellings.
        """
        spelt = [spelling for spelling in self.contents if spelling.lower() == name]
        if len(spelt) > 1:
            raise both_hold(self.source, spelt[0], spelt[1], PurePosixPath(name).stem)
        return spelt[0] if spelt else None

    def where(self, name: str) -> str:
        """Return the name of a file for people."""
        return str(self.paths[name]) if name in self.paths else f"{self.source}: {name}"

    def origin(self, names: Sequence[str], *, is_only: bool) -> str:
        """Return where a recording came from, for people.

        ``names`` are its files, and ``is_only`` says whether there are no other recordings here.
        """
        if self.paths:
            return _listed([str(self.paths[name]) for name in names])
        return self.where(names[0]) if len(names) == 1 and not is_only else self.source

    def columns(self, name: str) -> list[str]:
        """Return the names in a file's first line, none if it is empty or no table.

        Raises:
            DataError: it is damaged.
        """
        try:
            with self.table(name) as table:
                return table.columns
        except NoTableError:
            return []

    @contextmanager
    def table(self, name: str) -> "Iterator[Table]":
        """Open a file as a table. It has no columns if it is empty.

        Raises:
            NoTableError: it is no text, or a line is too long; also while it is read.
            DataError: it is damaged or too large; also while it is read.
        """
        where = self.where(name)
        try:
            with self.contents[name]() as content:
                yield Table(where, content)
        except UnicodeDecodeError as error:
            raise NoTableError(f"{where}: is no text in UTF-8: export it anew as CSV") from error
        except csv.Error as error:
            raise NoTableError(f"{where}: {error}: export it anew as CSV") from error
        except bounded.ZIP_ERRORS as error:
            raise DataError(f"{where}: cannot be read: {error}: export it anew") from error

    def content(self, name: str, *, most_bytes: int) -> bytes:
        """Return a text in UTF-8, without the byte order mark that it may begin with.

        Raises:
            NoTableError: it begins with a byte order mark, and is no text.
            DataError: it is damaged or too large.
        """
        where = self.where(name)
        try:
            with self.contents[name]() as file:
                content = bounded.read_all(file, where, most_bytes=most_bytes)
            for mark, encoding in BOMS.items():
                if content.startswith(mark):
                    return content.decode(encoding).encode()
            return content
        except UnicodeDecodeError as error:
            raise NoTableError(f"{where}: is no text: export it anew") from error
        except bounded.ZIP_ERRORS as error:
            raise DataError(f"{where}: cannot be read: {error}: export it anew") from error


@dataclass(frozen=True)
class Source:
    """A zip, or the files in a folder."""

    name: str
    paths: Mapping[str, Path] | None
    """The files, by their names in the folder; None for a zip"""
    passed_over: Mapping[str, str]
    is_singly_named: bool = False
    """Whether not the folder was named, but its files"""

    @property
    def title(self) -> str:
        """What was named, for people."""
        if self.paths is None or not self.is_singly_named:
            return self.name
        return _listed([str(path) for path in self.paths.values()])

    @contextmanager
    def opened(self) -> Iterator[list[ExportFiles]]:
        """Give the files of each folder.

        Raises:
            DataError: it cannot be read, or holds no tables.
        """
        if self.paths is not None:
            openers = {name: partial(bounded.open_file, path) for name, path in self.paths.items()}
            folders = _by_folder(self.title, openers, self.passed_over)
            if self.is_singly_named:
                paths = self.paths
                folders = [replace(files, source=self.name, paths=paths) for files in folders]
            yield folders
            return
        file = bounded.open_file(Path(self.name))
        try:
            archive = bounded.Zip(file)
        except bounded.ZIP_ERRORS as error:
            raise DataError(
                f"{self.name}: is no zip that can be read ({error}): export it anew"
            ) from error
        with archive:
            members: dict[str, Callable[[], IO[bytes]]] = {}
            for member in archive.infolist():
                if member.flag_bits & ENCRYPTED and not member.is_dir():
                    raise DataError(
                        f"{self.name}: is encrypted: unpack it with its password, and give the "
                        "folder"
                    )
                name = member.filename.replace("\\", "/")  # as some programs for Windows write it
                if name in members:
                    raise DataError(f"{self.name}: holds {name} twice: export it anew")
                if not member.is_dir():
                    members[name] = partial(bounded.open_member, archive, member)
            yield _by_folder(self.name, members, {})


def sources(paths: Sequence[Path]) -> Iterator[Source | DataError]:
    """Yield the zips and folders among ``paths`` and in them, and errors for what is neither.

    Tables of one folder that are named singly are yielded together.
    """
    loose: dict[Path, dict[str, Path]] = {}
    for path in (path.expanduser() for path in dict.fromkeys(paths)):
        try:
            if path.is_dir():
                yield from _in_folder(path)
            elif path.suffix.lower() in TABLES:
                bounded.open_file(path).close()
                place = path.parent.parent if path.parent.name == _META else path.parent
                loose.setdefault(place, {})[path.relative_to(place).as_posix()] = path
            else:
                bounded.open_file(path).close()
                yield Source(str(path), None, {})
        except DataError as error:
            yield error
        except OSError as error:
            yield DataError(f"{path}: {error.strerror}")
    for place, files in loose.items():
        yield Source(str(place), files, {}, is_singly_named=True)


def _in_folder(folder: Path) -> Iterator[Source | DataError]:
    """Yield what is in a folder: its files together, each zip, and errors for unreadable folders.

    Raises:
        DataError: there are too many files.
    """
    paths: dict[str, Path] = {}
    zips: list[Path] = []
    passed_over: dict[str, str] = {}
    unreadable: list[DataError] = []

    def note(error: OSError) -> None:
        unreadable.append(DataError(f"{error.filename}: cannot be read: {error.strerror}"))

    n_files = 0
    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith(_OF_THE_SYSTEM))
        n_files += len(names)
        if n_files > MOST_FILES:
            raise DataError(
                f"{folder}: holds over {MOST_FILES} files: name the folders of the recordings"
            )
        if not os.access(place, os.X_OK):  # its files can be listed, but none be looked at
            note(PermissionError(EACCES, os.strerror(EACCES), place))
            folders.clear()
            continue
        for path in (Path(place) / name for name in folders):
            if path.is_symlink():
                passed_over[path.relative_to(folder).as_posix()] = "a link to a folder"
        for path in (Path(place) / name for name in sorted(names)):
            name = path.relative_to(folder).as_posix()
            if not path.is_file():
                passed_over[name] = "a pipe, a device or a link to nowhere"
            elif path.suffix.lower() == ".zip" and not path.name.startswith(_OF_THE_SYSTEM):
                zips.append(path)
            else:
                paths[name] = path
    yield from unreadable
    holds_samples = any(_may_hold_samples(name) for name in paths)
    if holds_samples or not (zips or unreadable):
        yield Source(str(folder), paths, passed_over)
    yield from (Source(str(path), None, {}) for path in zips)


def _by_folder(
    source: str,
    openers: Mapping[str, Callable[[], IO[bytes]]],
    passed_over: Mapping[str, str],
) -> list[ExportFiles]:
    """Return the files of each folder among files named by their paths."""
    contents: dict[PurePosixPath, dict[str, Callable[[], IO[bytes]]]] = {}
    others = dict(passed_over)
    for name, opener in openers.items():
        path = PurePosixPath(name)
        if any(part.startswith(_OF_THE_SYSTEM) for part in path.parts if part not in (".", "..")):
            continue
        place = path.parent.parent if path.parent.name == _META else path.parent
        if _may_hold_samples(name):
            contents.setdefault(place, {})[path.relative_to(place).as_posix()] = opener
        else:
            others[name] = _NO_TABLES.get(path.suffix.lower(), "not a table")
    if not contents:
        reasons = "".join(f"; {name}: {why}" for name, why in list(others.items())[:3])
        raise DataError(f"{source}: holds no CSV files: export the recording as CSV{reasons}")
    n_tables = sum(map(len, contents.values()))
    if n_tables > MOST_FILES:
        raise DataError(f"{source}: holds over {MOST_FILES} tables: import some at a time")
    first = next(iter(contents))
    return [
        ExportFiles(
            source if place == PurePosixPath() else f"{source}: {place}",
            files,
            others if place == first else {},
        )
        for place, files in contents.items()
    ]


def _listed(paths: Sequence[str]) -> str:
    """Return paths in words, not all if they are many."""
    more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
    return ", ".join(paths[:MOST_NAMED]) + more


def _may_hold_samples(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TABLES


def both_hold(source: str, one: str, other: str, what: str) -> DataError:
    """Return the error of two files that may not both be of one recording."""
    return DataError(
        f"{source}: {one} and {other} both hold the {what}: give each recording's files a folder "
        "of their own"
    )
