"""Ends in order, and messages that come again."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.models.classifier import Classifier
from pipeline.state.checkpoint import decode
from tests.client import TIMEOUT_S
from tests.end_to_end.durability.clients import Probe, Sender, assert_right, await_acknowledgements
from tests.end_to_end.durability.expected import expected_of
from tests.end_to_end.durability.messages import simulated_messages
from tests.end_to_end.durability.victim import READY
from tests.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

N_REMEMBERED: Final = 256
"""Messages of a phone whose repetition `resampling` knows by their times alone"""

pytestmark = pytest.mark.broker


def test_what_is_sent_while_har_stream_is_not_there(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier]
) -> None:
    """What comes between an end in order and the next start is dealt with then; no end is a gap."""
    messages = simulated_messages(rows=(1, 40))
    expected = expected_of(messages, shipped)
    part = len(messages) // 6
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        for number in range(1, 4):
            running = start_stream(lasting_mosquitto.port)
            probe.await_status("online", number)
            sender.send_until((2 * number - 1) * part)
            probe.await_end(running)
            sender.send_until(2 * number * part)
        running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


def test_many_messages_of_one_phone_that_come_again(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier], tmp_path: Path
) -> None:
    """However many messages of a phone come again, it is not taken for a clock that was set back.

    Here none of what har-stream sends reaches the broker: no prediction, and no acknowledgement of
    more messages than the times of which are remembered.
    """
    messages = simulated_messages(1, seconds=70.0, rows=(1, 4))
    expected = expected_of(messages, shipped)
    half = len(messages) // 2
    unheard = expected_of(messages[:half], shipped).predictions
    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages) as sender,
    ):
        running = start_stream(proxy.port)
        probe.await_status("online")
        proxy.lose_what_clients_send()
        sender.send_until(half)
        deadline = time.monotonic() + TIMEOUT_S
        while not saved_predictions(tmp_path / "state" / "checkpoint") >= len(unheard):
            assert time.monotonic() < deadline, running.log
            time.sleep(0.02)
        running.end(signal.SIGKILL)
        assert not probe.payloads

        running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)
    assert half > 2 * N_REMEMBERED
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


@pytest.mark.xfail(
    strict=True, reason="more than 256 late messages of a phone count as a clock that was set back"
)
def test_a_broker_that_has_forgotten_what_was_acknowledged(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier]
) -> None:
    """What an older database of a killed broker brings again, as if for the first time, is known.

    Even if it is more messages than the times of which are remembered.
    """
    messages = simulated_messages(1, seconds=70.0, rows=(1, 4))
    expected = expected_of(messages, shipped)
    third = len(messages) // 3
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(third)
        assert 0 == running.end()
        sender.send_until(2 * third)
        lasting_mosquitto.save()
        database = lasting_mosquitto.database.read_bytes()
        running = start_stream(lasting_mosquitto.port)
        probe.await_windows(expected_of(messages[: 2 * third], shipped).predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        lasting_mosquitto.stop(signal.SIGKILL)
        lasting_mosquitto.database.write_bytes(database)
        lasting_mosquitto.start()
        running.await_log(READY, times=2)
        sender.send_until(len(messages))
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)
    assert third > 2 * N_REMEMBERED
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


def saved_predictions(checkpoint: Path) -> int:
    """Return how many predictions wait in a checkpoint for the broker's confirmation."""
    if not checkpoint.exists():
        return 0
    topics = [one["topic"] for one in decode(checkpoint.read_bytes())["unconfirmed"]]
    return sum(topic.endswith("/prediction") for topic in topics)
