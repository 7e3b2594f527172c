"""The tests' MQTT client.

It subscribes again whenever it is connected again, and keeps all that arrives, in order. What a
test awaits must arrive within `TIMEOUT_S`, else the test fails with what came last.
"""

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from tests.conftest import Broker

TIMEOUT_S: Final = 20.0


class Received(NamedTuple):
    """A message that has arrived."""

    topic: str
    payload: bytes
    is_retained: bool


class MqttClient:
    """A client of a broker, connected until it is closed."""

    def __init__(self, broker: "Broker", *topics: str) -> None:
        """Connect, and subscribe to topic filters at QoS 1; without any it publishes only."""
        self.received: list[Received] = []
        """All that has arrived so far"""
        self._n_taken = 0
        self._n_subscriptions = 0
        self._n_awaited = 0
        self._changed = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(0)  # no limit
        self._client.reconnect_delay_set(1, 1)
        if topics:
            filters = [(topic, 1) for topic in topics]
            self._client.on_connect = lambda client, *_: client.subscribe(filters)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        if topics:
            self.await_subscription()

    def await_subscription(self) -> None:
        """Return when the broker has confirmed the subscription of one more connection."""
        self._n_awaited += 1
        with self._changed:
            confirmed = self._changed.wait_for(
                lambda: self._n_subscriptions >= self._n_awaited, TIMEOUT_S
            )
        assert confirmed, "the broker confirms no subscription"

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish a message at QoS 1 and return when the broker has it."""
        message = self._client.publish(topic, payload, 1, retain)
        message.wait_for_publish(TIMEOUT_S)
        assert message.is_published(), f"the broker does not take a message on {topic}"

    @property
    def taken(self) -> list[Received]:
        """What `take` has returned so far."""
        return self.received[: self._n_taken]

    def take(self, timeout_s: float = TIMEOUT_S) -> Received | None:
        """Return the first message that was not taken before, or None if none comes in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.received) > self._n_taken, timeout_s):
                return None
        self._n_taken += 1
        return self.received[self._n_taken - 1]

    def await_message(self, topic: str, payload: bytes | None = None) -> tuple[bytes, bool]:
        """Take messages up to the next on a topic, with that payload if given.

        Returns:
            Its payload, and whether it was retained.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while (message := self.take(max(0.0, deadline - time.monotonic()))) is not None:
            if message.topic == topic and payload in (None, message.payload):
                return message.payload, message.is_retained
        raise AssertionError(f"no {payload!r} on {topic}; last: {self.received[-5:]}")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: object) -> None:
        with self._changed:
            self._n_subscriptions += 1
            self._changed.notify_all()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        with self._changed:
            self.received.append(Received(message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()
