"""Replays that nobody takes, or whose broker fails."""

import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from tests.client import TIMEOUT_S

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]


@pytest.mark.broker
def test_without_waiting(broker: "Broker", run_command: "Run") -> None:
    """Without --wait a replay plays to whoever listens, and ends with 0."""
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--duration", "3",
        "--speed", "max",
    )  # fmt: skip
    assert 0 == result.returncode, result.stderr


@pytest.mark.broker
def test_nobody_answers(broker: "Broker", run_command: "Run") -> None:
    """With --wait and no har-stream a replay ends with 1 and one clear line."""
    result = run_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--wait", "--timeout", "0.5"
    )
    assert 1 == result.returncode
    expected = f"har-replay: no har-stream on 127.0.0.1:{broker.port}; start it before replaying\n"
    assert expected == result.stderr


@pytest.mark.broker
def test_har_stream_dies_meanwhile(
    broker: "Broker",
    start_stream: "Start",
    start_command: "Start",
) -> None:
    """When predictions stop coming, a replay that waits says so and ends with 1."""
    running = start_stream()
    replay = start_command(
        "har-replay", *broker.flags, "--recording", "simulated", "--duration", "8",
        "--speed", "4", "--wait", "--timeout", "1",
    )  # fmt: skip
    replay.await_log("simulated: ")
    running.end(signal.SIGKILL)

    assert 1 == replay.process.wait(TIMEOUT_S)
    assert "har-replay: no prediction came for 1 s" in replay.log
    assert "are missing: har-stream is not online any more" in replay.log
    assert "received of" in replay.log  # the table of what came before
    assert "Traceback" not in replay.log


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_broker_that_refuses_the_messages(
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    run_command: "Run",
    tiny_model: Path,
    protocol: str,
) -> None:
    """That the broker confirms nothing is told, not blamed on har-stream."""
    own_mosquitto.configure("max_packet_size 600")
    own_mosquitto.start()
    start_command("har-stream", *own_mosquitto.flags, "--model", str(tiny_model))
    own_mosquitto.await_har_stream()
    result = run_command(
        "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "8", "--speed", "max", "--wait", "--timeout", "1", "--protocol", protocol,
    )  # fmt: skip
    assert 1 == result.returncode
    if protocol == "5":  # it has told its limit at the login
        assert "takes no packets of more than 600 bytes" in result.stderr
    else:
        assert "are missing: the broker did not confirm" in result.stderr
        assert "does it limit their size (fewer --rows make them smaller)?" in result.stderr


@pytest.mark.broker
@pytest.mark.parametrize("speed", ["max", "10"])
def test_a_broker_that_refuses_the_messages_of_a_replay_that_does_not_wait(
    own_mosquitto: "Mosquitto", run_command: "Run", speed: str
) -> None:
    """It ends, and with 1: nobody can have had them."""
    own_mosquitto.configure("max_packet_size 600")
    own_mosquitto.start()
    result = run_command(
        "har-replay", *own_mosquitto.flags, "--recording", "simulated", "--subjects", "1",
        "--duration", "6", "--rows", "25", "--speed", speed, "--timeout", "1",
    )  # fmt: skip
    assert 1 == result.returncode
    assert "har-replay: the broker did not confirm" in result.stderr


def test_no_broker(free_port: int, run_command: "Run") -> None:
    """Without a broker a replay ends with 1 and one clear line."""
    result = run_command(
        "har-replay", "--broker", "127.0.0.1", "--port", str(free_port),
        "--recording", "simulated",
    )  # fmt: skip
    assert 1 == result.returncode
    line = result.stderr.strip().splitlines()[-1]
    assert f"har-replay: no connection to 127.0.0.1:{free_port}: nobody answers there" == line
    assert "Traceback" not in result.stderr
