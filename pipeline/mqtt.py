"""The connection to the broker: bytes in and out. The only file that knows paho.

Nothing happens on the network thread but putting a message on a queue; the caller takes them.
"""

import logging
import queue
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline import tls
from pipeline.settings import BrokerSettings

logger = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
LONGEST_BACKOFF_S: Final = 30.0
UNSUBSCRIBE_TIMEOUT_S: Final = 2.0
AT_LEAST_ONCE: Final = 1
"""Quality of service of every subscription and publication; repeats are harmless here."""

STATUS_TOPIC: Final = "har/status"
"""Retained ``online`` or ``offline``: whether har-stream is there."""

LASTING_REFUSALS: Final = {
    "Bad user name or password",
    "Not authorized",
    "Banned",
    "Bad authentication method",
    "Client identifier not valid",
    "Unsupported protocol version",
}
"""Answers to a login that will be the same the next time."""

_PROTOCOLS: Final = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


@dataclass(frozen=True)
class Message:
    """What the broker delivered."""

    topic: str
    payload: bytes
    received: float
    """Seconds on the monotonic clock"""


class Connection:
    """A client of the broker that stays connected."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        name: str,
        subscriptions: Sequence[str],
        status_topic: str | None = None,
    ) -> None:
        """Prepare the connection; `start` makes it.

        Args:
            settings: the broker and how to log in.
            name: what the client id begins with.
            subscriptions: topic filters, subscribed again whenever the connection is made.
            status_topic: retained ``online`` while connected, ``offline`` after (the last will).
        """
        self._settings = settings
        self._subscriptions = subscriptions
        self._status_topic = status_topic
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._attempt = 0
        self._retry = True
        self._woken = False
        self._was_ready = False
        self._linked = False  # there is a connection, and no failure of it was noted yet
        self._link_error: OSError | None = None
        self._confirmation = threading.Condition()
        self._n_published = 0
        self._n_confirmed = 0
        self.ready = threading.Event()
        """Set while connected and subscribed"""
        self.failure: str | None = None
        """Why the last attempt to connect failed"""
        self._given_up = threading.Event()
        self._refused: set[str] = set()
        self._unsubscribed = threading.Event()

        client_id = f"{name}-{uuid4().hex[:8]}"
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=_PROTOCOLS[settings.protocol]
        )
        self._client.max_inflight_messages_set(1000)
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            self._client.username_pw_set(settings.username, password)
        if status_topic is not None:
            self._client.will_set(status_topic, "offline", AT_LEAST_ONCE, retain=True)
        self._client.on_pre_connect = self._on_pre_connect
        self._client.on_socket_open = self._on_socket_open
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self._settings.broker}:{self._settings.port}"

    def start(self, *, retry: bool) -> None:
        """Connect, and stay connected; return at the first success, or at `wake`.

        Without ``retry`` the first attempt is the only one; with it, one is the last if its failure
        will not pass by itself, such as a wrong password. Later, all failures are followed by
        another attempt: whoever reconfigures a broker need not start its clients again.

        Raises:
            ConnectionError: the last attempt failed, or a file for TLS cannot be used.
        """
        self._retry = retry
        if self._settings.tls:
            try:
                self._client.tls_set_context(tls.client_context(self._settings))
            except tls.CertificateFileError as error:
                raise ConnectionError(str(error)) from error
            if self._settings.insecure:
                logger.warning("--insecure: anybody can pose as %s and read along", self.address)
        self._client.connect_async(self._settings.broker, self._settings.port, KEEPALIVE_S)
        self._client.loop_start()
        while not (self.ready.wait(0.02) or self._woken):
            if self._given_up.is_set():
                self._client.loop_stop()
                raise ConnectionError(f"no connection to {self.address}: {self.failure}")

    def take(self, *, timeout_s: float, gather_s: float) -> list[Message]:
        """Return what has arrived, at least one message unless ``timeout_s`` passes or `wake`.

        After the first message others may arrive for ``gather_s`` seconds.
        """
        try:
            messages = [self._messages.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        if gather_s:
            time.sleep(gather_s)
        messages += [self._messages.get() for _ in range(self._messages.qsize())]
        return [message for message in messages if message is not None]

    def wake(self) -> None:
        """Let a waiting `take` or `start` return; may be called from a signal handler."""
        self._woken = True
        self._messages.put(None)

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Send a message; while the connection is down it waits in memory."""
        with self._confirmation:
            self._n_published += 1
        self._client.publish(topic, payload, AT_LEAST_ONCE, retain)

    def await_confirmations(self, most: int, *, timeout_s: float | None = None) -> bool:
        """Wait until at most ``most`` messages are unconfirmed; return whether it came to that."""
        with self._confirmation:
            return self._confirmation.wait_for(
                lambda: self._n_published - self._n_confirmed <= most, timeout_s
            )

    def stop_receiving(self) -> None:
        """Unsubscribe; what the broker sent before has arrived when this returns."""
        if self.ready.is_set() and self._subscriptions:
            self._client.unsubscribe(list(self._subscriptions))
            self._unsubscribed.wait(UNSUBSCRIBE_TIMEOUT_S)

    def close(self, *, timeout_s: float) -> bool:
        """Say ``offline``, disconnect, and return whether everything was delivered in time."""
        delivered = True
        if self.ready.is_set():
            if self._status_topic is not None:
                self.publish(self._status_topic, "offline", retain=True)
            delivered = self.await_confirmations(0, timeout_s=timeout_s)
        self._client.disconnect()
        self._client.loop_stop()
        return delivered

    def _on_pre_connect(self, client: Client, userdata: object) -> None:
        self._link_error = None
        client.on_log = self._on_log

    def _on_log(self, client: Client, userdata: object, level: int, text: str) -> None:
        # paho keeps an error of the connection to itself, but logs it while it handles it.
        error = sys.exception()
        if isinstance(error, OSError):
            self._link_error = error

    def _on_socket_open(self, client: Client, userdata: object, link: object) -> None:
        self._linked = True
        # Else small packets wait for the acknowledgement of the one before, up to 40 ms.
        if isinstance(link, socket.socket):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        client.on_log = None  # which would cost time for each message
        if reason.is_failure:
            self._fail(self._refusal(str(reason)), lasting=str(reason) in LASTING_REFUSALS)
            return
        self._attempt = 0
        logger.info("connected to %s%s", self.address, " by TLS" if self._settings.tls else "")
        if self._subscriptions:
            filters = [(topic, AT_LEAST_ONCE) for topic in self._subscriptions]
            client.subscribe(filters)
        else:
            self._become_ready()

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        message_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        for topic, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                logger.error("the broker refuses the subscription to %s: %s", topic, reason)
        self._become_ready()

    def _on_unsubscribe(
        self,
        client: Client,
        userdata: object,
        message_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        self._unsubscribed.set()

    def _become_ready(self) -> None:
        if self._status_topic is not None:
            self.publish(self._status_topic, "online", retain=True)
        self._was_ready = True
        self.ready.set()

    def _on_publish(
        self,
        client: Client,
        userdata: object,
        message_id: int,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure and str(reason) not in self._refused:  # MQTT 5 alone tells
            self._refused.add(str(reason))
            logger.error(
                "%s refuses what is published: %s; may %s write there?",
                self.address, reason, self._settings.username or "anybody",
            )  # fmt: skip
        with self._confirmation:
            self._n_confirmed += 1
            self._confirmation.notify_all()

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        error = sys.exception()  # paho calls this while it handles the error
        if isinstance(error, ssl.SSLError):
            why, passing = tls.explain(error, self._settings)
            self._fail(why, lasting=not passing)
        elif isinstance(error, socket.gaierror):
            self._fail(f"there is no such host ({error.strerror})")
        elif isinstance(error, TimeoutError):
            self._fail("no answer in time")
        elif isinstance(error, ConnectionResetError | BrokenPipeError):
            self._fail("it ends the TLS handshake: does it speak TLS at this port?")
        else:
            self._fail("nobody answers there")

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        was_ready = self.ready.is_set()
        self.ready.clear()
        if not self._linked or not reason.is_failure:
            return
        if was_ready:
            self._fail(f"connection lost: {reason}")
        elif isinstance(self._link_error, ssl.SSLError):  # TLS 1.3: only now it is refused
            why, passing = tls.explain(self._link_error, self._settings)
            self._fail(why, lasting=not passing)
        elif not self._settings.tls:
            self._fail("it does not answer the login: does it expect --tls?")
        elif self._settings.cert is None:
            self._fail("it does not answer the login: does it demand a client certificate, --cert?")
        else:
            self._fail(
                f"it does not answer the login: does it accept --cert {self._settings.cert}?"
            )

    def _refusal(self, reason: str) -> str:
        """Return what the broker's answer to the login means, and what to do."""
        if reason not in ("Bad user name or password", "Not authorized"):
            return f"the broker refuses: {reason}"
        if self._settings.username is None:
            return f"the broker wants a login ({reason}): give --username and --password-file"
        return (
            f"the broker refuses the login of {self._settings.username} ({reason}): "
            "are name and password right?"
        )

    def _fail(self, why: str, *, lasting: bool = False) -> None:
        """Keep and log the reason, and draw the time until the next attempt, if there is one."""
        self._linked = False
        self.failure = why
        if not self._was_ready and (lasting or not self._retry):
            self._given_up.set()
            self._client.disconnect()  # ends paho's attempts
            return
        # Jitter, so that the clients of a broker that restarts do not all come at once.
        longest = min(LONGEST_BACKOFF_S, 2.0**self._attempt)
        delay = random.uniform(0.5, 1.0) * longest
        self._attempt = min(self._attempt + 1, 10)
        self._client.reconnect_delay_set(delay, delay)  # type: ignore[arg-type]
        logger.warning("no connection to %s: %s; next try in %.1f s", self.address, why, delay)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._messages.put(Message(message.topic, bytes(message.payload), time.monotonic()))
