"""What all exports have in common: zips, folders, tables."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.recordings.exports import Export, files_in, numbers, read_table, whole
from pipeline.recordings.recording import DataError
from tests.recordings.conftest import AsFolder, AsZip

CONTENTS = {"Accelerometer.csv": b"time,x\n1,2\n", "meta/time.csv": b"event,at\nSTART,1\n"}


def test_zips_folders_and_files_hold_the_same(
    tmp_path: Path, as_zip: AsZip, as_folder: AsFolder
) -> None:
    """A zip, the folder in it, and the folder's files are one recording each."""
    (tmp_path / "export.zip").write_bytes(as_zip(CONTENTS | {"image.png": b""}))
    folder = as_folder(CONTENTS | {"notes.txt": b""}, tmp_path / "export")
    loose = [folder / name for name in CONTENTS]
    found = files_in([tmp_path / "export.zip", folder, *loose])
    assert [CONTENTS] * 3 == [files.contents for files in found]
    assert [f"{tmp_path}/export.zip", str(folder), str(folder)] == [one.source for one in found]


def test_several_recordings_in_a_zip(tmp_path: Path, as_zip: AsZip) -> None:
    """Each folder of a zip is a recording; what a Mac adds is none."""
    contents = {f"{day}/{name}": content for day in "ab" for name, content in CONTENTS.items()}
    archive = tmp_path / "export.zip"
    archive.write_bytes(as_zip(contents | {"__MACOSX/a/._Accelerometer.csv": b"\0"}))
    found = files_in([archive])
    assert [CONTENTS] * 2 == [files.contents for files in found]
    assert [f"{archive}: a", f"{archive}: b"] == [files.source for files in found]


def test_names_are_found_in_any_case(tmp_path: Path, as_folder: AsFolder) -> None:
    """Files are asked for in lower case."""
    (files,) = files_in([as_folder(CONTENTS, tmp_path / "export")])
    assert CONTENTS["Accelerometer.csv"] == files.named("accelerometer.csv")
    assert files.named("gyroscope.csv") is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.zip", None, "missing.zip: no such file or folder"),
        ("text.zip", b"no zip", "is no zip that can be read .* export it anew"),
        ("cut.zip", "cut", "is no zip that can be read .* export it anew"),
        ("empty.zip", "empty", "holds no CSV files: export the recording as CSV"),
    ],
)
def test_what_is_no_export(
    tmp_path: Path, as_zip: AsZip, name: str, content: bytes | str | None, words: str
) -> None:
    """What cannot be opened is told by its name, with what to do."""
    if content == "cut":
        content = as_zip(CONTENTS)[:-30]
    if content == "empty":
        content = as_zip({"a.json": b"{}"})
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as refused:
        files_in([tmp_path / name])
    assert name in str(refused.value)


def test_a_damaged_file_in_a_zip(tmp_path: Path) -> None:
    """A wrong checksum is an error, not a wrong sample."""
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Accelerometer.csv", b"time,x\n1,2\n")
    path.write_bytes(path.read_bytes().replace(b"1,2", b"1,3", 1))
    with pytest.raises(DataError, match="is no zip that can be read"):
        files_in([path])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_with_any_separator(separator: str) -> None:
    """The first row names the columns; a row that is not whole is left out."""
    text = separator.join(["\ufeffTime", '"a ""b"""', "c\r\n1", '"x,;\ty"', "\r\n2"])
    table = read_table("file", text.encode())
    assert (["Time", 'a "b"', "c"], [["1", "x,;\ty", ""]]) == (table.columns, table.rows)
    assert ["1"] == table.column("time")
    with pytest.raises(ValueError, match="not in list"):
        table.column("d")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe,", b"one column\n1\n"])
def test_what_is_no_table(content: bytes) -> None:
    """A file without columns, and one that is no text, are errors."""
    with pytest.raises(DataError, match=r"^file: .* export it anew as CSV"):
        read_table("file", content)


def test_numbers() -> None:
    """Numbers have either decimal sign and may be missing, but are nothing else."""
    expected = [1.5, -2e-3, np.nan, np.nan]
    np.testing.assert_array_equal(expected, numbers("", ["1.5", "-2E-3", "NaN", ""]))
    np.testing.assert_array_equal(expected, numbers("", ["1,5", "-2E-3", "NaN", ""], decimal=","))
    with pytest.raises(DataError, match=r"file: could not convert .* do not edit it"):
        numbers("file", ["1", "2;3"])


def test_whole_samples() -> None:
    """Samples that lack a number are left out, the others are in the order of their times."""
    times = np.array([3.0, 1.0, np.nan, 2.0])
    values = np.array([[1.0] * 3, [2.0] * 3, [3.0] * 3, [4.0, np.nan, 4.0]])
    kept, rows = whole("file", times, values)
    assert ([1.0, 3.0], [2.0, 1.0]) == (kept.tolist(), rows[:, 0].tolist())
    with pytest.raises(DataError, match="file: holds no samples"):
        whole("file", times[2:3], values[2:3])


def test_messages_of_a_second() -> None:
    """All sensors' samples of a second are a message, with nothing lost or moved."""
    times = {"accelerometer": np.arange(250) / 100 + 7.3, "gyroscope": np.arange(200) / 90 + 7.35}
    sensors = {
        sensor: (at, np.random.default_rng(1).normal(size=(len(at), 3)))
        for sensor, at in times.items()
    }
    export = Export(
        app="", device=None, recording="r", clock="boot", convention=None, sensors=sensors
    )
    messages = export.messages("phone")
    assert [["accelerometer", "gyroscope"]] * 3 == [[r.sensor for r in m] for m in messages]
    for sensor, (at, values) in sensors.items():
        parts = [r for message in messages for r in message if r.sensor == sensor]
        np.testing.assert_array_equal(at, np.concatenate([part.times for part in parts]))
        np.testing.assert_array_equal(values, np.concatenate([part.values for part in parts]))
        assert {("phone", "r", "boot")} == {(p.device, p.recording, p.clock) for p in parts}
