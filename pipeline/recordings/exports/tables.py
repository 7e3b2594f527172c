"""Tables as apps and spreadsheets write them, read row by row, in bounds."""

import codecs
import csv
import io
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.recordings.recording import DataError

MOST_TABLE_BYTES: Final = 1 << 30
MOST_TABLE_ROWS: Final = 10_000_000
"""A day at 100 Hz"""
MOST_LINE: Final = 1 << 16
"""Characters"""

BLOCK: Final = 1 << 16
"""Numbers that are read before they are passed on"""

MOST_DAMAGED: Final = 0.1
"""Share of rows that may be damaged; such are left out"""

BOMS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEPARATORS: Final = ",;\t"


class NoTableError(DataError):
    """A file is no table, although its name says so."""


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
        """The names in the first line, none if it is empty"""
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

    def blocks(
        self, columns: Mapping[int, Callable[[str], float]]
    ) -> Iterator[NDArray[np.float64]]:
        """Yield columns ``(n_rows, n_columns)`` part by part, read by functions such as `number`.

        What is no number here and there, as where a file was cut, is NaN.

        Raises:
            DataError: in over `MOST_DAMAGED` of the rows something is no number, at the end.
        """
        read = array("d")
        first_error: str | None = None
        n_rows = n_damaged = 0
        for n_rows, row in enumerate(self.rows(), 1):  # the last one is their number
            damaged = False
            for column, as_number in columns.items():
                try:
                    read.append(as_number(row[column]))
                except ValueError as error:
                    read.append(np.nan)
                    damaged = True
                    first_error = first_error or f"row {n_rows}: {error}"
            n_damaged += damaged
            if len(read) >= BLOCK:
                yield np.frombuffer(read).reshape(-1, len(columns))
                read = array("d")
        if n_damaged > MOST_DAMAGED * n_rows:
            raise DataError(f"{self._where}: {first_error}: export it anew, and do not edit it")
        if read:
            yield np.frombuffer(read).reshape(-1, len(columns))


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


def _lines(where: str, content: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a text from the first that is not empty on, with their ends.

    Raises:
        NoTableError: it is no text, or a line of it is too long.
        DataError: it is too long.
    """
    binary = io.BufferedReader(cast(io.RawIOBase, content), MOST_LINE)  # any file will do
    start = binary.peek(MOST_LINE)[:MOST_LINE]
    encoding = next((name for bom, name in BOMS.items() if start.startswith(bom)), None)
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
