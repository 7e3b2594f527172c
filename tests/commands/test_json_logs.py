"""What commands write to standard error with ``--log-format json``."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import pytest

from tests.client import MqttClient
from tests.processes import command_line, environment_with

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

Run = Callable[..., CompletedProcess[str]]


def events(text: str) -> list[dict[str, Any]]:
    """Return all lines, each of which is an object."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time", "level", "event", "message"} <= line.keys() for line in lines)
    return lines


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("har-stream", ["--broker", "127.0.0.1", "--port", "1", "--no-retry"]),
        ("har-record", ["--broker", "127.0.0.1", "--port", "1", "--device", "phone"]),
        ("har-calibrate", ["--broker", "127.0.0.1", "--port", "1", "--device", "phone"]),
        ("har-web", ["--broker", "127.0.0.1", "--listen", "127.0.0.1:0", "--subscribe", "x=y"]),
        ("har-timeline", ["gone.parquet"]),
        ("har-import", ["gone.zip"]),
        ("har-evaluate", ["gone.onnx"]),
        ("har-history", ["--broker", "127.0.0.1", "--database", "nonsense://x"]),
        ("har-bridge", ["--broker", "h", "--kafka", "h:1", "--kafka-config", "gone.properties"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_command_ends(run_command: Run, command: str, flags: list[str]) -> None:
    """It is an event, the last one, and nothing is beside the JSON; the exit code stays."""
    plain = run_command(command, *flags)
    told = run_command(command, *flags, HAR_LOG_FORMAT="json")
    assert 1 == plain.returncode == told.returncode
    last = events(told.stderr)[-1]
    assert ("command-failed" if command != "har-timeline" else "recording-unusable") == last[
        "event"
    ]
    assert last["error"] in plain.stderr


@pytest.mark.broker
def test_names_of_any_kind(broker: "Broker", tmp_path: Path) -> None:
    """Quotes, separators of lines and thousands of characters in topics stay within their line."""
    names = [
        'a"b',
        "line separator\u2028",
        "😀",
        "x" * 2_000,
        "ü" * 900,
    ]
    with (tmp_path / "log").open("wb") as log, MqttClient(broker) as phones:
        process = subprocess.Popen(
            [*command_line("har-stream"), *broker.flags, "--log-format", "json"],
            stderr=log,
            stdout=subprocess.DEVNULL,
            env=environment_with({}),
        )
        try:
            text = ""
            while "broker-connected" not in text or text.count("message-rejected") < len(names):
                assert process.poll() is None, text
                for name in names if "broker-connected" in text else ():
                    phones.publish(f"har/{name}/samples", "nonsense", qos=1)
                text = (tmp_path / "log").read_text()
        finally:
            process.terminate()
            process.wait(20)
    lines = events((tmp_path / "log").read_text())
    topics = {line["topic"] for line in lines if line["event"] == "message-rejected"}
    assert {f"har/{name}/samples"[:2_000] for name in names} <= topics
    assert "stream-stopped" == lines[-1]["event"]


@pytest.mark.broker
def test_lines_of_libraries(
    start_command: "Callable[..., Running]", broker: "Broker", free_port: int
) -> None:
    """They have the same form, one event, and the name of their logger."""
    where = f"127.0.0.1:{free_port}"
    running = start_command("har-web", *broker.flags, "--listen", where, "--log-format", "json")
    running.await_log('"broker-connected"')
    with socket.create_connection(("127.0.0.1", free_port)) as connection:
        connection.sendall(b"\x00\x01nonsense\r\n\r\n")
        running.await_log('"library"')
    found = [line for line in running.log.splitlines() if '"library"' in line]
    line = json.loads(found[0])
    assert ("library", "uvicorn.error", "warning") == (line["event"], line["logger"], line["level"])
