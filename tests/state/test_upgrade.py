"""Upgrades of har-stream: what it makes of state folders that older ones left."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pipeline.state.checkpoint import VERSION
from tests.client import MqttClient
from tests.state.kept_states import (
    DEVICE,
    HOP_S,
    KEPT,
    MESSAGE_S,
    N_BEFORE,
    N_MESSAGES,
    START_S,
    flags_of,
    folder_of,
    message,
)

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

DELAY_S: Final = 0.06
"""By which the filters and the grid are late"""
MOST_BYTES: Final = 20_000
OLDER: Final = sorted(
    int(path.name.removeprefix("version-"))
    for path in KEPT.glob("version-*")
    if path.name != f"version-{VERSION}"
)

pytestmark = pytest.mark.broker


@pytest.fixture
def state_of(tmp_path: Path) -> Callable[[int], Path]:
    """A function that returns a copy of a version's state folder."""

    def state_of(version: int) -> Path:
        return Path(shutil.copytree(folder_of(version), tmp_path / f"state-{version}"))

    return state_of


def test_there_is_a_state_of_this_version_and_of_the_one_before() -> None:
    """Both are kept, and small."""
    assert {VERSION, VERSION - 1} <= {VERSION, *OLDER}
    assert folder_of(VERSION).is_dir()
    for path in KEPT.rglob("*"):
        assert path.is_dir() or path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("version", OLDER)
def test_an_older_state_is_refused_with_what_to_do(
    own_mosquitto: "Mosquitto",
    run_command: Callable[..., "subprocess.CompletedProcess[str]"],
    state_of: Callable[[int], Path],
    version: int,
) -> None:
    """har-stream ends with a line that names both versions and the way on, and changes nothing."""
    own_mosquitto.start()
    state = state_of(version)
    before = (state / "checkpoint").read_bytes()
    done = run_command("har-stream", *own_mosquitto.flags, *flags_of(state))
    assert 1 == done.returncode
    assert done.stderr.splitlines()[-1] == (
        f"har-stream: {state}/checkpoint: is of version {version}, this har-stream's are of "
        f"{VERSION}; --reset-state begins anew, without what was under way"
    )
    assert before == (state / "checkpoint").read_bytes()


def predictions(
    broker: "Mosquitto", start: "Start", flags: list[str], messages: range
) -> list[dict[str, Any]]:
    """Return the predictions of the phone's messages, up to that of the last full window."""
    last_end = START_S + messages.stop * MESSAGE_S - HOP_S - DELAY_S
    stream = start("har-stream", *broker.flags, *flags)
    with MqttClient(broker, "har/status", f"har/{DEVICE}/prediction") as client:
        client.await_message("har/status", b"online")
        for number in messages:
            client.publish(f"har/{DEVICE}/samples", message(number))
        found: list[dict[str, Any]] = []
        while not found or found[-1]["end"] < last_end:
            found.append(json.loads(client.await_message(f"har/{DEVICE}/prediction")[0]))
        assert 0 == stream.end()
    return found


@pytest.mark.parametrize("version", [*OLDER[-1:], VERSION])
def test_after_a_refusal_or_none_it_goes_on(
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    state_of: Callable[[int], Path],
    version: int,
) -> None:
    """A state of this version goes on as if nothing had been; an older one anew, as it said.

    If the former fails, what a checkpoint holds has changed: raise `VERSION`.
    """
    own_mosquitto.start()
    flags = flags_of(state_of(version))
    first = N_BEFORE if version != VERSION else 0
    undisturbed = predictions(
        own_mosquitto, start_command, flags_of(Path("undisturbed")), range(first, N_MESSAGES)
    )
    again = [] if version == VERSION else ["--reset-state"]
    continued = predictions(
        own_mosquitto, start_command, [*flags, *again], range(N_BEFORE, N_MESSAGES)
    )
    assert len(continued) > 5
    assert undisturbed[-len(continued) :] == continued
