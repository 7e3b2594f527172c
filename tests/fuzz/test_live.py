from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import live

if TYPE_CHECKING:
    import subprocess

    from tests.brokers import Mosquitto
    from tests.processes import Running

N_MESSAGES = 6_000


@pytest.mark.broker
def test_wild_times_through_the_running_program(
    lasting_mosquitto: "Mosquitto", start_command: "Callable[..., Running]", tiny_model: Path
) -> None:
    """Phones whose times are sparse, doubled, back or apart neither end it nor change a window."""
    lasting_mosquitto.start()
    started: list[Running] = []

    def start(name: str, *flags: str) -> "subprocess.Popen[bytes]":
        started.append(start_command(name, *lasting_mosquitto.flags, *flags))
        lasting_mosquitto.await_har_stream()
        return started[0].process

    outcome = live.run(
        broker=lasting_mosquitto,
        start=start,
        model=tiny_model,
        n_messages=N_MESSAGES,
        seed=1,
    )

    assert "" == outcome.fault
    assert [] == outcome.differing
    assert outcome.n_windows > 200
    assert "failed on" not in started[0].log
