"""The wheel in clean environments, and what is said of them."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.brokers import HOST, find_free_port
from tests.packaging.bill_of_materials import licences, write_bill
from tests.packaging.built import UV, build, install, wheel_in

if TYPE_CHECKING:
    from tests.brokers import Mosquitto

TIMEOUT_S: Final = 60.0

pytestmark = pytest.mark.operation


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build(folder, "--wheel")
    return wheel_in(folder)


@pytest.fixture(scope="module")
def make_programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that installs the wheel with a lock, and returns the programs' folder."""

    def make(lock: str) -> Path:
        return install(tmp_path_factory.mktemp(lock) / "environment", wheel, lock=lock)

    return make


def nothing_of_ours(home: Path) -> dict[str, str]:
    """Return an environment as on a machine where nothing of the project is."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}


def test_the_demo_runs(make_programs: Callable[[str], Path], tmp_path: Path) -> None:
    """Installed with the lock `demo`, har-demo plays phones, and misses no window."""
    done = subprocess.run(
        [
            make_programs("demo") / "har-demo",
            *("--recording", "simulated", "--duration", "5", "--speed", "4"),
        ],
        cwd=tmp_path,
        env=nothing_of_ours(tmp_path),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (0, "") == (done.returncode, done.stderr)
    windows = re.search(r"^windows +(\d+) received of (\d+) expected", done.stdout, re.MULTILINE)
    assert windows is not None, done.stdout
    assert windows[1] == windows[2] != "0"


@pytest.fixture(scope="module")
def service(make_programs: Callable[[str], Path]) -> Path:
    """Folder of the programs that the lock `service` makes run."""
    return make_programs("service")


def test_the_pages_are_served(service: Path, own_mosquitto: "Mosquitto", tmp_path: Path) -> None:
    """Installed with the lock `service`, har-web serves its pages."""
    own_mosquitto.start()
    port = find_free_port()
    har_web = subprocess.Popen(
        [service / "har-web", *own_mosquitto.flags, "--listen", f"{HOST}:{port}"],
        cwd=tmp_path,
        env=nothing_of_ours(tmp_path),
    )
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                with urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=5) as answer:
                    page = answer.read()
                    break
            except OSError:
                assert har_web.poll() is None
                assert time.monotonic() < deadline, "har-web does not answer"
                time.sleep(0.05)
    finally:
        har_web.send_signal(signal.SIGTERM)
        assert 0 == har_web.wait(TIMEOUT_S)
    assert b"<title>" in page


def test_a_command_runs_without_being_installed(wheel: Path, tmp_path: Path) -> None:
    """`uvx` runs a command of the wheel."""
    done = subprocess.run(
        [UV, "tool", "run", "--from", wheel, "har-stream", "--list-formats"],
        cwd=tmp_path,
        env={**os.environ, "UV_TOOL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * 3,
    )
    assert 0 == done.returncode, done.stderr
    assert "sensor-logger" in done.stdout


def test_the_bill_of_materials(service: Path, tmp_path: Path) -> None:
    """It has each package of the service, and nothing with which models are trained."""
    found = licences(write_bill(service / "python", tmp_path / "bill.json"))
    assert {"onnxruntime", "paho-mqtt", "sqlalchemy", "starlette"} <= found.keys()
    assert not {"tensorflow", "tensorflow-cpu", "keras", "amqtt", "pip"} & found.keys()
