"""What may happen to har-stream, the broker and the way between them without any harm."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, get_args

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from tests.end_to_end.durability.clients import Probe, Sender, await_acknowledgements
from tests.end_to_end.durability.expected import Key, expected_of
from tests.end_to_end.durability.messages import Sent, messages_of, real_recordings
from tests.end_to_end.durability.victim import PACE_S, Disturbance, Victim
from tests.tcp_proxy import Cut, TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.broker


def run_undisturbed(
    broker: "Mosquitto", start_stream: "Start", messages: Sequence[Sent], keys: Collection[Key]
) -> dict[Key, bytes]:
    """Return what is published of each window when nothing happens."""
    with Probe(broker, "calm probe") as probe, Sender(broker, messages) as sender:
        running = start_stream(broker.port, state="calm")
        probe.await_status("online")
        sender.send_until(len(messages))
        probe.await_windows(keys)
        await_acknowledgements(broker)
        probe.await_end(running)
        assert probe.n_received == len(probe.payloads)  # no repeats
        return {key: published for key, [published] in probe.payloads.items()}


TROUBLES: Final[Mapping[tuple[Disturbance, ...], int]] = {
    ("kill",): 10,
    ("restart",): 3,
    ("drop",): 5,
    ("reset",): 5,
    ("stall",): 2,
    ("kill", "restart"): 2,
    ("kill", "drop"): 2,
    ("kill", "reset"): 2,
    ("kill", "stall"): 4,
}
"""What happens how often, at once: har-stream is killed while it has a connection, or has none."""


def send_under_troubles(
    sender: Sender, victim: Victim, rng: np.random.Generator, n_messages: int
) -> None:
    """Send most of the messages, with one trouble in each of as many parts of them.

    It happens at any moment but the part's end.
    """
    troubles = [trouble for trouble, n in TROUBLES.items() for _ in range(n)]
    order = rng.permutation(len(troubles)).tolist()
    ends = np.linspace(0, n_messages, len(troubles) + 2).astype(int)[1:]
    begin = 0
    for number, end in zip(order, ends[:-1].tolist(), strict=True):
        sender.allow(end)
        sender.await_sent(begin + int(rng.uniform(0.0, 0.7) * (end - begin)))
        victim.suffer(*troubles[number])
        begin = end


def test_nothing_is_lost_and_nothing_changes(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier]
) -> None:
    """Whatever is killed, restarted and cut, the predictions are those of an undisturbed run.

    These are the recognizer's own, and so they are right. Repeats are the same bytes, and at the
    end nothing is left in the broker's queue.
    """
    rng = np.random.default_rng(10)
    recordings = real_recordings()
    messages = messages_of(recordings, rng, rows=(1, 80), separate=[recordings[-1].device])
    expected = expected_of(messages, shipped)
    lasting_mosquitto.start()
    calm = run_undisturbed(lasting_mosquitto, start_stream, messages, expected.predictions.keys())
    assert expected.predictions == {key: json.loads(published) for key, published in calm.items()}
    lasting_mosquitto.stop()
    lasting_mosquitto.database.unlink()

    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages, pace_s=PACE_S) as sender,
    ):
        victim = Victim(lasting_mosquitto, proxy, start_stream, rng)
        probe.await_status("online")
        send_under_troubles(sender, victim, rng, len(messages))
        sender.send_until(len(messages))
        probe.await_windows(calm.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(victim.running)
        assert calm.keys() == probe.payloads.keys()
        assert {key: {published} for key, published in calm.items()} == probe.payloads
    cuts = sum(victim.suffered[kind] for kind in get_args(Cut))
    assert (20, 5, 20) == (victim.suffered["kill"], victim.suffered["restart"], cuts)
    for log in victim.logs:
        assert "Traceback" not in log()
        assert " ERROR " not in log()
    logger.info(
        "%d messages, %d predictions, %d received; %s",
        len(messages), len(calm), probe.n_received, victim.logs[-1]().splitlines()[-1],
    )  # fmt: skip
