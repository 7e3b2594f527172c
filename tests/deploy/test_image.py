"""The image's very commands, run as compose.yaml has them, at the broker that it has."""

import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.brokers import HOST, find_free_port
from tests.deploy.compose import make_secrets, secret_files, secrets_within, services
from tests.deploy.image import Builder, Container, Image
from tests.deploy.secure_broker import DEPLOY, put_in_place
from tests.postgresql import PASSWORD, PostgreSQL

TIMEOUT_S: Final = 60.0

pytestmark = pytest.mark.operation


def test_nothing_is_left_of_how_it_is_built(builder: Builder) -> None:
    """The image has the program, and no compiler, pip, TensorFlow, tool of packaging or source."""
    image = builder.image("stream")
    wanted = ("har-stream", "onnxruntime", "psycopg", "starlette")
    unwanted = ("gcc", "cc", "pip", "pip3", "tensorflow", "hatchling", "ensurepip")
    assert {*wanted} == image.having(*wanted, *unwanted)
    assert not (image.root / "source").exists()
    assert not (image.root / "wheels").exists()


class Composed:
    """Services of compose.yaml, without an engine, and on free ports."""

    def __init__(self, builder: Builder, folder: Path, database: PostgreSQL) -> None:
        """Make the secrets; the database stands in for the service `postgres`."""
        self._builder = builder
        self._folder = folder
        self.broker_port = find_free_port()
        self.metrics_ports: dict[str, int] = {}
        self.secrets = folder / "secrets"
        make_secrets(self.secrets, "localhost")
        for name in ("history-database", "web-database"):
            file = self.secrets / name
            file.write_text(
                put_in_place(file.read_text(), {"@postgres/": f"@postgres:{database.port}/"})
            )
        (folder / "hosts").write_text(f"{HOST} localhost mosquitto postgres\n")
        (folder / "mosquitto.conf").write_text(
            put_in_place(
                (DEPLOY / "mosquitto.conf").read_text(), {"8883\n": f"{self.broker_port} {HOST}\n"}
            )
        )
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, **changes: str) -> subprocess.Popen[bytes]:
        """Start a service, and return once it is healthy, if that can be told."""
        service, image = services()[name], self._image(name)
        self.metrics_ports[name] = find_free_port()
        files = {"/etc/hosts": self._folder / "hosts"}
        files |= {
            place: self.secrets / secret_files()[secret]
            for place, secret in secrets_within(service).items()
        }
        volumes = {}
        for volume in service.get("volumes", ()):
            source, place, *_ = volume.split(":")
            if source.startswith("."):
                own = self._folder / Path(source).name
                files[place] = own if own.exists() else DEPLOY / source
            else:
                volumes[place] = self._folder / f"volume-{source}"
                volumes[place].mkdir(exist_ok=True)
        environment = {**service.get("environment", {}), **changes}
        if name.startswith("har-"):
            environment |= {"HAR_PORT": str(self.broker_port)}
            environment |= {"HAR_METRICS": f"{HOST}:{self.metrics_ports[name]}"}
        container = Container(image, environment=environment, files=files, volumes=volumes)
        entry = service.get("entrypoint", image.entrypoint)
        process = container.start([*entry, *service.get("command", ())], self._log(name))
        self._running.append((name, process))
        if not service.get("healthcheck", {}).get("disable"):
            self._await_health(name, image, container, process)
        return process

    def log(self, name: str) -> str:
        """Return what a service has written."""
        return self._log(name).read_text()

    def volume(self, name: str) -> Path:
        """Return the folder of a volume."""
        return self._folder / f"volume-{name}"

    def stop(self) -> dict[str, int]:
        """Stop all as `docker compose down` does; return their exit codes."""
        codes = {}
        for name, process in reversed(self._running):
            process.terminate()
            codes[name] = process.wait(TIMEOUT_S)
        self._running.clear()
        return codes

    def _image(self, name: str) -> Image:
        return self._builder.image(services()[name]["build"]["target"])

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _await_health(
        self, name: str, image: Image, container: Container, process: subprocess.Popen[bytes]
    ) -> None:
        ports = {"9464": str(self.metrics_ports[name]), "8883": str(self.broker_port)}
        command = shlex.join(image.healthcheck)
        for usual, port in ports.items():
            command = command.replace(usual, port)
        deadline = time.monotonic() + TIMEOUT_S
        while container.start(shlex.split(command), self._folder / "health.log").wait() != 0:
            assert process.poll() is None, self.log(name)
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.1)


@pytest.fixture
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL that belongs to `postgres`, as in its image."""
    database = PostgreSQL(user="postgres")
    database.start()
    yield database
    database.stop()


@pytest.fixture
def composed(builder: Builder, database: PostgreSQL, tmp_path: Path) -> Iterator[Composed]:
    """The services of compose.yaml, of which none runs."""
    composed = Composed(builder, tmp_path, database)
    script = (DEPLOY / "postgres.sh").read_text().replace("/run/secrets", str(composed.secrets))
    subprocess.run(
        ["sh", "-c", script],
        env={
            "PATH": "/usr/bin:/bin",
            "PGHOST": HOST,
            "PGPORT": str(database.port),
            "PGPASSWORD": PASSWORD,
        },
        check=True,
    )
    yield composed
    composed.stop()


def rows(address: str, port: int, query: str) -> list[tuple[Any, ...]]:
    """Ask a database whose address is that in a secret."""
    place = address.strip().replace(f"@postgres:{port}", f"@{HOST}:{port}")
    with psycopg.connect(place) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def status_of(process: "subprocess.Popen[bytes]") -> dict[str, str]:
    """Return what the kernel says of a process."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_all_of_it(composed: Composed, database: PostgreSQL) -> None:
    """A simulated phone's predictions get into PostgreSQL, over TLS and with rights."""
    processes = {name: composed.start(name) for name in ("mosquitto", "har-stream", "har-history")}
    listen = f"{HOST}:{find_free_port()}"
    processes["har-web"] = composed.start(
        "har-web", HAR_LISTEN=listen, HAR_ORIGIN="https://har.example.org"
    )
    processes["har-replay"] = composed.start("har-replay")
    owner = (composed.secrets / "history-database").read_text()
    reader = (composed.secrets / "web-database").read_text()
    deadline = time.monotonic() + TIMEOUT_S
    while not rows(owner, database.port, "SELECT 1 FROM predictions LIMIT 1"):
        assert time.monotonic() < deadline, composed.log("har-history")
        time.sleep(0.2)
    assert rows(reader, database.port, "SELECT device FROM predictions LIMIT 1") == [("phone-1",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, database.port, "DELETE FROM predictions RETURNING 1")

    for name, process in processes.items():
        status = status_of(process)
        number = {"mosquitto": "10002"}.get(name, "10001")
        assert [number] * 4 == status["Uid"].split(), name
        assert ("0" * 16, "1") == (status["CapBnd"], status["NoNewPrivs"]), name

    assert (composed.volume("har-stream") / "har-stream" / "checkpoint").stat().st_size > 0
    codes = composed.stop()
    assert {0} == {code for name, code in codes.items() if name != "har-replay"}, codes
    for name in processes:
        if name != "har-web":  # which shows the token in the pages' address, as it is meant to
            log = composed.log(name)
            secrets = [composed.secrets / file for file in secret_files().values()]
            assert [] == [file.name for file in secrets if file.read_text().strip() in log]


def test_the_trees_stay_as_they_were(builder: Builder, tmp_path: Path) -> None:
    """The image's folders are read-only to what runs in it."""
    container = Container(builder.image("stream"), environment={}, files={}, volumes={})
    log = tmp_path / "log"
    code = "import pathlib; pathlib.Path('/state/x').write_text('x')"
    assert 0 != container.start(["python3", "-c", code], log).wait()
    assert "Read-only file system" in log.read_text()
