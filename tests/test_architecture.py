import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIPELINE = sorted((ROOT / "pipeline").rglob("*.py"))
TRAINER = sorted((ROOT / "trainer").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

TRAINING_ONLY = ("tensorflow", "keras", "tf2onnx", "onnx", "matplotlib", "scipy.signal")
EXCLUSIVE = {
    "confluent_kafka": [
        f"pipeline/commands/bridge/{name}.py"
        for name in ("kafka_clients", "results", "running", "samples", "topics")
    ],
    "paho": ["pipeline/mqtt/paho_client.py"],
    "onnxruntime": ["pipeline/models/classifier.py"],
    "amqtt": ["pipeline/mqtt/broker.py"],
    "matplotlib": ["pipeline/commands/timeline/picture.py"],
    "cryptography": ["pipeline/commands/web/certificates.py"],
    "segno": ["pipeline/commands/web/links.py"],
    "starlette": [
        "pipeline/commands/web/headers.py",
        "pipeline/commands/web/server.py",
        "pipeline/commands/web/sockets.py",
    ],
    "uvicorn": ["pipeline/commands/web/running.py"],
    "prometheus_client": [
        "pipeline/commands/monitoring/exposition.py",
        "pipeline/commands/monitoring/families.py",
    ],
    "pyarrow": [
        "pipeline/commands/history/parquet_table.py",
        "pipeline/recordings/journals.py",
        "pipeline/recordings/parquet.py",
    ],
    "pandas": ["pipeline/commands/spark/bucket.py"],
    "pyspark": [
        f"pipeline/commands/spark/{name}.py"
        for name in ("bucket", "initial_state", "job", "kept_terms", "running", "session", "topics")
    ],
    "sqlalchemy": [
        f"pipeline/commands/history/{name}.py"
        for name in (
            *("address", "deletion", "opening", "reading", "running"),
            *("schema", "versions", "writer", "writing"),
        )
    ],
}


def module_name(file: Path) -> str:
    """Return the dotted name of a source file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Return the dotted names that a file imports, at its top or within a function."""
    return tuple(_imported(file))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, f"{file}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_runtime_does_not_import_what_training_needs() -> None:
    """A fresh interpreter with every module of the pipeline has not imported a training library."""
    modules = [module_name(file) for file in PIPELINE]
    of_extras = ("pipeline.mqtt.broker", "pipeline.commands.demo", "pipeline.commands.spark.")
    modules = [name for name in modules if not name.startswith(of_extras)]
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules!r}];"
        f"print([name for name in {TRAINING_ONLY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[]" == result.stdout.strip()


@pytest.mark.parametrize("file", PIPELINE, ids=module_name)
def test_the_pipeline_does_not_know_the_trainer(file: Path) -> None:
    """No module of the pipeline imports the trainer, nor a training library anywhere in it."""
    forbidden = ("trainer", "tests", "tensorflow", "keras", "tf2onnx", "onnx")
    assert not {name.split(".")[0] for name in imports(file)} & set(forbidden)


@pytest.mark.parametrize("library", EXCLUSIVE)
def test_few_files_know_a_library(library: str) -> None:
    """The libraries at the borders are each known to these files of the pipeline alone."""
    users = [
        str(file.relative_to(ROOT))
        for file in PIPELINE
        if library in {name.split(".")[0] for name in imports(file)}
    ]
    assert users == EXCLUSIVE[library]


def test_imports_point_one_way() -> None:
    """No module imports, directly or by way of others, a module that imports it."""
    known = {module_name(file): file for file in [*PIPELINE, *TRAINER]}
    uses = {
        name: {other for other in imports(file) if other in known and other != name}
        for name, file in known.items()
    }
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            for other in sorted(uses[name]):
                visit(other, [*path, name])
            done.add(name)

    for name in known:
        visit(name, [])
    assert done == set(known)


@pytest.mark.parametrize("file", [*PIPELINE, *TRAINER], ids=module_name)
def test_files_are_named_by_nouns_of_the_field(file: Path) -> None:
    """No file has a name that says nothing."""
    assert file.stem not in {"util", "utils", "helper", "helpers", "common", "manager", "misc"}


def test_no_two_classes_share_a_name() -> None:
    """No two public classes of the pipeline and the trainer have one name."""
    files = [*PIPELINE, *TRAINER]
    names = [
        node.name
        for file in files
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [] == sorted({name for name in names if names.count(name) > 1})


def files_of(*places: str) -> list[Path]:
    """Return the source files in folders of the pipeline, and single files."""
    found: list[Path] = []
    for place in places:
        path = ROOT / "pipeline" / place
        found += [path] if path.suffix else sorted(path.rglob("*.py"))
    return found


CORE = [
    file
    for file in files_of(
        "recognition", "formats", "calibration_message.py", "vocabulary.py", "readings.py"
    )
    if file.name != "sosfilt.py"  # looks for scipy's compiled module, once
]


@pytest.mark.parametrize("file", CORE, ids=module_name)
def test_the_core_knows_neither_clock_nor_network(file: Path) -> None:
    """What stands between payloads and results imports no clock, thread, socket, log or file."""
    forbidden = {"time", "datetime", "threading", "socket", "asyncio", "pathlib", "os", "logging"}
    assert not {name.split(".")[0] for name in imports(file)} & forbidden


@pytest.mark.parametrize("file", files_of("serving"), ids=module_name)
def test_serving_knows_neither_clock_nor_connection(file: Path) -> None:
    """What serves phones gets its time from messages, and knows no broker, command or engine."""
    used = set(imports(file))
    forbidden = {"time", "datetime", "threading", "socket", "asyncio", "pathlib", "os", "pyspark"}
    assert not {name.split(".")[0] for name in used} & forbidden
    assert not {name for name in used if name.startswith(("pipeline.commands", "pipeline.mqtt"))}


@pytest.mark.parametrize("file", files_of("recognition"), ids=module_name)
def test_recognition_knows_readings_alone(file: Path) -> None:
    """Recognition knows no format, broker, state, recording, model file or command."""
    known = ("pipeline.vocabulary", "pipeline.readings", "pipeline.blocks", "pipeline.recognition")
    ours = {name for name in imports(file) if name.startswith("pipeline.")}
    assert not {name for name in ours if not name.startswith(known)}


@pytest.mark.parametrize("file", files_of("state"), ids=module_name)
def test_state_knows_messages_alone(file: Path) -> None:
    """What is kept on the disk knows no connection, format, stage or command."""
    known = ("pipeline.messages", "pipeline.atomic_file", "pipeline.event_log", "pipeline.state")
    ours = {name for name in imports(file) if name.startswith("pipeline.")}
    assert not {name for name in ours if not name.startswith(known)}


@pytest.mark.parametrize("file", PIPELINE, ids=module_name)
def test_packets_stay_with_the_connection(file: Path) -> None:
    """Only the connection's own folder knows how messages lie in packets."""
    if "mqtt" not in file.parts:
        assert not {name for name in imports(file) if name.startswith("pipeline.mqtt.packets")}


@pytest.mark.parametrize(
    ("folder", "above"),
    [
        ("placement", ("preparation", "judgement", "recognizer", "offline")),
        ("preparation", ("judgement", "recognizer", "offline")),
        ("judgement", ("recognizer", "offline")),
    ],
)
def test_recognition_goes_one_way(folder: str, above: tuple[str, ...]) -> None:
    """Placement serves preparation, preparation judgement; none knows what is made of its results.

    What two of them share is beside them.
    """
    forbidden = tuple(f"pipeline.recognition.{name}" for name in above)
    for file in files_of(f"recognition/{folder}"):
        assert not {name for name in imports(file) if name.startswith(forbidden)}, file


@pytest.mark.parametrize("file", PIPELINE, ids=module_name)
def test_nothing_knows_the_commands(file: Path) -> None:
    """Only a command imports what is of the commands."""
    if "commands" not in file.parts:
        assert not {name for name in imports(file) if name.startswith("pipeline.commands")}


@pytest.mark.parametrize("file", files_of("commands/display"), ids=module_name)
def test_display_knows_episodes_alone(file: Path) -> None:
    """Ribbon and tables know no recognizer, recording, model file or other command."""
    known = ("pipeline.vocabulary", "pipeline.commands.display")
    known += ("pipeline.recognition.judgement.states",)
    ours = {name for name in imports(file) if name.startswith("pipeline.")}
    assert not {name for name in ours if not name.startswith(known)}


@pytest.mark.parametrize("file", files_of("commands/monitoring"), ids=module_name)
def test_monitoring_knows_no_command(file: Path) -> None:
    """Commands report to the monitor; it knows the connection to the broker and none of them."""
    known = ("pipeline.settings", "pipeline.mqtt.connection")
    known += ("pipeline.commands.monitoring", "pipeline.commands.listening", "pipeline.event_log")
    ours = {name for name in imports(file) if name.startswith("pipeline.")}
    assert not {name for name in ours if not name.startswith(known)}


@pytest.mark.parametrize("file", files_of("commands/history"), ids=module_name)
def test_a_history_is_read_without_a_broker(file: Path) -> None:
    """Only what writes a history knows a connection; nothing of it knows recognition."""
    ours = {name for name in imports(file) if name.startswith("pipeline.")}
    if file.stem not in ("running", "writer", "metrics", "todays"):
        assert not {name for name in ours if name.startswith("pipeline.mqtt")}
    assert not {name for name in ours if name.startswith("pipeline.recognition")}


@pytest.mark.parametrize("file", TRAINER, ids=module_name)
def test_the_trainer_takes_plain_values(file: Path) -> None:
    """Settings are read by the trainer's commands alone; all below gets plain values."""
    above = ("trainer.commands", "pipeline.settings", "pydantic")
    if "commands" not in file.parts:
        assert not {name for name in imports(file) if name.startswith(above)}


@pytest.mark.parametrize(
    ("folder", "below"),
    [
        ("data", ()),
        ("networks", ("errors",)),
        ("decisions", ("data",)),
        ("training", ("errors", "data", "networks")),
    ],
)
def test_the_trainer_goes_one_way(folder: str, below: tuple[str, ...]) -> None:
    """Data, networks and training know nothing of how they are chosen, exported and reported."""
    known = tuple(f"trainer.{name}" for name in (folder, *below))
    for file in sorted((ROOT / "trainer" / folder).rglob("*.py")):
        ours = {name for name in imports(file) if name.startswith("trainer.")}
        assert not {name for name in ours if not name.startswith(known)}, file


@pytest.mark.parametrize("file", files_of("recordings"), ids=module_name)
def test_recordings_know_no_broker(file: Path) -> None:
    """Recordings are read and written without broker, state, command or settings."""
    forbidden = ("pipeline.mqtt", "pipeline.state", "pipeline.commands", "pipeline.settings")
    assert not {name for name in imports(file) if name.startswith(forbidden)}


@pytest.mark.parametrize("file", [*PIPELINE, *TRAINER], ids=module_name)
def test_files_hold_one_idea(file: Path) -> None:
    """No file is longer than a reader takes in at once."""
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", TESTS, ids=module_name)
def test_nothing_imports_a_test_file(file: Path) -> None:
    """What tests share is in modules that are no tests."""
    ours = {name for name in imports(file) if name.startswith("tests.")}
    assert not {name for name in ours if ".test_" in name}


PAHO_IN_TESTS = {
    "tests/client.py": "all others use this",
    "tests/benchmarks/end_to_end.py": "costs less beside what it measures",
    "tests/benchmarks/least_consumer.py": "paho is what it measures",
    "tests/benchmarks/plain_bridge.py": "paho is what it measures",
    "tests/benchmarks/plain_consumer.py": "paho is what it measures",
    "tests/benchmarks/quick_consumer.py": "paho is what it measures",
    "tests/mqtt/test_broker.py": "a client that breaks off",
    "tests/mqtt/test_packets.py": "packets of a real client",
    "tests/mqtt/test_paho_client.py": "what we rely on in paho",
    "tests/mqtt/test_refused.py": "names of MQTT's reason codes",
}
"""Files that know paho, and why"""


def test_the_tests_have_one_client() -> None:
    """Who needs a client in a test or a tool takes that of the tests, but for a reason."""
    users = [
        str(file.relative_to(ROOT))
        for file in TESTS
        if "paho" in {name.split(".")[0] for name in imports(file)}
    ]
    assert sorted(PAHO_IN_TESTS) == users
