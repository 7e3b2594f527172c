"""docs/guides/operate.md, whose commands are run in their order on a machine that is booted."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.machine import run_at_boots
from tests.packaging.built import REQUIREMENTS, build
from tests.processes import ROOT

PAGE: Final = ROOT / "docs" / "guides" / "operate.md"
AFTER: Final = "## After a reboot"


def commands(text: str) -> str:
    """Return the blocks of commands of a page, as one script; those by hand are no ``sh``."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return "".join(re.sub(f"^{indent}", "", block, flags=re.M) for indent, block in blocks)


@pytest.mark.operation
def test_from_an_empty_server_to_one_that_survives_a_reboot(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each command succeeds; after a reboot all is there, and so is what the phone has sent."""
    brought = tmp_path / "brought"
    build(brought / "dist", "--wheel")
    wheels = tmp_path / "shared" / "wheels"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
            *("--requirement", REQUIREMENTS / "service.txt", "--dest", wheels),
        ],
        check=True,
    )
    before, after = PAGE.read_text().split(AFTER)
    checks = (
        "cd /\nrunuser -u har-web -- /opt/har-stream/bin/har-history devices "
        "--database 'postgresql:///har?host=/run/postgresql'\n"
        "curl --fail --silent http://127.0.0.1:9464/readyz\n"
        "systemd-analyze security --no-pager --threshold=20 har-stream har-web har-history\n"
    )
    ran = run_at_boots(
        tmp_path,
        [commands(before), commands(after) + checks],
        files={"har-stream/dist": brought / "dist", "har-stream/deploy": ROOT / "deploy"},
    )
    for code, output in ran:
        assert 0 == code, output[-4000:]
    installed, rebooted = (output for _, output in ran)
    assert 3 == installed.count('"status":"ok"')
    assert "phone-1" in installed
    assert "phone-1" in rebooted
    assert 7 == rebooted.splitlines().count("active")
