"""The tests' MQTT client.

It keeps all that arrives, in order, and subscribes again whenever it is connected again. A test
publishes with `publish`, which returns when the broker has the message, or with `send`, which does
not wait. What a test awaits must come within `TIMEOUT_S`, else the test fails with what came last.

A client with a ``session`` is one of MQTT 5 that the broker knows again: neither what it publishes
nor what is published for it is lost while it is not connected.
"""

import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

TIMEOUT_S: Final = 30.0
RECONNECT_S: Final = 0.1
SESSION_EXPIRY_S: Final = 3600


class Address(Protocol):
    """Where a broker listens."""

    host: str
    port: int


class Login(NamedTuple):
    """How a client of MQTT 5 logs in."""

    user: str | None
    password: str | None
    cafile: Path | None = None
    """Certificate of the authority that signed the broker's; without it there is no TLS"""
    client_id: str = ""


class Received(NamedTuple):
    """A message that has arrived."""

    topic: str
    payload: bytes
    is_retained: bool


def results_of(device: str = "+") -> list[str]:
    """Return the topics on which har-stream publishes what it knows of a phone."""
    leaves = ("prediction", "activity", "begins", "episode", "availability", "info")
    return [f"har/{device}/{leaf}" for leaf in leaves]


class MqttClient:
    """A client of a broker, connected until it is closed."""

    def __init__(
        self, broker: Address, *topics: str, session: str = "", login: Login | None = None
    ) -> None:
        """Connect, and subscribe to topic filters at QoS 1; without any it publishes only."""
        self.received: list[Received] = []
        """All that has arrived so far"""
        self.logins: list[str] = []
        """The broker's answers to its logins"""
        self.losses: list[str] = []
        """Why it lost its connections"""
        self.answer = ""
        """What the broker said of the latest message published"""
        self._n_taken = 0
        self._n_sent = 0
        self._n_confirmed = 0
        self._n_subscriptions = 0
        self._n_awaited = 0
        self._topics = topics
        self._changed = threading.Condition()
        self._client = _paho_client(session, login)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        if session:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            self._client.connect(broker.host, broker.port, clean_start=False, properties=properties)
        else:
            self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        if topics:
            self.await_subscription()

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect, and let go of paho's client, so that it closes its sockets at once."""
        self._client.disconnect()
        with suppress(AttributeError):  # paho's, if its thread ends while that is looked at
            self._client.loop_stop()
        self._client.on_connect = self._client.on_disconnect = self._client.on_subscribe = None
        self._client.on_publish = self._client.on_message = None

    def subscribe(self, *topics: str) -> None:
        """Subscribe to these topics, also if it has before, and return when that is confirmed.

        The broker sends what is retained there once more.
        """
        self._topics = tuple(dict.fromkeys((*self._topics, *topics)))
        self._client.subscribe([(topic, 1) for topic in topics])
        self.await_subscription()

    def await_subscription(self) -> None:
        """Return when the broker has confirmed one more subscription, as after a connection."""
        self._n_awaited += 1
        self.await_that(
            lambda: self._n_subscriptions >= self._n_awaited, "the broker confirms no subscription"
        )

    def send(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Publish a message without waiting for the broker to have it."""
        with self._changed:
            self._n_sent += 1
        self._client.publish(topic, payload, qos, retain)

    def publish(
        self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish a message, and return when the broker has it and all that was sent before.

        At QoS 0 it has only left.
        """
        self.send(topic, payload, qos=qos, retain=retain)
        self.await_that(
            lambda: self._n_confirmed >= self._n_sent,
            f"the broker does not take a message on {topic}",
        )

    def keep(self, message: Received) -> None:
        """Keep a message that has arrived; who needs less, or something else, does it otherwise."""
        self.received.append(message)

    def comes_true(self, is_so: Callable[[], object], timeout_s: float) -> bool:
        """Wait until something is true, and return whether it was in time.

        It is looked at whenever something arrives or is confirmed.
        """
        with self._changed:
            return bool(self._changed.wait_for(is_so, timeout_s))

    def await_that(self, is_so: Callable[[], object], complaint: str = "awaited in vain") -> None:
        """Return when something is true.

        Raises:
            AssertionError: it does not come true in time.
        """
        assert self.comes_true(is_so, TIMEOUT_S), f"{complaint}; last: {self.received[-8:]}"

    @property
    def taken(self) -> list[Received]:
        """What `take` has returned so far."""
        return self.received[: self._n_taken]

    def take(self, timeout_s: float = TIMEOUT_S) -> Received | None:
        """Return the first message that was not taken before, or None if none comes in time."""
        if not self.comes_true(lambda: len(self.received) > self._n_taken, timeout_s):
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

    # paho calls these on its thread.

    def _on_connect(
        self, client: Client, userdata: object, flags: object, reason: ReasonCode, *_: object
    ) -> None:
        with self._changed:
            self.logins.append(str(reason))
            self._changed.notify_all()
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_disconnect(
        self, client: Client, userdata: object, flags: object, reason: ReasonCode, *_: object
    ) -> None:
        with self._changed:
            self.losses.append(str(reason))
            self._changed.notify_all()

    def _on_subscribe(
        self, client: Client, userdata: object, mid: int, reasons: list[ReasonCode], *_: object
    ) -> None:
        with self._changed:
            self._n_subscriptions += not any(reason.is_failure for reason in reasons)
            self._changed.notify_all()

    def _on_publish(
        self, client: Client, userdata: object, mid: int, reason: ReasonCode, *_: object
    ) -> None:
        with self._changed:
            self.answer = str(reason)
            self._n_confirmed += 1
            self._changed.notify_all()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        with self._changed:
            self.keep(Received(message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()


def _paho_client(session: str, login: Login | None) -> Client:
    """Return paho's client, which has not connected yet."""
    protocol = MQTTProtocolVersion.MQTTv5 if session or login else MQTTProtocolVersion.MQTTv311
    client_id = login.client_id if login else session
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
    client.max_inflight_messages_set(0)  # no limit
    client.reconnect_delay_set(RECONNECT_S, RECONNECT_S)  # type: ignore[arg-type]
    if login is not None:
        if login.cafile is not None:
            client.tls_set_context(ssl.create_default_context(cafile=login.cafile))
        if login.user is not None:
            client.username_pw_set(login.user, login.password)
    return client
