"""The wheel and the source distribution that the project is installed from."""

import subprocess
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.built import build, wheel_in
from tests.processes import ROOT

MOST_BYTES: Final = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is made of the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build(folder, "--wheel")
    return wheel_in(folder)


def test_the_wheel_holds_the_program_alone(wheel: Path) -> None:
    """It has every module, model and table of pipeline/ and trainer/, and nothing else."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "pipeline", "trainer"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert set(tracked.stdout.split("\n")) - {""} == packed


def test_the_wheel_is_small(wheel: Path) -> None:
    """It is at most 5 MiB, of which the models are most."""
    assert wheel.stat().st_size <= MOST_BYTES


def test_type_checkers_may_read_it(wheel: Path) -> None:
    """Both packages are marked as typed (PEP 561)."""
    with zipfile.ZipFile(wheel) as archive:
        assert {"pipeline/py.typed", "trainer/py.typed"} <= set(archive.namelist())


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Whoever builds from it gets every byte of the wheel that is made of the tree."""
    build(tmp_path)
    assert wheel.read_bytes() == wheel_in(tmp_path).read_bytes()
