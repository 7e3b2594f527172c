"""Who sends the messages to a broker that may be killed, and who keeps the predictions."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.client import TIMEOUT_S, MqttClient, Received
from tests.end_to_end.durability.expected import Key
from tests.end_to_end.durability.messages import RECORDING, Sent

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running


class Sender(MqttClient):
    """Publishes messages in their order, each when the broker has confirmed the one before."""

    def __init__(
        self, broker: "Mosquitto", messages: Sequence[Sent], *, pace_s: float = 0.0
    ) -> None:
        """Connect; there is a pause after each message."""
        super().__init__(broker, session="phones")
        self._messages = messages
        self._pace_s = pace_s
        self._n_allowed = 0
        self._n_published = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(TIMEOUT_S)
        super().close()

    def allow(self, n_messages: int) -> None:
        """Let it go on until so many messages have been sent in all."""
        with self._changed:
            self._n_allowed = n_messages
            self._changed.notify_all()

    def await_sent(self, n_messages: int) -> None:
        """Return when so many messages have been confirmed in all."""
        while (before := self._n_published) < n_messages:
            self.await_that(lambda n=before: self._n_published > n, "no message is confirmed")

    def send_until(self, n_messages: int) -> None:
        """Send messages until there have been so many, and return when they are confirmed."""
        self.allow(n_messages)
        self.await_sent(n_messages)

    def _run(self) -> None:
        for number, message in enumerate(self._messages, 1):
            with self._changed:
                self._changed.wait_for(
                    lambda number=number: self._n_allowed >= number or self._stopping.is_set()
                )
            if self._stopping.is_set():
                return
            self.publish(f"har/{message.device}/samples", message.payload)
            assert self.answer in ("Success", "No matching subscribers")
            with self._changed:
                self._n_published = number
                self._changed.notify_all()
            self._stopping.wait(self._pace_s)


class Probe(MqttClient):
    """Keeps every prediction, whatever happens to the broker."""

    def __init__(self, broker: "Mosquitto", name: str = "probe") -> None:
        """Connect and subscribe."""
        self.payloads: defaultdict[Key, set[bytes]] = defaultdict(set)
        """All that was published of each window"""
        self.n_received = 0
        self._statuses: Counter[str] = Counter()
        super().__init__(broker, "har/+/prediction", "har/status", session=name)

    def keep(self, message: Received) -> None:
        """Keep a prediction, or count what har-stream says that it is."""
        if message.topic == "har/status":
            self._statuses[message.payload.decode()] += not message.is_retained
        else:
            published = json.loads(message.payload)
            assert f"har/{published['device']}/prediction" == message.topic
            self.payloads[published["device"], published["start"]].add(message.payload)
            self.n_received += 1

    def await_status(self, status: str, n: int = 1) -> None:
        """Return when har-stream's status has been this so many times."""
        self.await_that(lambda: self._statuses[status] >= n, f"never {n} times {status}")

    def await_windows(self, keys: Collection[Key]) -> None:
        """Return when there are predictions of all these windows; they may take their time."""
        wanted = set(keys)
        while missing := wanted - self.payloads.keys():
            before = len(self.payloads)
            self.await_that(
                lambda n=before: len(self.payloads) > n or wanted <= self.payloads.keys(),
                f"{len(missing)} of {len(wanted)} predictions are missing: {sorted(missing)[:5]}",
            )

    def await_windows_from(self, starts: Mapping[str, float]) -> None:
        """Return when there is a prediction of each device that starts then or later."""
        self.await_that(
            lambda: all(
                any(device == of and start >= first for of, start in self.payloads)
                for device, first in starts.items()
            ),
            f"no prediction from {starts} on",
        )

    def await_end(self, running: "Running") -> None:
        """End a har-stream in order, and return when it has said that it is offline."""
        n_before = self._statuses["offline"]
        assert 0 == running.end()
        self.await_status("offline", n_before + 1)


def assert_right(seen: Probe, expected: Mapping[Key, Mapping[str, Any]]) -> None:
    """Each window has one prediction, whatever its copies, and it is that of the recognizer."""
    assert expected.keys() == seen.payloads.keys()
    differing = [key for key, payloads in seen.payloads.items() if len(payloads) > 1]
    assert not differing, [seen.payloads[key] for key in differing[:3]]
    for key, [published] in seen.payloads.items():
        assert expected[key] == json.loads(published)


def await_acknowledgements(broker: "Mosquitto") -> None:
    """Return when the broker keeps no message of a phone any more."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        broker.save()
        n_left = broker.database.read_bytes().count(f'"recording":"{RECORDING}"'.encode())
        if n_left == 0:
            return
        assert time.monotonic() < deadline, f"{n_left} messages are not acknowledged"
