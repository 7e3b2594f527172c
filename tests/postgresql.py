"""A real PostgreSQL for tests: a cluster of its own, that can be killed and started again."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest

from tests.brokers import HOST, find_free_port

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 20.0
USER: Final = "har"
PASSWORD: Final = "s3cret/of:har@home"  # with what a URL has to escape
QUOTED: Final = "s3cret%2Fof%3Ahar%40home"
SERVANT: Final = "postgres"
"""Who runs it where the tests are root's: PostgreSQL refuses to"""


def postgresql_folder() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    files = [*found, *([Path(on_path)] if on_path else [])]
    return files[-1].resolve().parent if files else None


def _end_with_parent() -> None:
    """Let the process that calls this be ended when its parent is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class PostgreSQL:
    """A cluster in a folder of its own, on a free port."""

    def __init__(self, *, is_durable: bool = False, user: str = USER) -> None:
        """Make the cluster, which belongs to ``user``; skip the test where there is no PostgreSQL.

        Only one that ``is_durable`` waits for the disk: it outlives the machine's power, too.
        """
        self._owner = user
        self._fsync = "on" if is_durable else "off"
        programs = postgresql_folder()
        if programs is None:
            pytest.skip("needs PostgreSQL: make test-operation installs it")
        self._programs = programs
        self._user = SERVANT if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="har-pg-"))  # short, as sockets need
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for path in (self._folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [
                programs / "initdb", "--pgdata", self._folder / "data", "--username", user,
                "--auth", "scram-sha-256", "--pwfile", password, "--encoding", "UTF8",
                "--locale", "C.UTF-8", "--no-sync",
            ],
            check=True, capture_output=True, user=self._user, cwd=self._folder,
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.port),
                    "-h", HOST, "-k", self._folder, "-c", f"fsync={self._fsync}",
                ],
                stdout=log, stderr=log, user=self._user, cwd=self._folder,
                start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL does not answer"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill the server and all its processes at once, as a loss of power does."""
        if self._process is not None:
            group = self._process.pid  # its own, as it was started with a new session
            os.killpg(group, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def stop(self) -> None:
        """Stop it, and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # at once
            self._process.wait(STOP_TIMEOUT_S)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self._folder, ignore_errors=True)  # its other processes still end

    def url_of(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{self._owner}:{QUOTED}@{HOST}:{self.port}/{name}"

    def new_database(self) -> str:
        """Return the address of a new database."""
        name = f"har_{uuid4().hex[:8]}"
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)
