"""States on the disk that har-stream must not use."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from tests.end_to_end.durability.clients import Probe, Sender
from tests.end_to_end.durability.expected import expected_of
from tests.end_to_end.durability.messages import simulated_messages
from tests.end_to_end.durability.victim import READY

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker


@pytest.fixture
def checkpoint(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", tiny_model: Path, tmp_path: Path
) -> Path:
    """The checkpoint of a har-stream with the tiny model that knew three phones and was ended."""
    messages = simulated_messages(seconds=12.0)
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model))
        probe.await_status("online")
        sender.send_until(len(messages))
        probe.await_windows(expected_of(messages, [Classifier(tiny_model)]).predictions.keys())
        assert 0 == running.end()
    return tmp_path / "state" / "checkpoint"


def test_a_damaged_checkpoint(
    checkpoint: Path,
    refused: Callable[..., str],
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    tiny_model: Path,
) -> None:
    """A checkpoint that is cut off or altered is refused in a line that says how to begin anew."""
    whole = checkpoint.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:n] for n in (0, 1, *rng.integers(2, len(whole), 4).tolist(), len(whole) - 1)]
    for place in rng.integers(0, len(whole), 4).tolist():
        damaged.append(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
    damaged.append(whole + b"\0")
    for content in damaged:
        checkpoint.write_bytes(content)
        line = refused(checkpoint.parent, "--model", str(tiny_model))
        assert str(checkpoint) in line
        assert "--reset-state" in line
        assert checkpoint.read_bytes() == content

    with Probe(lasting_mosquitto) as probe:
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model), "--reset-state")
        probe.await_status("online")
        assert 0 == running.end()
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model))
        probe.await_status("online", 2)
        assert 0 == running.end()


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--model", "cnn-lstm"], "model"),
        (["--hop", "32"], "hop"),
        (["--lateness", "1"], "lateness"),
        (["--filter-start", "zero"], "filter"),
        (["--max-devices", "2"], "phones"),
    ],
    ids=["model", "hop", "lateness", "filter start", "phones"],
)
def test_a_checkpoint_of_something_else(
    checkpoint: Path, refused: Callable[..., str], tiny_model: Path, flags: list[str], word: str
) -> None:
    """A checkpoint of another model or other settings is refused, and it is said which."""
    before = checkpoint.read_bytes()
    line = refused(checkpoint.parent, "--model", str(tiny_model), *flags)
    assert word in line.partition(str(checkpoint.parent))[2]
    assert "--reset-state" in line or word == "phones"
    assert checkpoint.read_bytes() == before


def test_a_folder_that_is_none(
    lasting_mosquitto: "Mosquitto", refused: Callable[..., str], tmp_path: Path
) -> None:
    """A state that is a file, or would be in one, is refused."""
    lasting_mosquitto.start()
    file = tmp_path / "file"
    file.touch()
    refused(file)
    refused(file / "state")


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_without_permission(
    lasting_mosquitto: "Mosquitto", refused: Callable[..., str], tmp_path: Path, mode: int
) -> None:
    """A folder that may not be read or written is refused."""
    lasting_mosquitto.start()
    folder = tmp_path / "locked"
    folder.mkdir(mode)
    if os.access(folder, os.W_OK):
        pytest.skip("needs to be somebody who may not write everywhere")
    refused(folder)
    folder.chmod(0o700)


def test_a_state_in_use(
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    refused: Callable[..., str],
    shipped: list[Classifier],
    tmp_path: Path,
) -> None:
    """The state of a har-stream that runs is refused to another, and the first one goes on."""
    messages = simulated_messages(1)
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(len(messages) // 2)
        refused(tmp_path / "state")
        refused(tmp_path / "state", "--reset-state")
        sender.send_until(len(messages))
        probe.await_windows(expected_of(messages, shipped).predictions.keys())
        assert 1 == running.log.count(READY)
        assert 0 == running.end()
