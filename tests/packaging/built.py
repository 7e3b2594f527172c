"""The packages that `make build` makes, and a clean environment that has the wheel."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.processes import ROOT

REQUIREMENTS: Final = ROOT / "deploy" / "requirements"
UV: Final = Path(sys.executable).with_name("uv")


def build(folder: Path, *kinds: str) -> None:
    """Build into a folder: with ``--wheel`` from the tree, else the sdist and from that the wheel.

    Of the machine's registries nothing is asked: hatchling is here already.
    """
    subprocess.run(
        [
            *(UV, "build", "--quiet", "--no-build-isolation", "--offline"),
            *("--python", sys.executable, "--out-dir", folder, *kinds, ROOT),
        ],
        check=True,
    )


def wheel_in(folder: Path) -> Path:
    """Return the wheel that was built into a folder."""
    (wheel,) = folder.glob("har_stream-*.whl")
    return wheel


def install(environment: Path, wheel: Path, *, lock: str) -> Path:
    """Make an environment with a wheel and the dependencies of a lock; return its programs' folder.

    Args:
        environment: folder that is made.
        wheel: what is installed.
        lock: name of a file in deploy/requirements, such as ``service``.
    """
    programs = environment / "bin"
    into = ("--quiet", "--python", programs / "python")
    requirements = REQUIREMENTS / f"{lock}.txt"
    for command in (
        ("venv", "--quiet", "--python", sys.executable, environment),
        ("pip", "sync", *into, "--require-hashes", requirements),
        ("pip", "install", *into, "--no-deps", wheel),
    ):
        subprocess.run([UV, *command], check=True)
    return programs
