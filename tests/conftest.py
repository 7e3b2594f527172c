"""What the tests share: a tiny model, the real data, a real broker, the commands."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from pipeline.models.classifier import CARD_KEY, ModelCard
from pipeline.recordings import uci_har
from pipeline.settings import CommandSettings, from_command_line
from pipeline.vocabulary import ACTIVITIES, CHANNELS, SAMPLING_RATE_HZ, UNITS, WINDOW_LENGTH
from tests.client import MqttClient

if TYPE_CHECKING:
    from onnx import NodeProto

ROOT: Final = Path(__file__).parent.parent
HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0

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


def _mosquitto_binary() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def pytest_report_header() -> str:
    """Say which broker the tests use."""
    binary = _mosquitto_binary()
    if binary is None:
        return "broker: NOTE: mosquitto is not installed; the embedded broker stands in for it"
    return f"broker: {binary}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat at the end that Mosquitto was not there."""
    if _mosquitto_binary() is None:
        terminalreporter.write_line(
            "NOTE: mosquitto is not installed; broker tests ran against the embedded broker"
        )


# The model


def card_of(**changes: object) -> dict[str, object]:
    """Return a valid model card as JSON data, with some entries changed."""
    card = ModelCard(
        name="tiny",
        version="0badcafe",
        activities=ACTIVITIES,
        channels=CHANNELS,
        units=UNITS,
        sampling_rate_hz=SAMPLING_RATE_HZ,
        window_length=WINDOW_LENGTH,
        training_data_hash="",
        seed=0,
        test_accuracy=0.0,
        selection="not trained",
        licence="Apache-2.0",
    )
    return msgspec.to_builtins(card) | changes


def write_tiny_model(
    path: Path,
    *,
    card: dict[str, object] | str | None,
    input_name: str = "window",
    output_name: str = "probabilities",
    shape: tuple[int, int] = (WINDOW_LENGTH, len(CHANNELS)),
    n_activities: int = len(ACTIVITIES),
    batch: int | str = "batch",
    answer: str = "Softmax",
) -> Path:
    """Write a model that looks at each channel's mean and mean deviation from zero.

    Its weights are arbitrary, but of a size that lets several activities win on real windows.
    ``answer`` names what it makes of the weighted sums: an ONNX operation; ``some NaN``, which is
    the softmax but where the last channel's mean is about 0.5; or ``endless``.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(5)
    weights = rng.normal(size=(2 * shape[1], n_activities)).astype(np.float32) * 3
    axis = numpy_helper.from_array(np.array([1]), "axis")
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [input_name, "axis"], ["mean"], keepdims=0),
            helper.make_node("Abs", [input_name], ["size"]),
            helper.make_node("ReduceMean", ["size", "axis"], ["mean_size"], keepdims=0),
            helper.make_node("Concat", ["mean", "mean_size"], ["features"], axis=1),
            helper.make_node("MatMul", ["features", "weights"], ["logits"]),
            *_answer_nodes(answer, output_name),
        ],
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, [batch, n_activities])],
        [
            numpy_helper.from_array(weights, "weights"),
            axis,
            *(
                numpy_helper.from_array(np.array(value), name)
                for name, value in {
                    "true": True, "most": 2**62, "last": [shape[1] - 1], "end": [shape[1]],
                    "half": np.float32(0.5), "near": np.float32(0.01), "zero": np.float32(0),
                }.items()
            ),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if card is not None:
        text = card if isinstance(card, str) else msgspec.json.encode(card).decode()
        helper.set_model_props(model, {CARD_KEY: text})
    save(model, str(path))
    return path


def _answer_nodes(answer: str, output_name: str) -> "list[NodeProto]":
    """Return the nodes from ``logits`` to the output of `write_tiny_model`."""
    from onnx import TensorProto, helper

    make = helper.make_node
    if answer == "some NaN":
        return [
            make("Slice", ["mean", "last", "end", "axis"], ["z"]),
            make("Sub", ["z", "half"], ["distance"]),
            make("Abs", ["distance"], ["size_of_it"]),
            make("Sub", ["size_of_it", "near"], ["beyond"]),
            make("Sqrt", ["beyond"], ["root"]),  # NaN nearby
            make("Mul", ["root", "zero"], ["nothing"]),
            make("Softmax", ["logits"], ["probable"]),
            make("Add", ["probable", "nothing"], [output_name]),
        ]
    if answer == "endless":
        body = helper.make_graph(
            [
                make("Identity", ["go_on"], ["still_go_on"]),
                make("Softmax", ["before"], ["after"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("number", TensorProto.INT64, []),
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("still_go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
            ],
        )
        return [make("Loop", ["most", "true", "logits"], [output_name], body=body)]
    return [make(answer, ["logits"], [output_name])]


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    """`write_tiny_model`, for tests that need a model which does not fit."""
    return write_tiny_model


@pytest.fixture(scope="session")
def make_card() -> Callable[..., dict[str, object]]:
    """`card_of`, for tests that need a card which does not fit."""
    return card_of


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a small model with a valid card."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", card=card_of())


@pytest.fixture(scope="session")
def glass_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a model whose probabilities are its window's first sample and its last.

    At a hop of one sample it shows everything that reaches the model.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    names = [f"{which} {channel}" for which in ("first", "last") for channel in CHANNELS]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["window", "places"], ["ends"], axis=1),  # (batch, 2, 9)
            helper.make_node("Flatten", ["ends"], ["probabilities"]),  # (batch, 18)
        ],
        "glass",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", 128, 9])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 18])],
        [numpy_helper.from_array(np.array([0, WINDOW_LENGTH - 1]), "places")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    card = msgspec.json.encode(card_of(name="glass", activities=names)).decode()
    helper.set_model_props(model, {CARD_KEY: card})
    path = tmp_path_factory.mktemp("model") / "glass.onnx"
    save(model, str(path))
    return path


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


def find_free_port() -> int:
    """Return a TCP port that nobody uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def free_port() -> int:
    """A TCP port on which nobody listens."""
    return find_free_port()


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


class Mosquitto(Broker):
    """A Mosquitto of its own on a free port, that can be started and stopped again."""

    def __init__(self, folder: Path, *, persistence: bool = False, more: str = "") -> None:
        """Write its configuration into ``folder``, with ``more`` lines at its end.

        With ``persistence`` it keeps sessions and all that waits for them in its `database`, which
        it writes when it is stopped, and at `save`.
        """
        super().__init__(find_free_port())
        self.database = folder / "mosquitto.db"
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._config.write_text(
            f"listener {self.port} {self.host}\n"
            "allow_anonymous true\n"
            f"log_dest file {self._log}\n"
            f"persistence {str(persistence).lower()}\n"
            "max_queued_messages 0\n"  # else who subscribes to very much retained loses some
            f"{more}\n"
        )
        if persistence:
            with self._config.open("a") as config:
                config.write(
                    f"persistence_location {folder}/\n"
                    "autosave_interval 0\n"
                    "max_inflight_messages 0\n"
                    "user root\n"  # if it is; else it would have to write as somebody else
                )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        binary = _mosquitto_binary()
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


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that all tests share: Mosquitto, or the embedded one where it is not installed."""
    if _mosquitto_binary() is None:
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


def command_line(name: str) -> list[str]:
    """Return what starts a command: the installed script, else its function."""
    script = Path(sys.executable).with_name(name)
    if script.is_file():
        return [str(script)]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module = scripts[name].removesuffix(":main")
    code = f"import sys; sys.argv[0] = {name!r}; from {module} import main; main()"
    return [sys.executable, "-c", code]


def _environment(changes: dict[str, str]) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("HAR_")}
    if "HAR_DATA_DIR" in os.environ:
        ours["HAR_DATA_DIR"] = str(Path(os.environ["HAR_DATA_DIR"]).resolve())
    # Most tests send samples of a day long past.
    ours |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "HAR_MAX_BEHIND": "1e12"}
    return ours | changes


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a command to its end, in a folder of its own."""

    def run(
        name: str, *flags: str, timeout_s: float = 60.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command_line(name), *flags],
            cwd=tmp_path,
            env=_environment(environment),
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


class Running:
    """A command that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        """Keep the process and the file that it writes to."""
        self.process = process
        self._log_file = log_file

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log_file.read_text()

    def await_log(self, text: str, *, times: int = 1, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when it has written ``text`` so many times."""
        deadline = time.monotonic() + timeout_s
        while self.log.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} in: {self.log}"
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    def end(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(STOP_TIMEOUT_S)


@pytest.fixture
def start_command(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """A function that starts a command; whatever still runs after the test is killed."""
    # A shell's background job ignores Ctrl-C, and so would every command that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:

        def start(name: str, *flags: str, **environment: str) -> Running:
            log_file = tmp_path / f"{name}-{len(list(tmp_path.glob('*.log')))}.log"
            with log_file.open("wb") as log:
                process = subprocess.Popen(
                    [*command_line(name), *flags],
                    cwd=tmp_path,
                    env=_environment(environment),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            stack.callback(_end, process)
            return Running(process, log_file)

        yield start


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(STOP_TIMEOUT_S)
