"""A machine of a test's own: systemd boots in namespaces, on a layer over this machine's files.

Strategy: `unshare` gives it mounts, processes, a network of loopback alone, and control groups of
its own; an overlay in memory takes all that it writes. For each script it is booted once, with what
was written at the boots before, and the script is run by a service when all others have started. So
scripts see real units and real reboots, and this machine stays as it is.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

BOOT: Final = Path(__file__).with_name("boot.sh")
TIMEOUT_S: Final = 150.0


class Ran(NamedTuple):
    """What became of a script."""

    code: int
    output: str


def run_at_boots(folder: Path, scripts: list[str], *, files: dict[str, Path]) -> list[Ran]:
    """Boot the machine once for each script, and return what each did.

    A script that fails is the last. Skips the test where no such machine can be booted.

    Args:
        folder: of the test.
        scripts: run by ``bash -ex`` as root.
        files: folders of this machine that are copied into root's home first, by their names there.
    """
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists():
        pytest.skip("needs root, and systemd on Debian")
    shared = folder / "shared"
    (shared / "home").mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        shutil.copytree(path, shared / "home" / name)
    for number, script in enumerate(scripts):
        (shared / f"script-{number}").write_text(script)
    done = subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"),
            *("bash", BOOT, shared, str(len(scripts))),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if not (shared / "output-0").exists():
        pytest.skip(f"no machine can be booted here: {shlex.quote(done.stderr[-500:])}")
    return [
        Ran(
            int((shared / f"code-{number}").read_text() or 1),
            (shared / f"output-{number}").read_text(errors="replace"),
        )
        for number in range(len(scripts))
        if (shared / f"code-{number}").exists()
    ]
