"""A Home Assistant for tests, in an environment of its own: the newest that runs on this machine.

``python -m tests.operation.home_assistant`` makes the environment.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any, Final

import pytest

from tests.brokers import find_free_port
from tests.client import Address
from tests.processes import ROOT

ENVIRONMENT: Final = ROOT / ".venv-home-assistant"
REQUIREMENT: Final = "homeassistant>=2024.11"
"""The first that knows device discovery"""
FIRST_PYTHON: Final = 12
"""Python 3.12, the first that it runs on"""
LATEST_PYTHON: Final = 19
INSTALL_TIMEOUT_S: Final = 600.0
SHOWN_TIMEOUT_S: Final = 30.0
_CORE: Final = Path(__file__).with_name("home_assistant_core.py")
_PYTHON: Final = ENVIRONMENT / "bin" / "python"
_READY: Final = ENVIRONMENT / "installed"


def make_environment() -> None:
    """Make the environment, unless it is there.

    Raises:
        SubprocessError: no registry can be reached, or has what this machine can run.
    """
    if _READY.is_file():
        return
    base = _newest_python()
    if base is None:
        sys.exit(f"note: no Python 3.{FIRST_PYTHON} or newer, Home Assistant's tests are skipped")
    uv = Path(sys.executable).with_name("uv")  # pip takes minutes for the same
    _run(uv, "venv", "--quiet", "--clear", "--python", base, ENVIRONMENT)
    install = (uv, "pip", "install", "--quiet", "--python", _PYTHON)
    _run(*install, REQUIREMENT)
    (manifest,) = ENVIRONMENT.glob("lib/*/site-packages/homeassistant/components/mqtt/man*.json")
    _run(*install, *json.loads(manifest.read_text())["requirements"])
    _READY.touch()


def _newest_python() -> Path | None:
    """Return the newest Python that works, None if none is new enough."""
    for minor in range(LATEST_PYTHON, FIRST_PYTHON - 1, -1):
        name = f"python3.{minor}"
        of_pyenv = sorted(Path.home().glob(f".pyenv/versions/*/bin/{name}"), reverse=True)
        for found in (which(name), *of_pyenv):
            if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
                return Path(found)
    return None


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT_S, stdout=subprocess.DEVNULL)


class HomeAssistant:
    """A Home Assistant that runs."""

    def __init__(self, folder: Path, broker: Address, *, configuration: str = "") -> None:
        """Start it, with a ``folder`` of its own; skip the test where there is none."""
        if not _READY.is_file():
            pytest.skip("needs Home Assistant: make test-operation installs it")
        folder.mkdir()
        (folder / "configuration.yaml").write_text(configuration or "homeassistant:\n")
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [_PYTHON, _CORE, folder, broker.host, str(broker.port), str(find_free_port())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.version: str = self._answer()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def complaints(self) -> list[str]:
        """Return what its MQTT integration complains of."""
        lines = self._log.read_text().splitlines()
        return [line for line in lines if "mqtt" in line or "automation" in line]

    def show(self, device: str) -> dict[str, Any] | None:
        """Return what it shows of a phone, None if it has none of this name."""
        assert self._process.stdin is not None
        print(json.dumps(device), file=self._process.stdin, flush=True)
        shown: dict[str, Any] | None = self._answer()
        return shown

    def await_device(
        self, device: str, is_so: Callable[[dict[str, Any] | None], object]
    ) -> dict[str, Any]:
        """Return what it shows of a phone once something is true of that; {} for nothing."""
        deadline = time.monotonic() + SHOWN_TIMEOUT_S
        while not is_so(shown := self.show(device)):
            assert time.monotonic() < deadline, f"{shown}; {self._log.read_text()}"
            time.sleep(0.1)  # nobody tells when it changes
        return shown or {}

    def _answer(self) -> Any:  # noqa: ANN401
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        return json.loads(line)


if __name__ == "__main__":
    make_environment()
