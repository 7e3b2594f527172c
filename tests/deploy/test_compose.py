import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import mosquitto_binary
from tests.deploy.compose import (
    COMPOSE,
    make_secrets,
    secret_files,
    secrets_within,
    services,
)
from tests.deploy.image import DOCKERFILE
from tests.processes import ROOT

NO_SECRETS: Final = re.compile(r"PASSWORD(?!_FILE|__FILE)|TOKEN(?!_FILE)|DATABASE(?!_FILE)")


def test_the_dockerfile_follows_good_practice() -> None:
    """Hadolint has nothing to say."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_the_image_names_the_version() -> None:
    """Its label is that of the package."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'image.version="{version}"' in DOCKERFILE.read_text()


def test_what_is_not_needed_is_not_sent_to_the_engine() -> None:
    """Of the tree everything is ignored, but for that from which the Dockerfile copies."""
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    needed = {name.rstrip("/") for names in copied for name in names.split()}
    within = {name: [path for path in needed if f"{path}/".startswith(f"{name}/")] for name in kept}
    assert all(within.values())
    assert needed == {path for paths in within.values() for path in paths}


@pytest.mark.operation
def test_docker_compose_takes_it(tmp_path: Path) -> None:
    """`docker-compose config` resolves it, with all profiles.

    Debian's is older than the element `name`, which it is not given.
    """
    if shutil.which("docker-compose") is None:
        pytest.skip("needs docker-compose: make test-operation installs it")
    text = re.sub(r"^name: .*\n", "", COMPOSE.read_text(), flags=re.MULTILINE)
    (tmp_path / "compose.yaml").write_text(text)
    command = ("docker-compose", "--profile", "demo", "--profile", "monitoring", "config")
    done = subprocess.run([*command, "--services"], cwd=tmp_path, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    assert sorted(services()) == sorted(done.stdout.split())


@pytest.mark.parametrize("name", services())
def test_a_service_is_confined(name: str) -> None:
    """It writes nowhere but where it is told, has no rights, and ends where it takes too much."""
    service = services()[name]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert "unless-stopped" == service["restart"]
    assert {"mem_limit", "pids_limit", "networks", "logging"} <= service.keys()
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & service.keys()
    assert service["image"].startswith("har-") or ":" in service["image"]
    assert service["image"].startswith("har-") or service["user"].split(":")[0] != "0"
    for volume in service.get("volumes", ()):
        assert not volume.startswith((".", "/")) or volume.endswith(":ro"), volume


@pytest.mark.parametrize("name", services())
def test_who_needs_another_waits_until_it_is_healthy(name: str) -> None:
    """Each dependency is on a service's health, and that service has a check of it."""
    for other, condition in services()[name].get("depends_on", {}).items():
        assert {"condition": "service_healthy"} == condition
        has_check = services()[other].get(
            "healthcheck", {"disable": "build" not in services()[other]}
        )
        assert not has_check.get("disable", False), other


def test_no_secret_is_a_variable() -> None:
    """What must not be seen is in files."""
    for name, service in services().items():
        variables = service.get("environment", {})
        assert [] == [key for key in variables if NO_SECRETS.search(key)], name
    assert "" == "".join(re.findall(r"\$\{[A-Z_]*(?:PASSWORD|TOKEN|SECRET)", COMPOSE.read_text()))


def test_the_script_makes_every_secret(tmp_path: Path) -> None:
    """It makes the file of each; what is there stays; others cannot enter the folder."""
    if mosquitto_binary() is None or shutil.which("openssl") is None:
        pytest.skip("needs openssl and mosquitto_passwd")
    folder = tmp_path / "secrets"
    make_secrets(folder, "broker.example.org", "192.168.1.10")
    used = {
        secret for service in services().values() for secret in secrets_within(service).values()
    }
    assert used == set(secret_files())
    contents = {name: (folder / file).read_bytes() for name, file in secret_files().items()}
    assert all(contents.values())
    assert 0o700 == folder.stat().st_mode & 0o777
    assert 0o600 == (folder / "certs" / "ca.key").stat().st_mode & 0o777
    make_secrets(folder, "broker.example.org")
    make_secrets(folder, "--phone", "anna")
    for name in set(contents) - {"broker-logins", "certificate"}:
        assert contents[name] == (folder / secret_files()[name]).read_bytes(), name
    logins = (folder / "broker-logins").read_text().splitlines()
    assert ["har-stream", "har-bridge", "har-web", "har-history", "phone-1", "anna"] == [
        login.split(":")[0] for login in logins
    ]
    assert (folder / "anna").read_text().strip() not in "".join(logins)
