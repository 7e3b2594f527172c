"""Where data sets are looked for, and what their readers share."""

import logging
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recordings import datasets
from pipeline.recordings.datasets import HAPT, UCI_HAR
from pipeline.recordings.recording import DataError

Files = dict[str, bytes]

pytestmark = pytest.mark.usefixtures("no_folder_variable")


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


def test_a_data_set_nowhere_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Without network the error names the flag, the variable, the address and the folder."""
    with (
        pytest.raises(DataError, match=f"--data.*HAR_DATA_DIR.*archive.ics.uci.edu.*{tmp_path}"),
        datasets.opened(HAPT, cache=tmp_path, download=False),
    ):
        pass


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


def test_several_may_make_cached_arrays_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is later writes the same once more."""
    path = tmp_path / "arrays.npz"
    n_writers = 4
    all_have_made = threading.Barrier(n_writers)

    def make() -> dict[str, np.ndarray]:
        all_have_made.wait(10)
        return ARRAYS

    with ThreadPoolExecutor(n_writers) as writers:
        for made in [writers.submit(datasets.cached_arrays, path, make) for _ in range(n_writers)]:
            _assert_arrays(made.result())
    assert not caplog.records
    assert [path] == list(tmp_path.iterdir())
    _assert_arrays(datasets.cached_arrays(path, dict))


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
