from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.replay.listener import Listener

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def start_stream(broker: "Broker", start_command: "Start", tiny_model: Path) -> "Iterator[Start]":
    """A function that starts a har-stream at the shared broker, by default with the tiny model."""
    started = []

    def start(*flags: str, model: Path = tiny_model) -> "Running":
        running = start_command("har-stream", *broker.flags, "--model", str(model), *flags)
        started.append(running)
        broker.await_har_stream()
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end()


@pytest.fixture
def replay(broker: "Broker", run_command: "Run") -> "Run":
    """A function that runs har-replay at the shared broker: as fast as it can, and it waits."""

    def run(*flags: str, **environment: Any) -> CompletedProcess[str]:  # noqa: ANN401
        return run_command(
            "har-replay", *broker.flags, "--speed", "max", "--wait", *flags, **environment
        )

    return run


@pytest.fixture
def listener(broker: "Broker") -> Iterator[Listener]:
    """A client that reads all predictions that are published during a test."""
    with Listener(broker) as listener:
        yield listener
