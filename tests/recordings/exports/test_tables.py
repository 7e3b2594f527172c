"""Tables in exports: separators, numbers, bounds."""

import numpy as np
import pytest

from pipeline.recordings.exports import tables
from pipeline.recordings.exports.tables import number
from pipeline.recordings.recording import DataError
from tests.recordings.exported import files


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_with_any_separator(separator: str) -> None:
    """The first row names the columns; empty rows are none, and short ones lack their last."""
    lines = [
        ["\ufeffTime", '"a ""b"""', "c"], ["1", '"x,;\ty"', ""], [""], ["", "", ""], ["2"]
    ]  # fmt: skip
    content = "\r\n".join(map(separator.join, lines)).encode()
    with files({"a.csv": content}).table("a.csv") as table:
        assert ["Time", 'a "b"', "c"] == table.columns
        assert (0, None) == (table.column("time"), table.column("d"))
        assert [["1", "x,;\ty", ""], ["2", "", ""]] == list(table.rows())


@pytest.mark.parametrize("content", [b"\xff\xfe,", b"a,b\n\0,1\n"])
def test_what_is_no_table(content: bytes) -> None:
    """A file that is no text is an error, an empty one has no columns."""
    found = files({"a.csv": content, "b.csv": b"\xef\xbb\xbf\n"})
    with pytest.raises(DataError, match=r"^export.zip: a.csv: .* export it anew as CSV"):
        found.table("a.csv").__enter__()
    assert ([], []) == (found.columns("a.csv"), found.columns("b.csv"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n" + b"1" * 70_000, "has a line of over 65536 characters"),
        (b'a,b\n"' + b"1,2\n" * 40_000, "field larger than field limit"),
        (b"a,b\n" + b"1,2\n" * 9, "has over 8 rows"),
        (b"a,b\n" + b"\n" * 40_000, "holds over 0 MiB"),
        (b"\n" * 70_000, "begins with over 65536 empty characters"),
    ],
)
def test_tables_that_are_too_large(
    monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    """Lines, cells, rows and characters have bounds."""
    monkeypatch.setattr(tables, "MOST_TABLE_ROWS", 8)
    monkeypatch.setattr(tables, "MOST_TABLE_BYTES", 20_000 if b"a,b\n\n" in content else 200_000)
    with pytest.raises(DataError, match=words), files({"a.csv": content}).table("a.csv") as table:
        list(table.rows())


def test_numbers() -> None:
    """Numbers have either decimal sign and may be missing, but are nothing else."""
    cells = ["1.5", "-2E-3", "NaN", "", " 1,5", "-2E-3"]
    expected = [1.5, -2e-3, np.nan, np.nan, 1.5, -2e-3]
    np.testing.assert_array_equal(expected, [number(cell) for cell in cells])
    for text in ("1,234.5", "1.234,5"):
        with pytest.raises(ValueError, match=f"could not convert .* '{text}'"):
            number(text)
