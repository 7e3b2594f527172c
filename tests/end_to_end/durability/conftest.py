from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from pipeline.models.classifier import Classifier, find_models
from tests.client import TIMEOUT_S
from tests.end_to_end.durability.expected import HOP
from tests.end_to_end.durability.victim import READY
from tests.tcp_proxy import HOST

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def shipped() -> list[Classifier]:
    """The models that har-stream uses if no other is named."""
    return [Classifier(path) for path in find_models("auto")]


@pytest.fixture
def start_stream(start_command: "Start", tmp_path: Path) -> "Start":
    """A function that starts a har-stream with its state in a folder, and awaits its connection."""

    def start(port: int, *flags: str, state: str = "state") -> "Running":
        running = start_command(
            "har-stream", "--broker", HOST, "--port", str(port), "--hop", str(HOP),
            "--state", str(tmp_path / state), *flags,
        )  # fmt: skip
        running.await_log(READY)
        return running

    return start


@pytest.fixture
def refused(run_command: "Run", lasting_mosquitto: "Mosquitto") -> Callable[..., str]:
    """A function that starts har-stream with a state that it must refuse, and returns why."""

    def refused(state: Path, *flags: str) -> str:
        result = run_command(
            "har-stream", "--broker", HOST, "--port", str(lasting_mosquitto.port),
            "--hop", str(HOP), "--state", str(state), *flags, timeout_s=TIMEOUT_S,
        )  # fmt: skip
        assert 1 == result.returncode, result.stderr
        [line] = [line for line in result.stderr.splitlines() if " INFO " not in line]
        assert READY not in result.stderr
        assert str(state) in line
        return line

    return refused
