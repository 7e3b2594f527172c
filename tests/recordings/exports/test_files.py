"""What all exports have in common: zips, folders, files."""

import os
import zipfile
from pathlib import Path

import pytest

from pipeline.recordings.exports.files import Source, sources
from pipeline.recordings.recording import DataError
from tests.recordings.conftest import AsFolder, AsZip
from tests.recordings.exported import files

CONTENTS = {"Accelerometer.csv": b"time,x\n1,2\n", "meta/time.csv": b"event,at\nSTART,1\n"}


def contents_of(source: Source) -> list[tuple[str, dict[str, bytes]]]:
    """Return what each folder of a source holds."""
    with source.opened() as folders:
        return [
            (one.source, {name: one.content(name, most_bytes=99) for name in one.contents})
            for one in folders
        ]


def opened(paths: list[Path]) -> list[tuple[str, dict[str, bytes]]]:
    """Return what each folder of zips, folders and files holds; the first error is raised."""
    found = []
    for source in sources(paths):
        if isinstance(source, DataError):
            raise source
        found += contents_of(source)
    return found


def passed_over(path: Path) -> dict[str, str]:
    """Return why files of a source are not looked into."""
    (source,) = sources([path])
    assert isinstance(source, Source)
    with source.opened() as folders:
        return {name: why for one in folders for name, why in one.passed_over.items()}


def test_zips_folders_and_files_hold_the_same(
    tmp_path: Path, as_zip: AsZip, as_folder: AsFolder
) -> None:
    """A zip, the folder in it, and the folder's files are one recording each."""
    (tmp_path / "export.zip").write_bytes(as_zip(CONTENTS | {"image.png": b""}))
    folder = as_folder(CONTENTS | {"notes.md": b""}, tmp_path / "export")
    loose = [folder / name for name in CONTENTS]
    paths = [tmp_path / "export.zip", folder, *loose]
    names = [f"{tmp_path}/export.zip", str(folder), str(folder)]
    assert [(name, CONTENTS) for name in names] == opened(paths)
    assert {"image.png": "not a table"} == passed_over(tmp_path / "export.zip")
    assert {"notes.md": "not a table"} == passed_over(folder)


def test_several_recordings_in_a_zip(tmp_path: Path, as_zip: AsZip) -> None:
    """Each folder of a zip is a recording; what a Mac adds is none."""
    contents = {f"{day}/{name}": content for day in "ab" for name, content in CONTENTS.items()}
    archive = tmp_path / "export.zip"
    archive.write_bytes(as_zip(contents | {"__MACOSX/a/._Accelerometer.csv": b"\0"}))
    assert [(f"{archive}: a", CONTENTS), (f"{archive}: b", CONTENTS)] == opened([archive])


def test_silence_beside_the_tables(tmp_path: Path, as_zip: AsZip) -> None:
    """What is not read may be of any size."""
    path = tmp_path / "export.zip"
    path.write_bytes(as_zip({"Accelerometer.csv": b"1", "Microphone.wav": bytes(40 << 20)}))
    assert [(str(path), {"Accelerometer.csv": b"1"})] == opened([path])


def test_names_in_a_zip(tmp_path: Path, as_zip: AsZip) -> None:
    """Windows' separators are folders' too; a name that is there twice is an error."""
    path = tmp_path / "export.zip"
    path.write_bytes(as_zip({"a\\Accelerometer.csv": b"1"}))
    assert [(f"{path}: a", {"Accelerometer.csv": b"1"})] == opened([path])
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a\\Accelerometer.csv", b"2")
    with pytest.raises(DataError, match=r"holds a/Accelerometer\.csv twice"):
        opened([path])


def test_all_that_is_in_a_folder(tmp_path: Path, as_zip: AsZip, as_folder: AsFolder) -> None:
    """Zips in it are exports too, the case of a name does not matter, links are not followed."""
    folder = as_folder({"a/DATA.CSV": b"1", "b.ZIP": as_zip(CONTENTS)}, tmp_path / "export")
    (folder / "loop").symlink_to(folder)
    (folder / "itself.csv").symlink_to(folder / "itself.csv")
    os.mkfifo(folder / "pipe.csv")
    assert [
        (f"{folder}: a", {"DATA.CSV": b"1"}),
        (f"{folder}/b.ZIP", CONTENTS),
    ] == opened([folder])
    (first, _) = sources([folder])
    assert isinstance(first, Source)
    assert {
        "loop": "a link to a folder",
        "itself.csv": "a pipe, a device or a link to nowhere",
        "pipe.csv": "a pipe, a device or a link to nowhere",
    } == first.passed_over


def test_names_are_found_in_any_case() -> None:
    """ExportFiles are asked for in lower case."""
    found = files(CONTENTS)
    assert "Accelerometer.csv" == found.named("accelerometer.csv")
    assert found.named("gyroscope.csv") is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.zip", None, "missing.zip: no such file or folder"),
        ("text.zip", b"no zip", "is no zip that can be read .* export it anew"),
        ("cut.zip", "cut", "is no zip that can be read .* export it anew"),
        (
            "empty.zip",
            "empty",
            "holds no CSV files: .*; a.xlsx: a workbook: save",
        ),
    ],
)
def test_what_is_no_export(
    tmp_path: Path, as_zip: AsZip, name: str, content: bytes | str | None, words: str
) -> None:
    """What cannot be opened is told by its name, with what to do."""
    if content == "cut":
        content = as_zip(CONTENTS)[:-30]
    if content == "empty":
        content = as_zip({"a.xlsx": b"{}"})
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as refused:
        opened([tmp_path / name])
    assert name in str(refused.value)


def test_a_damaged_file_in_a_zip(tmp_path: Path) -> None:
    """A wrong checksum is an error, not a wrong sample."""
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Accelerometer.csv", b"time,x\n1,2\n")
    path.write_bytes(path.read_bytes().replace(b"1,2", b"1,3", 1))
    with pytest.raises(DataError, match=r"Accelerometer\.csv: cannot be read: Bad CRC-32"):
        opened([path])


def test_an_encrypted_zip(tmp_path: Path, as_zip: AsZip) -> None:
    """A zip that asks for a password is said to, once."""
    content = bytearray(as_zip(CONTENTS))
    for begin, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(begin)
        while at >= 0:
            content[at + place] |= 1  # the flag "encrypted"
            at = content.find(begin, at + 1)
    path = tmp_path / "export.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"export\.zip: is encrypted: unpack it with its password"):
        opened([path])
