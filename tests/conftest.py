"""The fixtures that all tests share: models, the real data, real brokers, the commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from pipeline.recordings import uci_har
from pipeline.settings import CommandSettings, from_command_line
from tests.brokers import HOST, Broker, Mosquitto, find_free_port, mosquitto_binary
from tests.made_models import card_of, write_glass_model, write_tiny_model
from tests.processes import ROOT, Running, command_line, commands_in, environment_with

settings.register_profile(
    "project",
    deadline=None,  # the machine may be busy
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "explore",  # of `make fuzz`
    parent=settings.get_profile("project"),
    derandomize=False,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples"),
    print_blob=True,
)
settings.load_profile("project")


def pytest_report_header() -> str:
    """Say which broker the tests use."""
    binary = mosquitto_binary()
    if binary is None:
        return "broker: NOTE: mosquitto is not installed; the embedded broker stands in for it"
    return f"broker: {binary}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat at the end that Mosquitto was not there."""
    if mosquitto_binary() is None:
        terminalreporter.write_line(
            "NOTE: mosquitto is not installed; broker tests ran against the embedded broker"
        )


# The model


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    """`write_tiny_model`, for tests that need a model which does not fit."""
    return write_tiny_model


@pytest.fixture(scope="session")
def make_card() -> Callable[..., dict[str, object]]:
    """`card_of`, for tests that need a card which does not fit."""
    return card_of


@pytest.fixture(scope="session")
def glass_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a model that shows what reaches it."""
    return write_glass_model(tmp_path_factory.mktemp("model") / "glass.onnx")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a small model with a valid card."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", card=card_of())


# The data


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real data sets."""
    folder = os.environ.get("HAR_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the real data sets: set HAR_DATA_DIR to their folder")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def uci_har_data(data_dir: Path) -> uci_har.DataSet:
    """The real UCI HAR data set."""
    return uci_har.load(data_dir, download=False)


# The broker


@pytest.fixture
def free_port() -> int:
    """A TCP port on which nobody listens."""
    return find_free_port()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that all tests share: Mosquitto, or the embedded one where it is not installed."""
    if mosquitto_binary() is None:
        from pipeline.mqtt.broker import embedded_broker

        with embedded_broker() as port:
            yield Broker(port)
        return
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def own_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto that has not been started, for one test alone."""
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def lasting_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto that has not been started, and keeps sessions and queues when it is stopped."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    mosquitto = Mosquitto(folder, persistence=True)
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an authority ``ca`` and what it signed, ``server`` for 127.0.0.1 and ``client``."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl, which makes certificates")
    folder = tmp_path_factory.mktemp("certificates")
    script = ROOT / "deploy" / "certificates.sh"
    for arguments in ([str(folder), "localhost", HOST], ["--client", str(folder), "client"]):
        subprocess.run(["sh", str(script), *arguments], check=True, capture_output=True)
    return folder


# The commands


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a command to its end, in a folder of its own."""

    def run(
        name: str, *flags: str, timeout_s: float = 60.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command_line(name), *flags],
            cwd=tmp_path,
            env=environment_with(environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    return run


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a .env and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("HAR_")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def refused_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_settings: None
) -> Callable[..., str]:
    """A function that returns what a command says of flags that it must refuse."""

    def refused(kind: type[CommandSettings], name: str, *flags: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *flags])
        with pytest.raises(SystemExit) as end:
            from_command_line(kind)
        written = capsys.readouterr().err
        return written if end.value.code == 2 else f"{end.value.code}\n"  # 2: argparse wrote it

    return refused


@pytest.fixture
def start_command(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """A function that starts a command; whatever still runs after the test is killed."""
    with commands_in(tmp_path) as start:
        yield start
