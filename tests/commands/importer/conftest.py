import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commands import importer
from tests.commands.importer.outcome import Imported


@pytest.fixture
def har_import(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Imported]:
    """A function that runs the command here, which takes less time than to start it."""
    monkeypatch.chdir(tmp_path)

    def run(*flags: str) -> Imported:
        caplog.clear()
        monkeypatch.setattr(sys, "argv", ["har-import", *flags])
        end = ""
        try:
            importer.main()
        except SystemExit as error:
            end = str(error)
        return Imported(capsys.readouterr().out, caplog.messages + end.splitlines(), bool(end))

    return run
