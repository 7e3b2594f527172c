"""Real brokers for tests: where one listens, and a Mosquitto that can be stopped and started."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.client import MqttClient

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0
PORTS: Final = range(16_384, 32_768)
"""Below those that Linux, macOS and Windows give to who asks for any"""


def mosquitto_binary() -> str | None:
    """Return the path of Mosquitto, or None if it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def find_free_port() -> int:
    """Return a TCP port that nobody uses, and that is returned only once.

    It may be long until somebody listens there. No system gives one of these ports to who asks for
    any, and each worker of pytest has ports of its own.
    """
    for port in _untried_ports:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port in {PORTS}")


def _ports_of_this_worker() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = PORTS[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    return iter(random.Random().sample(ports, len(ports)))  # other runs begin elsewhere


_untried_ports: Final = _ports_of_this_worker()


class Broker:
    """Where a broker listens."""

    def __init__(self, port: int) -> None:
        """Name the port on this machine."""
        self.host = HOST
        self.port = port

    @property
    def flags(self) -> list[str]:
        """The flags with which the commands find it."""
        return ["--broker", self.host, "--port", str(self.port)]

    def await_har_stream(self) -> None:
        """Return when a har-stream has subscribed here and says that it is online."""
        with MqttClient(self, "har/status") as client:
            client.await_message("har/status", b"online")


class ConfiguredMosquitto(Broker):
    """A Mosquitto with a configuration of its own, that can be started and stopped again."""

    def __init__(self, folder: Path, port: int, configuration: str) -> None:
        """Write its configuration, which names ``mosquitto.log`` in the folder as its log."""
        super().__init__(port)
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._config.write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, *lines: str) -> None:
        """Add lines to its configuration, for the next start."""
        with self._config.open("a") as config:
            config.writelines(f"{line}\n" for line in lines)

    def start(self) -> None:
        """Start it and return when it answers."""
        binary = mosquitto_binary()
        if binary is None:
            pytest.skip("needs Mosquitto: a broker that can be stopped and started again")
        self._process = subprocess.Popen([binary, "-c", str(self._config)])
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection((self.host, self.port), timeout=1.0).close()
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, "Mosquitto does not answer"
                time.sleep(0.02)
            else:
                return

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None


class Mosquitto(ConfiguredMosquitto):
    """A Mosquitto on a free port, that lets everybody in."""

    def __init__(self, folder: Path, *, persistence: bool = False) -> None:
        """Write its configuration into ``folder``.

        With ``persistence`` it keeps sessions and all that waits for them in its `database`, which
        it writes when it is stopped, and at `save`.
        """
        port = find_free_port()
        super().__init__(
            folder,
            port,
            f"listener {port} {HOST}\n"
            "allow_anonymous true\n"
            f"log_dest file {folder / 'mosquitto.log'}\n"
            f"persistence {str(persistence).lower()}\n"
            "max_queued_messages 0\n",  # else who subscribes to very much retained loses some
        )
        self.database = folder / "mosquitto.db"
        if persistence:
            self.configure(
                f"persistence_location {folder}/",
                "autosave_interval 0",
                "max_inflight_messages 0",
                "user root",  # if it is; else it would have to write as somebody else
            )

    def save(self) -> None:
        """Let it write its database and return when it has."""
        assert self._process is not None
        before = self._written()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._written() == before:
            assert time.monotonic() < deadline, "Mosquitto does not save"
            # It misses a signal that comes while it ends saving.
            self._process.send_signal(signal.SIGUSR1)
            again = time.monotonic() + 0.5
            while self._written() == before and time.monotonic() < again:
                time.sleep(0.01)

    def _written(self) -> tuple[int, int] | None:
        """Return what is different after it has written its database."""
        if not self.database.exists():
            return None
        found = self.database.stat()
        return found.st_ino, found.st_mtime_ns
