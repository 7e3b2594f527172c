import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import TIMEOUT_S
from tests.deploy.secure_broker import HOST, Guest, SecureBroker


@pytest.fixture(scope="module")
def broker(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """The secure broker, which runs."""
    binary = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        pytest.skip("needs Mosquitto")
    broker = SecureBroker(tmp_path_factory.mktemp("deploy"), certificates)
    process = subprocess.Popen([binary, "-c", str(broker.config)])
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            socket.create_connection((HOST, broker.port), timeout=1.0).close()
            break
        except OSError:
            assert process.poll() is None, broker.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    yield broker
    process.terminate()
    process.wait(TIMEOUT_S)


@pytest.fixture
def visit(broker: SecureBroker) -> Iterator[Callable[..., Guest]]:
    """A function that logs in until the test ends."""
    guests: list[Guest] = []

    def visit(user: str | None, **given: str) -> Guest:
        guests.append(Guest(broker, user, **given))
        return guests[-1]

    yield visit
    for guest in guests:
        guest.close()
