import stat
from pathlib import Path

import pytest

from pipeline.atomic_file import replacing, replacing_path


def test_it_is_there_when_it_is_whole(tmp_path: Path) -> None:
    """Until the end the old one is there, then the new one, and nothing else."""
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with replacing(target, mode=0o600) as file:
        file.write(b"new")
        assert b"old" == target.read_bytes()
    assert b"new" == target.read_bytes()
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert [target] == list(tmp_path.iterdir())


def test_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    """What was begun is gone, what was there before stays."""
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(target) as file:
        file.writelines([b"new", None])  # type: ignore[list-item]
    assert b"old" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not made, and the error names the file."""
    with pytest.raises(FileNotFoundError, match="unfinished"), replacing(tmp_path / "no" / "file"):
        pass


def test_a_file_that_is_opened_anew(tmp_path: Path) -> None:
    """What a library writes by a path of the same name is there when it is whole."""
    target = tmp_path / "file.zip"
    target.write_bytes(b"old")
    with replacing_path(target) as unfinished:
        unfinished.write_bytes(b"new")
        assert target.name == unfinished.name
        assert b"old" == target.read_bytes()
    assert b"new" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())


def test_an_error_of_who_opens_it_anew(tmp_path: Path) -> None:
    """What was begun is gone, what was there before stays."""
    target = tmp_path / "file.zip"
    target.write_bytes(b"old")

    def write() -> None:
        with replacing_path(target) as unfinished:
            unfinished.write_bytes(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert b"old" == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())
