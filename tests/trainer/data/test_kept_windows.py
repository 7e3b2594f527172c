from pathlib import Path

import pytest

import pipeline
from trainer.data import kept_windows
from trainer.data.kept_windows import cache_beside


def test_the_code_that_prepares_is_known() -> None:
    """Its hash is of files that are there, each pattern of one at least."""
    root = Path(pipeline.__file__).parent
    assert all(any(root.glob(pattern)) for pattern in kept_windows._PREPARING)
    assert kept_windows._code_hash() == kept_windows._code_hash()


@pytest.mark.parametrize(
    ("out", "folder"), [("out", "out-windows"), ("a/b/", "a/b-windows"), ("a/..", "../{}-windows")]
)
def test_the_cache_is_beside_the_out_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, folder: str
) -> None:
    """It has its name and some more."""
    monkeypatch.chdir(tmp_path)
    expected = (tmp_path / folder.format(tmp_path.name)).resolve()
    assert expected == cache_beside(Path(out))
