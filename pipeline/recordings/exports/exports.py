"""What phones' apps export: files in a zip or folder, tables in them, and recordings made of them.

Here every file is accounted for: it is read, or there is a note that says why it was passed over.
What an app's files mean is decided in its own module, ``sensor_logger``, ``phyphox``.
"""

import codecs
import csv
import io
import os
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MAX_ROWS, Clock, Convention, MessageError, Readings, Sensor
from pipeline.recordings import bounded
from pipeline.recordings.recording import DataError

MESSAGE_S: Final = 1.0
"""Seconds in a message of an imported recording, as if the phone had sent it."""

FIRST_EPOCH_S: Final = 1e9
"""Later times, of September 2001 and after, are those of the epoch."""

MOST_FILES: Final = 20_000
"""In a folder, with the folders in it, or in a zip"""
MOST_TABLE_BYTES: Final = 1 << 30
MOST_TABLE_ROWS: Final = 10_000_000
"""A day at 100 Hz"""
MOST_LINE: Final = 1 << 16
"""Characters"""

MOST_DAMAGED: Final = 0.1
"""Share of rows that may be damaged; such are left out"""

TABLES: Final = (".csv", ".tsv", ".txt", ".json")
"""Ends of the names of files that may hold samples"""

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
_BOMS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEPARATORS: Final = ",;\t"

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times ``(n,)`` in seconds, ascending, and values ``(n, 3)`` in m/s² or rad/s."""


class NoTableError(DataError):
    """A file is no table, although its name says so."""


@dataclass(frozen=True, eq=False)
class Files:
    """The files of one folder, which are one recording if nothing speaks against it."""

    source: str
    """Where they are, for people"""
    contents: Mapping[str, Callable[[], IO[bytes]]]
    """What opens each that may hold samples, by their names, ``Accelerometer.csv`` or
    ``meta/time.csv``"""
    passed_over: Mapping[str, str]
    """Why the others are not read, by their names"""

    def named(self, name: str) -> str | None:
        """Return a file's name as it is spelt, given in lower case; None if there is none.

        Raises:
            DataError: two files have it, in different spellings.
        """
        spelt = [one for one in self.contents if one.lower() == name]
        if len(spelt) > 1:
            raise both_hold(self.source, spelt[0], spelt[1], PurePosixPath(name).stem)
        return spelt[0] if spelt else None

    def where(self, name: str) -> str:
        """Return the name of a file for people."""
        return f"{self.source}: {name}"

    def columns(self, name: str) -> list[str]:
        """Return what the first line of a file says, nothing if it is empty or no table.

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
            for mark, encoding in _BOMS.items():
                if content.startswith(mark):
                    return content.decode(encoding).encode()
            return content
        except UnicodeDecodeError as error:
            raise NoTableError(f"{where}: is no text: export it anew") from error
        except bounded.ZIP_ERRORS as error:
            raise DataError(f"{where}: cannot be read: {error}: export it anew") from error


class Table:
    """A text whose first line names its columns, read row by row.

    The separator is the comma, semicolon or tabulator that the first line has most of, and numbers
    have either decimal sign, as spreadsheets write them.
    """

    def __init__(self, where: str, content: IO[bytes]) -> None:
        """Read the first line.

        Raises:
            NoTableError: it is no text, or its first line is too long.
        """
        self._where = where
        lines = _lines(where, content)
        heading = next(lines, "")
        separator = None
        if re.fullmatch(r"sep=.\s*", heading, re.IGNORECASE):  # Excel's own
            separator, heading = heading[4], next(lines, "")
        if separator is None:
            unquoted = re.sub(r'"[^"]*"', "", heading)
            separator = max(_SEPARATORS, key=unquoted.count)
        self.separator = separator
        self._reader = csv.reader(chain([heading], lines), delimiter=separator)
        self.columns = [name.strip() for name in next(self._reader, [])]
        """What the first line says, nothing if there is none"""
        self.n_unfit = 0
        """Rows so far that were left out, as they had more cells than there are columns"""

    @property
    def line(self) -> int:
        """Number of the line that was read last, of those from the first line on, from 1."""
        return self._reader.line_num

    def column(self, name: str) -> int | None:
        """Return a column's index, by its name in lower case; None if there is none."""
        names = [column.lower() for column in self.columns]
        return names.index(name) if name in names else None

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows that are not empty, each as long as `columns`.

        Raises:
            DataError: there are too many, or not one fits the first line.
        """
        n_columns, n_rows = len(self.columns), 0
        for row in self.all_rows():
            if len(row) > n_columns:
                self.n_unfit += 1
                continue
            n_rows += 1
            if n_rows > MOST_TABLE_ROWS:
                raise DataError(f"{self._where}: has over {MOST_TABLE_ROWS} rows: export less")
            yield row + [""] * (n_columns - len(row))
        if self.n_unfit and not n_rows:
            raise DataError(
                f"{self._where}: all rows have more cells than the first line: if numbers have "
                "decimal commas, separate them by semicolons"
            )

    def all_rows(self) -> Iterator[list[str]]:
        """Yield the rows that are not empty, without the empty cells at their ends."""
        for row in self._reader:
            while row and not row[-1].strip():
                row.pop()
            if row:
                yield row

    def numbers(self, columns: Mapping[int, Callable[[str], float]]) -> NDArray[np.float64]:
        """Return columns ``(n_rows, n_columns)``, read by functions such as `number`.

        What is no number here and there, as where a file was cut, is NaN.

        Raises:
            DataError: in over `MOST_DAMAGED` of the rows something is no number.
        """
        read = [array("d") for _ in columns]
        first_error: str | None = None
        n_rows = n_damaged = 0
        for n_rows, row in enumerate(self.rows(), 1):  # the last one is their number
            damaged = False
            for values, (column, as_number) in zip(read, columns.items(), strict=True):
                try:
                    values.append(as_number(row[column]))
                except ValueError as error:
                    values.append(np.nan)
                    damaged = True
                    first_error = first_error or f"row {n_rows}: {error}"
            n_damaged += damaged
        if n_damaged > MOST_DAMAGED * n_rows:
            raise DataError(f"{self._where}: {first_error}: export it anew, and do not edit it")
        return np.column_stack([np.frombuffer(values) for values in read])


def number(text: str) -> float:
    """Return a number with either decimal sign, NaN if there is nothing.

    Raises:
        ValueError: it is none.
    """
    if not text.strip():
        return np.nan
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"could not convert string to float: {text[:40]!r}") from None


@dataclass(frozen=True, eq=False)
class Track:
    """One sensor's samples in one file."""

    file: str
    sensor: Sensor
    samples: Samples


@dataclass(frozen=True, eq=False)
class Export:
    """A recording that an app exported."""

    app: str
    device: str | None
    """The phone's name, None if the export does not tell"""
    recording: str
    """What the app calls the recording"""
    clock: Clock
    convention: Convention | None
    """The sign of accelerations, None if the export does not tell"""
    sensors: Mapping[Sensor, Samples]
    labels: Sequence[tuple[float, str]] = ()
    """What the carrier wrote down, and when, in seconds. Each ends what was before."""
    files: Sequence[str] = ()
    """Those that it was read from"""

    @property
    def n_samples(self) -> int:
        """Number of samples, those of all sensors counted."""
        return sum(len(times) for times, _ in self.sensors.values())

    @property
    def common_s(self) -> float:
        """How long all sensors have samples, in seconds."""
        begin = max(float(times[0]) for times, _ in self.sensors.values())
        end = min(float(times[-1]) for times, _ in self.sensors.values())
        return max(end - begin, 0.0)

    def messages(self, device: str) -> list[list[Readings]]:
        """Return the samples as messages of a second each.

        Raises:
            MessageError: a sample cannot be one.
        """
        first = min(float(times[0]) for times, _ in self.sensors.values())
        parts: dict[int, list[Readings]] = {}
        for sensor, (times, values) in self.sensors.items():
            seconds = np.floor((times - first) / MESSAGE_S).astype(np.int64)
            begins = np.flatnonzero(np.diff(seconds, prepend=-1))
            for begin, end in zip(begins, [*begins[1:], len(times)], strict=True):
                for cut in range(begin, end, MAX_ROWS):
                    rows = slice(cut, min(cut + MAX_ROWS, end))
                    parts.setdefault(int(seconds[begin]), []).append(
                        Readings(
                            device, times[rows], values[rows], sensor, self.recording, self.clock
                        )
                    )
        return [parts[second] for second in sorted(parts)]


@dataclass(frozen=True, eq=False)
class AppExports:
    """What an app's module made of files."""

    exports: Sequence[Export]
    passed_over: Mapping[str, str]
    """Why files of the app were not read, or not all of them, by their names"""
    failures: Sequence[str] = ()
    """What is damaged and concerns none of `exports`"""


def by_sensor(source: str, tracks: Sequence[Track]) -> dict[Sensor, Samples]:
    """Return the samples of each sensor.

    Raises:
        DataError: two files hold the same sensor.
    """
    files: dict[Sensor, str] = {}
    for track in tracks:
        if track.sensor in files:
            words = track.sensor.replace("_", " ")
            raise both_hold(source, files[track.sensor], track.file, words)
        files[track.sensor] = track.file
    return {track.sensor: track.samples for track in tracks}


def both_hold(source: str, one: str, other: str, what: str) -> DataError:
    """Return the error of two files that may not both be of one recording."""
    return DataError(
        f"{source}: {one} and {other} both hold the {what}: give each recording's files a folder "
        "of their own"
    )


def whole(table: NDArray[np.float64], *, largest: float = np.inf) -> tuple[Samples, int]:
    """Return the samples of which every number is there, in the order of their times.

    ``table`` ``(n, 4)`` is times and x, y, z; NaN and infinity are no numbers, nor is what is
    beyond ``largest`` in a few rows. Returned is also how many rows have some numbers of a sample,
    but not all.
    """
    known = np.isfinite(table)
    within = np.abs(table[:, 1:]) <= largest
    if (known[:, 1:] & ~within).any(axis=1).sum() <= MOST_DAMAGED * len(table):
        known[:, 1:] &= within
    complete = known.all(axis=1)
    n_partial = int((known[:, 1:].any(axis=1) & ~complete).sum())
    kept = table[complete]
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    return (kept[:, 0].copy(), kept[:, 1:].copy()), n_partial


def left_out(*, n_unfit: int, n_partial: int) -> str | None:
    """Return in words which rows of a file are not used, None if all are."""
    why = {"of too many cells": n_unfit, "without a number": n_partial}
    counts = ", ".join(f"{n} {reason}" for reason, n in why.items() if n)
    return f"rows left out: {counts}" if counts else None


def checked(source: str, make: Callable[[], list[list[Readings]]]) -> list[list[Readings]]:
    """Return what ``make`` does, with its errors told as those of an export.

    Raises:
        DataError: a sample cannot be one.
    """
    try:
        return make()
    except MessageError as error:
        raise DataError(f"{source}: {error}") from error


# Files


@dataclass(frozen=True)
class Source:
    """A zip, or the files in a folder."""

    name: str
    paths: Mapping[str, Path] | None
    """The files, by their names in the folder; None for a zip"""
    passed_over: Mapping[str, str]

    @contextmanager
    def opened(self) -> Iterator[list[Files]]:
        """Give the files of each folder.

        Raises:
            DataError: it cannot be read, or holds no tables.
        """
        if self.paths is not None:
            openers = {name: partial(bounded.open_file, path) for name, path in self.paths.items()}
            yield _by_folder(self.name, openers, self.passed_over)
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
        yield Source(str(place), files, {})


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
        for name in [one for one in folders if (Path(place) / one).is_symlink()]:
            passed_over[(Path(place) / name).relative_to(folder).as_posix()] = "a link to a folder"
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
) -> list[Files]:
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
        Files(
            source if place == PurePosixPath() else f"{source}: {place}",
            files,
            others if place == first else {},
        )
        for place, files in contents.items()
    ]


def _may_hold_samples(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in TABLES


def _lines(where: str, content: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a text from the first that is not empty on, with their ends.

    Raises:
        NoTableError: it is no text, or a line of it is too long.
        DataError: it is too long.
    """
    binary = io.BufferedReader(cast(io.RawIOBase, content), MOST_LINE)  # any file will do
    start = binary.peek(MOST_LINE)[:MOST_LINE]
    encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), None)
    if encoding is None:
        encoding = "utf-8"
        if b"\0" in start:
            raise NoTableError(f"{where}: is no text: export it anew as CSV")
        try:
            codecs.getincrementaldecoder(encoding)().decode(start)
        except UnicodeDecodeError:
            encoding = "cp1252"  # in which spreadsheets write m/s² and °/s
    n_characters, begun = 0, False
    with io.TextIOWrapper(binary, encoding, newline="") as text:
        while line := text.readline(MOST_LINE):
            n_characters += len(line)
            if len(line) == MOST_LINE:
                raise NoTableError(f"{where}: has a line of over {MOST_LINE} characters")
            if n_characters > MOST_TABLE_BYTES:
                raise DataError(f"{where}: holds over {MOST_TABLE_BYTES >> 20} MiB: export less")
            begun = begun or not line.isspace()
            if begun:
                yield line
            elif n_characters > MOST_LINE:
                raise NoTableError(f"{where}: begins with over {MOST_LINE} empty characters")
