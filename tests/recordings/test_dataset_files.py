"""The files of data sets: layouts and damage."""

import contextlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recordings import datasets, uci_har
from pipeline.recordings.datasets import HAPT, UCI_HAR
from pipeline.recordings.recording import DataError

Files = dict[str, bytes]

pytestmark = pytest.mark.usefixtures("no_folder_variable")


@pytest.fixture(params=["zip", "zip at the root", "zip in a zip", "folder", "folder in a folder"])
def any_form(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    uci_har_files: Files,
    as_zip: Callable[..., bytes],
    as_folder: Callable[..., Path],
) -> Path:
    """Return the small UCI HAR in one of the forms in which people have it."""
    path = tmp_path / "some name.zip"
    zipped = as_zip(uci_har_files, "UCI HAR Dataset/")
    match request.param:
        case "zip":
            path.write_bytes(zipped)
        case "zip at the root":
            path.write_bytes(as_zip(uci_har_files))
        case "zip in a zip":
            macos = {"__MACOSX/._UCI HAR Dataset.zip": b"no zip", "UCI HAR Dataset.names": b""}
            path.write_bytes(as_zip(macos | {"UCI HAR Dataset.zip": zipped}))
        case "folder":
            return as_folder(uci_har_files, tmp_path / "data")
        case "folder in a folder":
            as_folder(uci_har_files, tmp_path / "data" / "UCI HAR Dataset")
            return tmp_path / "data"
    return path


def test_every_form_gives_the_same_files(any_form: Path, uci_har_files: Files) -> None:
    """Zip, nested zip and folder hold the same files under the same names."""
    with datasets.opened(UCI_HAR, any_form) as files:
        assert set(uci_har_files) == set(files.names())
        assert uci_har_files == {name: files.read(name) for name in files.names()}


def test_every_form_gives_the_same_hash(any_form: Path, uci_har_files: Files) -> None:
    """The hash is that of the sorted lines name, size, CRC-32, whatever holds the files."""
    names = uci_har.members()
    lines = [
        f"{name} {len(uci_har_files[name])} {zlib.crc32(uci_har_files[name]):08x}\n"
        for name in sorted(names)
    ]
    expected = sha256("".join(lines).encode()).hexdigest()[:16]
    with datasets.opened(UCI_HAR, any_form) as files:
        assert expected == datasets.data_hash(files, names)
        assert expected == datasets.data_hash(files, reversed(names))


def test_a_data_set_is_recognised_by_its_content(
    tmp_path: Path, uci_har_files: Files, hapt_files: Files, as_zip: Callable[..., bytes]
) -> None:
    """Names of zips do not matter, not even misleading ones, nor do other files beside them."""
    (tmp_path / "HAPT Data Set.zip").write_bytes(as_zip(uci_har_files, "UCI HAR Dataset/"))
    (tmp_path / "UCI HAR Dataset.zip").write_bytes(as_zip(hapt_files, "HAPT Data Set/"))
    (tmp_path / "a damaged one.zip").write_bytes(b"PK")
    (tmp_path / "notes.txt").write_bytes(b"")
    for published, expected in ((UCI_HAR, "HAPT Data Set.zip"), (HAPT, "UCI HAR Dataset.zip")):
        with datasets.opened(published, tmp_path) as files:
            assert tmp_path / expected == files.source


@pytest.mark.parametrize("n_bytes", [0, 1, 100, -1])
def test_a_truncated_zip_is_named(
    tmp_path: Path, uci_har_files: Files, as_zip: Callable[..., bytes], n_bytes: int
) -> None:
    """A zip of which the end is missing is an error that names it, in whatever way it is found."""
    path = tmp_path / "UCI HAR Dataset.zip"
    path.write_bytes(as_zip(uci_har_files)[:n_bytes])
    for data in (path, tmp_path):
        with (
            pytest.raises(DataError, match=r"UCI HAR Dataset\.zip: no readable zip"),
            datasets.opened(UCI_HAR, data),
        ):
            pass


def test_a_truncated_nested_zip_is_named(
    tmp_path: Path, uci_har_files: Files, as_zip: Callable[..., bytes]
) -> None:
    """A damaged zip in a zip is an error that names both."""
    path = tmp_path / "outer.zip"
    path.write_bytes(as_zip({"inner.zip": as_zip(uci_har_files)[:-9]}))
    with (
        pytest.raises(DataError, match=r"outer\.zip: inner\.zip: no readable zip"),
        datasets.opened(UCI_HAR, path),
    ):
        pass


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_zip_never_gives_wrong_files(
    uci_har_files: Files, as_zip: Callable[..., bytes], data: st.DataObject
) -> None:
    """With any byte of the zip changed, either the files are unchanged or there is a DataError."""
    content = bytearray(as_zip(uci_har_files))
    # The zip's directory, at its end, is a small part of it: it is hit every second time.
    n_last = data.draw(st.sampled_from([len(content), 2500]), "changed byte is one of the last")
    content[-data.draw(st.integers(1, n_last))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.zip"
        path.write_bytes(content)
        with contextlib.suppress(DataError), datasets.opened(UCI_HAR, path) as files:
            assert uci_har_files == {name: files.read(name) for name in uci_har.members()}


def test_a_zip_that_would_be_gigabytes(
    tmp_path: Path, uci_har_files: Files, as_zip: Callable[..., bytes]
) -> None:
    """A zip of a few kilobytes that holds what no data set does is refused before it is read."""
    bomb = uci_har_files | {"bomb.txt": bytes(40 << 20)}
    for number, content in enumerate((as_zip(bomb), as_zip({"inner.zip": as_zip(bomb)}))):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        with (
            pytest.raises(DataError, match=r"no readable zip file: would be 40 MiB of \d+ KiB"),
            datasets.opened(UCI_HAR, path),
        ):
            pass


def test_a_pipe_in_place_of_a_file(
    tmp_path: Path, uci_har_files: Files, as_folder: Callable[..., Path]
) -> None:
    """It is an error that names it, and nothing waits."""
    folder = as_folder(uci_har_files, tmp_path / "data")
    pipe = folder / "train" / "y_train.txt"
    pipe.unlink()
    os.mkfifo(pipe)
    with datasets.opened(UCI_HAR, folder) as files:
        with pytest.raises(DataError, match=r"y_train\.txt: is a pipe, not a file"):
            files.read("train/y_train.txt")
    with (
        pytest.raises(DataError, match=r"y_train\.txt: no such zip or folder"),
        datasets.opened(UCI_HAR, pipe),
    ):
        pass


def test_an_encrypted_zip_is_an_error(
    tmp_path: Path, uci_har_files: Files, as_zip: Callable[..., bytes]
) -> None:
    """A zip that asks for a password cannot be read, and is named."""
    path = tmp_path / "encrypted.zip"
    path.write_bytes(as_zip(uci_har_files))
    with zipfile.ZipFile(path) as archive:
        content = bytearray(path.read_bytes())
        for member in archive.infolist():
            content[member.header_offset + 6] |= 1  # the flag "encrypted"
        first = content.index(b"PK\x01\x02")
        while first >= 0:
            content[first + 8] |= 1
            first = content.find(b"PK\x01\x02", first + 1)
    path.write_bytes(content)
    with (
        datasets.opened(UCI_HAR, path) as files,
        pytest.raises(DataError, match=r"encrypted\.zip: train/y_train\.txt"),
    ):
        files.read("train/y_train.txt")
