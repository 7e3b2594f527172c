"""deploy/compose.yaml as the tests read it, and the secrets that its script makes."""

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.secure_broker import DEPLOY

COMPOSE: Final = DEPLOY / "compose.yaml"
OURS: Final = ("mosquitto", "har-stream", "har-web", "har-history", "har-replay")
"""Services whose images are made of deploy/Dockerfile"""


def services() -> dict[str, dict[str, Any]]:
    """Return its services by their name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def secret_files() -> dict[str, str]:
    """Return the file of each secret, from the folder of secrets."""
    secrets = yaml.safe_load(COMPOSE.read_text())["secrets"]
    return {name: secret["file"].removeprefix("secrets/") for name, secret in secrets.items()}


def secrets_within(service: dict[str, Any]) -> dict[str, str]:
    """Return a service's secrets, each by its path in the container."""
    named = [
        secret if isinstance(secret, dict) else {"source": secret, "target": secret}
        for secret in service.get("secrets", ())
    ]
    return {os.path.join("/run/secrets", secret["target"]): secret["source"] for secret in named}


def make_secrets(folder: Path, *arguments: str) -> None:
    """Let deploy/secrets.sh make them in a folder."""
    subprocess.run(
        ["sh", DEPLOY / "secrets.sh", *arguments],
        env={**os.environ, "HAR_SECRETS": str(folder)},
        check=True,
        capture_output=True,
    )
