"""Secrets, tried with the real commands: who else than the command could come to know them."""

import json
import os
import pty
import re
import resource
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.secret_keeping import environment_without_secrets
from tests.brokers import find_free_port
from tests.processes import command_line, environment_with

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]

SECRET: Final = "S3cr3t-0123456789"
LOGIN: Final = {"HAR_USERNAME": "me", "HAR_PASSWORD": SECRET}
ALL: Final = {
    "HAR_PASSWORD": SECRET,
    "HAR_KEY_PASSWORD": SECRET,
    "HAR_TOKEN": SECRET,
    "HAR_DATABASE": f"postgresql://har:{SECRET}@127.0.0.1:1/har",
}
LONG_RUNNING: Final = {
    "har-stream": ("--state", "state", "--log-level", "debug"),
    "har-web": ("--listen", "0.0.0.0:0", "--keep", "kept", "--log-level", "debug"),
    "har-record": ("--device", "phone"),
    "har-history": ("--log-level", "debug"),
    "har-bridge": ("--kafka", "127.0.0.1:1", "--log-level", "debug"),
}


def holding(folder: Path) -> list[Path]:
    """Return the files under a folder that hold the secret."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def limit_of_core_dumps(pid: int) -> str:
    """Return the soft limit of a process, as the kernel has it."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    return re.findall(r"^Max core file size +(\S+)", limits, re.MULTILINE)[0]


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in threads for child in path.read_text().split()]


@pytest.mark.broker
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("command", LONG_RUNNING)
def test_what_is_written(
    start_command: "Start", broker: "Broker", tmp_path: Path, command: str, log_format: str
) -> None:
    """Nothing that a command logs, at any level, prints or keeps on the disk holds a secret."""
    flags = [*broker.flags, *LONG_RUNNING[command], "--log-format", log_format]
    running = start_command(command, *flags, **{**LOGIN, **ALL})
    running.await_log("127.0.0.1:1" if command == "har-history" else "connected to")
    time.sleep(0.3)
    assert SECRET not in running.log
    assert b"S3cr3t" not in Path(f"/proc/{running.process.pid}/cmdline").read_bytes()
    running.end()
    assert [] == holding(tmp_path)


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("har-stream", ["--port", "0"]),
        ("har-stream", ["--no-retry", "--port", "1"]),
        ("har-stream", ["--cafile", "gone.crt", "--no-retry", "--port", "1"]),
        ("har-stream", ["--cert", "gone.crt", "--no-retry", "--port", "1"]),
        ("har-record", ["--device", "phone", "--port", "1"]),
        ("har-replay", ["--recording", "simulated", "--port", "1"]),
        ("har-calibrate", ["--device", "phone", "--port", "1"]),
        ("har-web", ["--listen", "nonsense"]),
        ("har-web", ["--origin", "nonsense"]),
        ("har-history", ["show", "--device", "phone"]),
        ("har-history", ["devices", "--database", f"mysql://har:{SECRET}@host/har"]),
        ("har-history", ["devices", "--database", f"postgresql://har:{SECRET}@host:port/har"]),
        ("har-history", ["devices", "--database", f"postgresql://har:{SECRET}@[/har"]),
        ("har-history", ["devices", "--database", f"postgresql://har:{SECRET}@127.0.0.1:1/h?a=b"]),
    ],
    ids=lambda value: " ".join(value).replace(SECRET, "") if isinstance(value, list) else "",
)
def test_errors(
    run_command: Callable[..., CompletedProcess[str]], command: str, flags: list[str]
) -> None:
    """Settings that are wrong, and a broker or database that is not there, are told without."""
    environment = {**LOGIN, **ALL, "HAR_BROKER": "127.0.0.1"}
    result = run_command(command, *flags, **environment)
    assert result.returncode
    assert result.stderr
    assert SECRET not in result.stdout + result.stderr


def test_short_tokens_are_not_shown(run_command: Callable[..., CompletedProcess[str]]) -> None:
    """Not even to say that they are too short."""
    result = run_command("har-web", HAR_BROKER="127.0.0.1", HAR_TOKEN="S3cr3t")
    assert "token = ***: is to have 16 or more characters" in result.stderr
    assert "S3cr3t" not in result.stderr


def test_what_a_child_gets() -> None:
    """All but the secrets, and of those what it needs; names count in any case."""
    environment = {**ALL, "har_password": SECRET, "HAR_BROKER": "host", "PATH": "/bin"}
    assert {"HAR_BROKER": "host", "PATH": "/bin"} == environment_without_secrets(environment)
    kept = environment_without_secrets(environment, ("token",))
    assert {"HAR_BROKER", "PATH", "HAR_TOKEN"} == set(kept)


def test_children_of_the_demo(start_command: "Start") -> None:
    """The broker and har-stream get no secret of the user's, har-web its own alone."""
    pytest.importorskip("amqtt")
    flags = ["--recording", "simulated", "--duration", "20", "--web", "--listen", "127.0.0.1:0"]
    demo = start_command("har-demo", *flags, **ALL)
    demo.await_log("har-stream --model")
    environments = {}
    for pid in children_of(demo.process.pid):
        line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        environments[re.findall(r"har-stream|har-web|pipeline\.mqtt\.broker", line)[-1]] = Path(
            f"/proc/{pid}/environ"
        ).read_text()
    assert 3 == len(environments)
    secrets = {
        name: set(re.findall(r"\b(HAR_\w+)=[^\0]*S3cr3t", text))
        for name, text in environments.items()
    }
    assert {"HAR_TOKEN", "HAR_DATABASE"} == secrets.pop("har-web")
    assert [set(), set()] == list(secrets.values())
    demo.end(signal.SIGINT)


@pytest.fixture
def dumping() -> Iterator[None]:
    """Whoever is started may leave core dumps of any size, unless he forgoes that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.broker
@pytest.mark.usefixtures("dumping")
@pytest.mark.parametrize("command", LONG_RUNNING)
def test_no_core_dump(
    start_command: "Start", broker: "Broker", tmp_path: Path, command: str
) -> None:
    """A crash leaves none, neither as a file nor to a program that the kernel would hand it to."""
    database = f"postgresql://har:{SECRET}@127.0.0.1:1/har"
    flags = [*broker.flags, *LONG_RUNNING[command]]
    running = start_command(command, *flags, **LOGIN, HAR_DATABASE=database)
    running.await_log("127.0.0.1:1" if command == "har-history" else "connected to")
    assert limit_of_core_dumps(running.process.pid) in ("0", "1")
    os.kill(running.process.pid, signal.SIGABRT)
    _, status = os.waitpid(running.process.pid, 0)
    running.process.returncode = -signal.SIGABRT
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("core")]


@pytest.mark.broker
def test_modes_of_folders_and_files(
    start_command: "Start", broker: "Broker", tmp_path: Path
) -> None:
    """State is for its owner alone, whatever the mask is; recordings follow the user's mask."""
    before = os.umask(0o022)
    try:
        state = start_command("har-stream", *broker.flags, "--state", "state/one")
        flags = ["--listen", "0.0.0.0:0", "--self-signed", "--keep", "kept"]
        web = start_command("har-web", *broker.flags, *flags)
        history = start_command("har-history", *broker.flags, HAR_DATABASE="history/h.sqlite")
        for running in (state, web, history):
            running.await_log("connected to")
        state.end()
    finally:
        os.umask(before)
    folders = [tmp_path / "state" / "one", tmp_path / "kept", tmp_path / "history"]
    assert [0o700] * 3 == [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    files = [path for folder in folders for path in folder.iterdir()]
    assert {"lock", "checkpoint", "token", "h.sqlite"} <= {path.name for path in files}
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files}


@pytest.mark.broker
def test_a_terminal_shows_the_token(broker: "Broker", tmp_path: Path) -> None:
    """There the addresses can be opened as they are; a file, a journal or a pipe has none."""
    ours, theirs = pty.openpty()
    flags = ["--listen", f"0.0.0.0:{find_free_port()}", "--self-signed", "--keep", str(tmp_path)]
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [*command_line("har-web"), *broker.flags, *flags],
            stdout=theirs,
            stderr=errors,
            env=environment_with({}),
        )
    os.close(theirs)
    try:
        text = ""
        while "Certificate" not in text:
            text += os.read(ours, 65_536).decode()
        while "connected to" not in (tmp_path / "errors").read_text():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.terminate()
        process.wait(10)
        os.close(ours)
    token = (tmp_path / "token").read_text().strip()
    assert f"/?token={token}" in text
    assert "Phones: " in text


def test_a_crash_is_told_without_secrets(
    run_command: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    """A traceback as JSON names places in the source, and no values."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pipeline.mqtt.connection as connection\n"
        "def start(self, **_):\n"
        "    password = self._settings.password\n"
        "    raise RuntimeError(f'broken with {password} of {self._settings}')\n"
        "connection.Connection.start = start\n"
    )
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}:{Path(__file__).parent.parent}"
    environment = {**LOGIN, "HAR_BROKER": "host", "PYTHONPATH": path}
    result = run_command("har-stream", "--log-format", "json", **environment)
    last = json.loads(result.stderr.splitlines()[-1])
    assert "command-crashed" == last["event"]
    assert "RuntimeError: broken with **********" in last["exception"]
    assert SECRET not in result.stderr
