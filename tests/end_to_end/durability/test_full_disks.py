"""Disks on which there is no room for the state."""

import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.models.classifier import Classifier
from tests.client import TIMEOUT_S
from tests.end_to_end.durability.clients import Probe, Sender, assert_right, await_acknowledgements
from tests.end_to_end.durability.expected import expected_of
from tests.end_to_end.durability.messages import simulated_messages

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker

SMALL_FILE: Final = 16_384
"""Bytes: more than the log has, fewer than a checkpoint"""


def let_write(n_bytes: int, process: int) -> None:
    """Let a process write no files larger than that."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (n_bytes, hard))


def test_a_disk_that_is_full_at_the_start(refused: Callable[..., str], tmp_path: Path) -> None:
    """Where nothing can be written har-stream does not start."""
    state = tmp_path / "state"
    state.mkdir()
    (state / ".client-id.unfinished").symlink_to("/dev/full")
    assert "No space left on device" in refused(state)


@pytest.mark.parametrize("killed", [True, False], ids=["killed then", "room again"])
def test_a_disk_that_fills_up(
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    shipped: list[Classifier],
    tmp_path: Path,
    killed: bool,
) -> None:
    """When there is no room for the checkpoint that is said, and nothing is lost.

    When there is room again it goes on; and so does another har-stream if this one is killed.
    """
    messages = simulated_messages(rows=(1, 40))
    expected = expected_of(messages, shipped)
    third = len(messages) // 3
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(third)
        probe.await_windows(expected_of(messages[:third], shipped).predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        assert (tmp_path / "state" / "checkpoint").stat().st_size > SMALL_FILE > len(running.log)

        let_write(SMALL_FILE, running.process.pid)
        sender.send_until(2 * third)
        running.await_log(" ERROR ", timeout_s=TIMEOUT_S)
        assert str(tmp_path / "state") in running.log
        assert "Traceback" not in running.log
        let_write(resource.getrlimit(resource.RLIMIT_FSIZE)[0], running.process.pid)
        if killed:
            running.end(signal.SIGKILL)
            running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)
    assert_right(probe, expected.predictions)
