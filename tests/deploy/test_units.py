"""The units of deploy/systemd, as systemd itself judges them."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ROOT

UNITS: Final = ROOT / "deploy" / "systemd"
SERVICES: Final = ("har-stream.service", "har-web.service", "har-history.service")
MOST_EXPOSED: Final = 20
"""Tenths, as systemd-analyze's threshold counts: 2.0 of 10"""

pytestmark = pytest.mark.operation


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the units put in place beside systemd's own, and programs that they start."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, of Debian's package systemd")
    folder = tmp_path_factory.mktemp("root")
    shutil.copytree("/lib/systemd/system", folder / "lib/systemd/system", symlinks=True)
    shutil.copytree(UNITS, folder / "etc/systemd/system")
    programs = folder / "opt/har-stream/bin"
    programs.mkdir(parents=True)
    for service in SERVICES:
        shutil.copy("/bin/true", programs / service.removesuffix(".service"))
    return folder


def analyze(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Let systemd-analyze look into a root; return what it said."""
    return subprocess.run(
        ["systemd-analyze", *arguments, f"--root={root}"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_PAGER": ""},
    )


@pytest.mark.parametrize("service", SERVICES)
def test_systemd_understands_each_line(root: Path, service: str) -> None:
    """`systemd-analyze verify` has nothing to say."""
    done = analyze(root, "verify", service)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_confined(root: Path, service: str) -> None:
    """Its exposure by `systemd-analyze security` is at most 2.0."""
    done = analyze(root, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", service)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_each_service_has_a_user_and_a_port_of_its_own() -> None:
    """No service reads what another keeps, or takes its address."""
    texts = [(UNITS / service).read_text() for service in SERVICES]
    for kind in ("User=", "StateDirectory=", "LoadCredential=", "--metrics 127.0.0.1:"):
        values = {text.split(kind)[1].split("\n")[0] for text in texts}
        assert len(SERVICES) == len(values)


def test_the_users_are_made(tmp_path: Path) -> None:
    """`systemd-sysusers` makes a user for each service, who cannot log in."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("needs systemd-sysusers, of Debian's package systemd")
    (tmp_path / "etc").mkdir()
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UNITS / "har-stream.sysusers"],
        check=True,
        capture_output=True,
    )
    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert {user[0]: user[-1] for user in users} == {
        service.removesuffix(".service"): "/usr/sbin/nologin" for service in SERVICES
    }
