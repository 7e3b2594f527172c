"""What a broker that is killed may lose, and what not."""

import json
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.models.classifier import Classifier
from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.end_to_end.durability.clients import Probe, Sender, assert_right, await_acknowledgements
from tests.end_to_end.durability.expected import HOP, Key, expected_of
from tests.end_to_end.durability.messages import Sent, messages_of, real_recordings
from tests.end_to_end.durability.victim import PACE_S, Victim
from tests.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("saved", [True, False], ids=["some lost", "all lost"])
def test_what_a_killed_broker_has_lost_is_a_gap(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier], saved: bool
) -> None:
    """What the broker had not saved is a gap, which is counted; all else is as it would be.

    One that never saved anything has lost the session, too: har-stream subscribes again.
    """
    recordings = real_recordings(most_samples=3000)
    messages = messages_of(recordings, np.random.default_rng(1), rows=(26, 60))
    seen, kept, lost = (len(messages) * k // 4 for k in (1, 2, 3))
    delivered = [*messages[: kept if saved else seen], *messages[lost:]]
    before, expected = (expected_of(some, shipped) for some in (messages[:seen], delivered))
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(seen)
        probe.await_windows(before.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)

        sender.send_until(kept)
        lasting_mosquitto.save()
        sender.send_until(lost)
        lasting_mosquitto.stop(signal.SIGKILL)
        if not saved:
            lasting_mosquitto.database.unlink()
        lasting_mosquitto.start()
        probe.await_subscription()
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online", 2)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        probe.await_end(running)
    assert_right(probe, expected.predictions)
    assert f", {expected.n_gaps} gaps, " in running.log
    assert expected.n_gaps > before.n_gaps


class Explanations:
    """What can come of messages of which some are lost: after each loss everything begins anew."""

    def __init__(self, messages: Iterable[Sent], classifiers: list[Classifier]) -> None:
        """Take what was sent: any message lost must be a gap."""
        self._classifiers = classifiers
        self._messages: defaultdict[str, list[Sent]] = defaultdict(list)
        for message in messages:
            self._messages[message.device].append(message)
        self._starts = {
            device: np.array([json.loads(message.payload)["start"] for message in sent])
            for device, sent in self._messages.items()
        }
        self._made: dict[tuple[str, int], dict[Key, dict[str, Any]]] = {}

    def explain(self, published: bytes) -> bool:
        """Return whether this is right for a window that begins so long after some message did."""
        prediction = json.loads(published)
        device, start = prediction["device"], prediction["start"]
        hops = (start - self._starts[device]) * SAMPLING_RATE_HZ / HOP
        possible = (hops > -1e-3) & (np.abs(hops - np.round(hops)) < 1e-3)
        return any(
            self._beginning_at(device, number).get((device, start)) == prediction
            for number in np.flatnonzero(possible).tolist()
        )

    def _beginning_at(self, device: str, number: int) -> dict[Key, dict[str, Any]]:
        if (device, number) not in self._made:
            rest = self._messages[device][number:]
            self._made[device, number] = expected_of(rest, self._classifiers).predictions
        return self._made[device, number]


def test_every_prediction_is_right_when_brokers_are_killed(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: list[Classifier]
) -> None:
    """Whatever a broker loses that is killed under way, each prediction is that of its samples."""
    rng = np.random.default_rng(2)
    messages = messages_of(real_recordings(most_samples=8000), rng, rows=(26, 60))
    expected = expected_of(messages, shipped)
    ends = np.linspace(0, len(messages), 8).astype(int)[1:].tolist()
    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages, pace_s=PACE_S) as sender,
    ):
        victim = Victim(lasting_mosquitto, proxy, start_stream, rng)
        probe.await_status("online")
        begin = 0
        for number, end in enumerate(ends[:-1]):
            sender.allow(end)
            save, leave, kill = (
                begin + int(share * (end - begin)) for share in np.sort(rng.uniform(0.0, 0.7, 3))
            )
            sender.await_sent(save)
            if number % 3:
                lasting_mosquitto.save()
            sender.await_sent(leave)
            victim.suffer_a_killed_broker(
                away=bool(number % 2), when=lambda kill=kill: sender.await_sent(kill)
            )
            begin = end
        sender.send_until(len(messages))
        last = {device: start - HOP / SAMPLING_RATE_HZ for device, start in expected.predictions}
        probe.await_windows_from(last)
        probe.await_end(victim.running)
    assert expected.predictions.keys() - probe.payloads.keys(), "nothing was lost"
    explanations = Explanations(messages, shipped)
    wrong = [
        published
        for payloads in probe.payloads.values()
        for published in payloads
        if not explanations.explain(published)
    ]
    assert not wrong, f"{len(wrong)} wrong: {wrong[:3]}"
    for log in victim.logs:
        assert "Traceback" not in log()
