"""Recordings in files: which are found and read, and which are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.recordings import journals, parquet
from pipeline.recordings.recording import DataError
from tests.recordings.journaled import HEADER, header, readings


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    """Its name has the device and the time, its header what the recording is."""
    journal = journals.Journal(tmp_path / "new" / "folder", header(device=".:é"))
    journal.append(0, readings(0.0))
    path = journal.close()
    assert tmp_path / "new" / "folder" / "___20261123T152200Z.parquet" == path
    assert path is not None
    assert header(device=".:é", convention="android") == parquet.read(path).header
    assert [path] == list(path.parent.iterdir())


def test_a_recording_that_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many samples there are is looked at first: a small file may hold very many."""
    journal = journals.Journal(tmp_path, HEADER)
    journal.append(0, readings(0.0))
    path = journal.close()
    assert path is not None
    assert (parquet.read(path).header, 25) == parquet.survey(path)
    monkeypatch.setattr(parquet, "MOST_RECORDED_SAMPLES", 24)
    with pytest.raises(DataError, match="holds 25 samples; at most 24 are taken"):
        parquet.read(path)


def test_files_and_folders_are_found(tmp_path: Path) -> None:
    """A folder stands for the recordings in it; none counts twice."""
    paths = [tmp_path / f"{name}.parquet" for name in "ba"]
    for path in paths:
        path.write_bytes(b"")
    (tmp_path / "c.arrows").write_bytes(b"")
    assert paths[::-1] == parquet.find([tmp_path])
    assert paths == parquet.find([paths[0], tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.parquet", None, "missing.parquet: no such recording"),
        ("text.parquet", b"time,x,y,z", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_recording_is_one_clear_line(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    """A file that is missing or no Parquet is told by its name."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as refused:
        parquet.read(path)
    assert str(path) in str(refused.value)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    """A table of somebody else's is no recording, nor is one whose columns were changed."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="is no recording of har-record or har-import"):
        parquet.read(tmp_path / "other.parquet")
    journal = journals.Journal(tmp_path, HEADER)
    journal.append(0, readings(0.0))
    path = journal.close()
    assert path is not None
    pq.write_table(pq.read_table(path).drop_columns(["gyro_z"]), path)
    with pytest.raises(DataError, match="has not the columns of a recording"):
        parquet.read(path)


def test_nothing_to_find(tmp_path: Path) -> None:
    """An empty folder, and one that is not there, are errors that say what to do."""
    with pytest.raises(DataError, match=r"holds no recordings .* make some with har-record"):
        parquet.find([tmp_path])
    with pytest.raises(DataError, match="no such recording or folder"):
        parquet.find([tmp_path / "nowhere"])


def test_without_pyarrow_one_line_says_what_to_install() -> None:
    """The commands that need it say so before they do anything."""
    for command in ("record.command", "importer"):
        code = (
            "import sys; sys.modules['pyarrow'] = None; sys.argv = ['har', '--broker', 'b', "
            f"'--device', 'd'] if {command!r} == 'record.command' else ['har', 'file'];"
            f"from pipeline.commands.{command} import main; main()"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert 1 == finished.returncode
        assert "pyarrow: pip install 'har-stream[record]'\n" in finished.stderr
        assert 1 == finished.stderr.count("\n"), finished.stderr


def test_what_is_to_be_imported_or_named_first(tmp_path: Path) -> None:
    """An app's export is none of our files, and a folder of folders is not searched."""
    (tmp_path / "x.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.zip: is an app's export: .* by har-import"):
        parquet.find([tmp_path / "x.zip"])
    (tmp_path / "all" / "monday").mkdir(parents=True)
    (tmp_path / "all" / "monday" / "a.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="all: holds folders of recordings: name these"):
        parquet.find([tmp_path / "all"])
