"""What phones' apps export: files in a zip or folder, tables in them, and a recording made of them.

What an app's files mean is decided in its own module, ``sensor_logger_export``, ``phyphox_export``.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.readings import MAX_ROWS, Clock, Convention, MessageError, Readings, Sensor
from pipeline.recordings.recording import DataError

MESSAGE_S: Final = 1.0
"""Seconds in a message of an imported recording, as if the phone had sent it."""

_META: Final = "meta"  # a folder that belongs to the files beside it (phyphox)
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # encrypted
    OSError,
)


@dataclass(frozen=True)
class Files:
    """The files of one exported recording."""

    source: str
    """Where they are, for people"""
    contents: Mapping[str, bytes]
    """By their names, ``Accelerometer.csv`` or ``meta/time.csv``"""

    def named(self, name: str) -> bytes | None:
        """Return a file's content, whatever the case of its name; None if there is none."""
        return next((self.contents[one] for one in self.contents if one.lower() == name), None)


@dataclass(frozen=True, eq=False)
class Table:
    """A file of comma-separated values, or separated otherwise."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Each as long as `columns`"""

    def column(self, name: str) -> list[str]:
        """Return a column, by its name in lower case.

        Raises:
            KeyError: there is none.
        """
        index = [column.strip().lower() for column in self.columns].index(name)
        return [row[index] for row in self.rows]


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
    sensors: Mapping[Sensor, tuple[NDArray[np.float64], NDArray[np.float64]]]
    """Times ``(n,)`` in seconds and values ``(n, 3)`` in m/s² or rad/s"""
    labels: Sequence[tuple[float, str]] = field(default=())
    """What the carrier wrote down, and when, in seconds"""

    def messages(self, device: str) -> list[list[Readings]]:
        """Return the samples as messages of a second each.

        Raises:
            MessageError: a sample cannot be one.
        """
        first = min(float(times.min()) for times, _ in self.sensors.values())
        parts: dict[int, list[Readings]] = {}
        for sensor, (times, values) in self.sensors.items():
            number = np.floor((times - first) / MESSAGE_S).astype(np.int64)
            for second in np.unique(number).tolist():
                chosen = np.flatnonzero(number == second)
                for begin in range(0, len(chosen), MAX_ROWS):
                    rows = chosen[begin : begin + MAX_ROWS]
                    parts.setdefault(second, []).append(
                        Readings(
                            device, times[rows], values[rows], sensor, self.recording, self.clock
                        )
                    )
        return [parts[second] for second in sorted(parts)]


def files_in(paths: Sequence[Path]) -> list[Files]:
    """Return the exported recordings in zips and folders, and the one that CSV files make up.

    CSV files of one folder are one recording; so are those of a folder in a zip.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    found: list[Files] = []
    loose: dict[Path, dict[str, bytes]] = {}
    for path in (path.expanduser() for path in paths):
        if path.is_dir():
            inside = {
                str(PurePosixPath(*file.relative_to(path).parts)): _read(file)
                for file in sorted(path.rglob("*.csv"))
            }
            found += _by_folder(str(path), inside)
        elif not path.is_file():
            raise DataError(f"{path}: no such file or folder")
        elif path.suffix.lower() == ".csv":
            place = path.parent.parent if path.parent.name == _META else path.parent
            loose.setdefault(place, {})[str(path.relative_to(place))] = _read(path)
        else:
            found += _by_folder(str(path), _unzipped(path))
    found += [Files(str(place), contents) for place, contents in loose.items()]
    return found


def read_table(where: str, content: bytes) -> Table:
    """Return a table whose first row names its columns.

    The separator is the one that the first row has most of. Rows that are not whole, such as the
    last one of an app that was killed, are left out.

    Raises:
        DataError: it is no text, or has no columns.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: is no text in UTF-8: export it anew as CSV") from error
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{where}: {error}") from error
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{where}: has no columns: export it anew as CSV")
    return Table(rows[0], [row for row in rows[1:] if len(row) == len(rows[0])])


def numbers(where: str, column: Sequence[str], *, decimal: str = ".") -> NDArray[np.float64]:
    """Return a column's numbers, NaN where there is nothing.

    Raises:
        DataError: one is no number.
    """
    try:
        return np.array([float(text.replace(decimal, ".") or "nan") for text in column])
    except ValueError as error:
        raise DataError(f"{where}: {error}: export it anew, and do not edit it") from error


def whole(
    where: str, times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the samples of which every number is there, in the order of their times.

    Raises:
        DataError: there are none.
    """
    known = ~(np.isnan(times) | np.isnan(values).any(axis=1))
    if not known.any():
        raise DataError(f"{where}: holds no samples")
    times, values = times[known], values[known]
    order = np.argsort(times, kind="stable")
    return times[order], values[order]


def checked(source: str, make: Callable[[], list[list[Readings]]]) -> list[list[Readings]]:
    """Return what ``make`` does, with its errors told as those of an export.

    Raises:
        DataError: a sample cannot be one.
    """
    try:
        return make()
    except MessageError as error:
        raise DataError(f"{source}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _unzipped(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name: archive.read(name)
                for name in archive.namelist()
                if name.lower().endswith(".csv")
            }
    except _ZIP_ERRORS as error:
        raise DataError(f"{path}: is no zip that can be read ({error}): export it anew") from error


def _by_folder(source: str, contents: Mapping[str, bytes]) -> list[Files]:
    """Return the files of each folder among files named by their paths."""
    folders: dict[str, dict[str, bytes]] = {}
    for name, content in contents.items():
        path = PurePosixPath(name)
        if path.name.startswith("._"):  # what a Mac adds to a zip
            continue
        place = path.parent.parent if path.parent.name == _META else path.parent
        folders.setdefault(str(place), {})[str(path.relative_to(place))] = content
    if not folders:
        raise DataError(f"{source}: holds no CSV files: export the recording as CSV")
    return [
        Files(source if place == "." else f"{source}: {place}", files)
        for place, files in folders.items()
    ]
