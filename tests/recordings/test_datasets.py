"""Finding and opening data sets: layouts, places, download, damage."""

import contextlib
import logging
import os
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recordings import datasets, uci_har
from pipeline.recordings.datasets import HAPT, UCI_HAR
from pipeline.recordings.recording import DataError

Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def _no_folder_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAR_DATA_DIR", raising=False)


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


def test_an_explicit_place_without_the_data_set_is_an_error(
    tmp_path: Path, hapt_files: Files, as_zip: Callable[..., bytes]
) -> None:
    """With --data nothing else is looked at and nothing is downloaded."""
    (tmp_path / "hapt.zip").write_bytes(as_zip(hapt_files))
    (tmp_path / "empty").mkdir()
    for place in ("hapt.zip", "empty", "", "missing"):
        with (
            pytest.raises(DataError, match=str(tmp_path / place)),
            datasets.opened(UCI_HAR, tmp_path / place, cache=tmp_path, url="http://0.0.0.0:9/"),
        ):
            pass


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


def test_the_folder_variable_comes_before_the_cache(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uci_har_files: Files,
    as_folder: Callable[..., Path],
) -> None:
    """HAR_DATA_DIR is looked at first, then the cache folder."""
    named, cache = tmp_path / "named", tmp_path / "cache"
    as_folder(uci_har_files, cache / "UCI HAR Dataset")
    with datasets.opened(UCI_HAR, cache=cache, download=False) as files:
        assert cache / "UCI HAR Dataset" == files.source
    as_folder(uci_har_files, named / "UCI HAR Dataset")
    monkeypatch.setenv("HAR_DATA_DIR", str(named))
    with datasets.opened(UCI_HAR, cache=cache, download=False) as files:
        assert named / "UCI HAR Dataset" == files.source


@pytest.mark.parametrize("content", [None, {}, {"damaged.zip": b"PK"}])
def test_a_folder_variable_without_the_data_set_leads_on_to_the_cache(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uci_har_files: Files,
    as_folder: Callable[..., Path],
    content: Files | None,
) -> None:
    """A missing, empty or damaged HAR_DATA_DIR is passed over with a warning."""
    named, cache = tmp_path / "named", tmp_path / "cache"
    if content is not None:
        named.mkdir()
        as_folder(content, named)
    as_folder(uci_har_files, cache)
    monkeypatch.setenv("HAR_DATA_DIR", str(named))
    with datasets.opened(UCI_HAR, cache=cache, download=False) as files:
        assert cache == files.source
    assert [logging.WARNING] == [record.levelno for record in caplog.records]
    assert str(named) in caplog.text


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


def test_a_data_set_nowhere_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Without network the error names the flag, the variable, the address and the folder."""
    with (
        pytest.raises(DataError, match=f"--data.*HAR_DATA_DIR.*archive.ics.uci.edu.*{tmp_path}"),
        datasets.opened(HAPT, cache=tmp_path, download=False),
    ):
        pass


@pytest.fixture
def archive() -> Iterator[dict[str, tuple[int | None, bytes]]]:
    """Serve addresses: announced length and content of each; the first address is ``address``."""
    served: dict[str, tuple[int | None, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in served:
                self.send_error(404)
                return
            length, content = served[self.path]
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served["address"] = (None, f"http://127.0.0.1:{server.server_port}".encode())
        yield served
        server.shutdown()
        thread.join()


def _address(archive: dict[str, tuple[int | None, bytes]]) -> str:
    return archive["address"][1].decode()


@pytest.mark.parametrize("announced", [True, False])
def test_a_download_is_kept_unwrapped(
    tmp_path: Path,
    archive: dict[str, tuple[int | None, bytes]],
    uci_har_files: Files,
    as_zip: Callable[..., bytes],
    announced: bool,
) -> None:
    """The data set's own zip is taken out of the archive's, and found again without network."""
    inner = as_zip(uci_har_files, "UCI HAR Dataset/")
    outer = as_zip({"UCI HAR Dataset.zip": inner, "UCI HAR Dataset.names": b"names"})
    archive["/240.zip"] = (len(outer) if announced else None, outer)
    cache = tmp_path / "new" / "cache"
    with datasets.opened(UCI_HAR, cache=cache, url=_address(archive) + "/240.zip") as files:
        assert set(uci_har_files) == set(files.names())
    assert [cache / "UCI HAR Dataset.zip"] == list(cache.iterdir())
    assert inner == (cache / "UCI HAR Dataset.zip").read_bytes()
    with datasets.opened(UCI_HAR, cache=cache, download=False) as files:
        assert cache / "UCI HAR Dataset.zip" == files.source


@pytest.mark.parametrize(
    "fault", ["truncated", "truncated unannounced", "damaged", "other", "no zip", "404", "refused"]
)
def test_a_failed_download_leaves_no_file(
    tmp_path: Path,
    archive: dict[str, tuple[int | None, bytes]],
    uci_har_files: Files,
    as_zip: Callable[..., bytes],
    fault: str,
) -> None:
    """Whatever goes wrong, there is an error that says what to do, and the cache stays empty."""
    whole = as_zip(uci_har_files)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    contents = {
        "truncated": (len(whole), whole[:-1000]),
        "truncated unannounced": (None, whole[:-1000]),
        "damaged": (len(whole), bytes(damaged)),
        "other": (None, as_zip({"other.txt": b"other"})),
        "no zip": (None, b"<html>Moved</html>"),
    }
    if fault in contents:
        archive["/240.zip"] = contents[fault]
    url = "http://127.0.0.1:1/240.zip" if fault == "refused" else _address(archive) + "/240.zip"
    with (
        pytest.raises(DataError, match=f"could not be downloaded from {url}.*--data"),
        datasets.opened(UCI_HAR, cache=tmp_path, url=url),
    ):
        pass
    assert [] == list(tmp_path.iterdir())


ARRAYS = {"windows": np.arange(600.0).reshape(100, 2, 3), "labels": np.arange(100, dtype=np.int8)}


def _assert_arrays(found: dict[str, np.ndarray]) -> None:
    assert list(ARRAYS) == list(found)
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(expected, found[name], strict=True)


def test_cached_arrays_are_made_once(tmp_path: Path) -> None:
    """The second time the arrays come from the file, and no other file is left."""
    path = tmp_path / "new" / "arrays.npz"
    _assert_arrays(datasets.cached_arrays(path, lambda: ARRAYS))
    _assert_arrays(datasets.cached_arrays(path, dict))
    assert [path] == list(path.parent.iterdir())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_cache_is_made_anew(data: st.DataObject) -> None:
    """With any byte changed, or any part of the end missing, the arrays are still right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        datasets.cached_arrays(path, lambda: ARRAYS)
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans(), "truncated"):
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        _assert_arrays(datasets.cached_arrays(path, lambda: ARRAYS))


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the cache folder should be is a file: the arrays come, with a warning."""
    (tmp_path / "file").touch()
    _assert_arrays(datasets.cached_arrays(tmp_path / "file" / "arrays.npz", lambda: ARRAYS))
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"1 2 3\n4 x 6\n", "could not convert string 'x'"),
        (b"1 2 3\n4 5\n", "number of columns changed"),
        (b"1 2\n3 4\n", "has 2 numbers in a row, not 3"),
        (b"1 2 3\n4 nan 6\n", "row 2 holds a number that is not finite"),
        (b"1 2 3\n4 5 1e999\n", "row 2 holds a number that is not finite"),
        (b"\xff\xfe1 2 3\n", "could not convert"),
    ],
)
def test_a_table_that_is_none_is_named(
    tmp_path: Path, uci_har_files: Files, as_folder: Callable[..., Path], text: bytes, reason: str
) -> None:
    """The error says which file of which data set, and what is wrong with it."""
    as_folder(uci_har_files | {"table.txt": text}, tmp_path)
    with (
        datasets.opened(UCI_HAR, tmp_path) as files,
        pytest.raises(DataError, match=rf"{tmp_path}: table\.txt: .*{reason}"),
    ):
        datasets.read_table(files, "table.txt", columns=3)


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
