"""The connection to the broker: bytes in and out. The only file that knows paho.

paho connects, logs in, subscribes, keeps alive and connects again. Messages, publications and their
acknowledgements pass it by, many at once, in the form that `packets` gives them: packet by packet
they would cost more than all that is done with them. Nothing else happens on the network thread;
the caller takes the messages.
"""

import logging
import queue
import random
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline import tls
from pipeline.inbox import Inbox
from pipeline.packets import (
    Confirmation,
    Message,
    Outbox,
    Publication,
    Receipt,
    acknowledgements,
    split,
)
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

_REFUSED: Final = 128
"""Reason codes from here on are refusals (MQTT 5, 2.4)"""

_PROTOCOLS: Final = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


MOST_WAITING: Final = 20_000
"""Messages that may wait to be taken before the broker is made to wait"""
MOST_AT_ONCE: Final = 2_000
"""Messages that are taken at once: some tenths of a second's work"""
MOST_IN_FLIGHT: Final = 1_000
"""Publications that may be on their way, if the broker does not say"""
READ_BYTES: Final = 1 << 18
HOLD_S: Final = 0.05
"""While too much waits to be taken, the connection is left alone for so long at a time."""


@dataclass(frozen=True)
class Session:
    """A session that the broker keeps while its client is away (MQTT 5)."""

    client_id: str
    expiry_s: int
    """How long it is kept, in seconds"""
    expected: bool
    """The broker should have it already"""


class _Client(Client):
    """paho's client, reading all that has arrived at once; messages and confirmations pass it by.

    paho reads from its socket by `_sock_recv` alone, and writes what `_packet_queue` is given.
    """

    def __init__(
        self,
        client_id: str,
        protocol: MQTTProtocolVersion,
        arrived: Callable[[list[Message | Confirmation]], None],
        room: threading.Event,
    ) -> None:
        """Prepare a client.

        Args:
            client_id: its name with the broker.
            protocol: MQTT version.
            arrived: is called with messages and confirmations, on the network thread.
            room: nothing is read while it is not set.
        """
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        self._v5 = protocol == MQTTProtocolVersion.MQTTv5
        self._arrived = arrived
        self._room = room
        self._rest = b""  # the beginning of a packet
        self._foreign = b""  # packets for paho
        self._end: OSError | None = None

    def reconnect(self) -> MQTTErrorCode:
        """Begin a connection."""
        self._rest, self._foreign, self._end = b"", b"", None
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Deal with all that has arrived."""
        if not self._room.wait(HOLD_S):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            data = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            self._end = error
            return super().loop_read()
        if not data:
            self._end = ConnectionError("the broker has closed the connection")
            return super().loop_read()
        packets, self._rest = split(self._rest + data, time.monotonic(), v5=self._v5)
        own: list[Message | Confirmation] = []
        for packet in packets:
            if not isinstance(packet, bytes):
                own.append(packet)
                continue
            self._hand_over(own)
            own = []
            self._foreign = packet
            result = super().loop_read()
            if result:
                return result
        self._hand_over(own)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def send(self, packets: bytes) -> None:
        """Send packets after what was sent before; lost if there is no connection."""
        if packets:
            self._packet_queue(MessageType.PUBACK, packets, 0, 1)  # a kind that is left alone

    def close(self) -> None:
        """Give up the sockets that it keeps without a connection."""
        self._reset_sockets()

    def _hand_over(self, own: list[Message | Confirmation]) -> None:
        if own:
            self._arrived(own)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._foreign:
            part, self._foreign = self._foreign[:bufsize], self._foreign[bufsize:]
            return part
        if self._end is not None:
            raise self._end
        raise BlockingIOError


class Connection:
    """A client of the broker that stays connected."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        name: str,
        subscriptions: Sequence[str],
        status_topic: str | None = None,
        session: Session | None = None,
        most_waiting: int = MOST_WAITING,
        shared_topics: Collection[str] | None = None,
    ) -> None:
        """Prepare the connection; `start` makes it.

        Args:
            settings: the broker and how to log in.
            name: what the client id begins with, but for a kept session's.
            subscriptions: topic filters, subscribed again whenever the connection is made.
            status_topic: retained ``online`` while connected, ``offline`` after (the last will).
            session: a session that outlives the program, by MQTT 5; its messages are acknowledged
                by `acknowledge` alone. Without one they are when they have come.
            most_waiting: messages that may wait to be taken. What is more waits at the broker, at
                QoS 1; at QoS 0 the oldest are dropped.
            shared_topics: topics of many phones together. If given, all other topics get fair
                shares of what is taken at once, as `inbox` says; else all that has come is taken.
        """
        self._settings = settings
        self._subscriptions = subscriptions
        self._status_topic = status_topic
        self._session = session
        self._most_waiting = most_waiting
        self._arrivals: queue.SimpleQueue[list[Message]] = queue.SimpleQueue()
        most = None if shared_topics is None else MOST_AT_ONCE
        self._inbox = Inbox(most_waiting, most, shared_topics or ())
        self._room = threading.Event()
        self._room.set()
        self._taken_at = 0.0  # monotonic seconds
        self._n_arrived = 0  # counted on the network thread alone
        self._n_fetched = 0  # of those, what the inbox has got; counted by the caller alone
        self._attempt = 0
        self._retry = True
        self._woken = False
        self._was_ready = False
        self._reached = False  # there is a connection, and no failure of it was noted yet
        self._link_error: OSError | None = None
        self._sending = threading.Condition()  # guards what follows
        self._outbox = Outbox(v5=settings.protocol == "5")
        self._most_in_flight = MOST_IN_FLIGHT
        self._linked = False  # logged in, and no failure of it was noted yet
        self._link_since = 0.0  # monotonic seconds
        self._owed: dict[int, bool] = {}
        """Messages to acknowledge, by packet identifier, in the order of their arrival, and whether
        they may be"""
        self.ready = threading.Event()
        """Set while connected and subscribed"""
        self.failure: str | None = None
        """Why the last attempt to connect failed"""
        self._given_up = threading.Event()
        self._refused: set[int] = set()
        self._unsubscribed = threading.Event()

        client_id = f"{name}-{uuid4().hex[:8]}" if session is None else session.client_id
        self._client = _Client(
            client_id, _PROTOCOLS[settings.protocol], self._on_arrivals, self._room
        )
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
        broker, port = self._settings.broker, self._settings.port
        if self._settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = self._most_waiting
            if self._session is not None:
                properties.SessionExpiryInterval = self._session.expiry_s
            self._client.connect_async(
                broker,
                port,
                KEEPALIVE_S,
                clean_start=self._session is None,
                properties=properties,
            )
        else:
            self._client.connect_async(broker, port, KEEPALIVE_S)
        self._client.loop_start()
        while not (self.ready.wait(0.02) or self._woken):
            if self._given_up.is_set():
                self._client.loop_stop()
                raise ConnectionError(f"no connection to {self.address}: {self.failure}")

    def take(self, *, timeout_s: float, gather_s: float) -> list[Message]:
        """Return what has arrived, at least one message unless ``timeout_s`` passes or `wake`.

        ``gather_s`` seconds at least lie between two calls' messages, so that they are many. When
        very much has arrived, and topics get shares, some of it is left for the next time.
        """
        arrived: list[Message] = []
        if not len(self._inbox):
            try:
                arrived += self._arrivals.get(timeout=timeout_s)
            except queue.Empty:
                return []
        pause_s = self._taken_at + gather_s - time.monotonic()
        if pause_s > 0 and not self._inbox.pressing:
            time.sleep(pause_s)
        self._taken_at = time.monotonic()
        for _ in range(self._arrivals.qsize()):
            arrived += self._arrivals.get()
        self._inbox.put(arrived)
        self._n_fetched += len(arrived)
        messages = self._inbox.take()
        if len(self._inbox) > 2 * self._most_waiting:  # the broker knows no bound
            self._room.clear()
        else:
            self._room.set()
        if self._owed and self._session is None:
            self.acknowledge(message.receipt for message in messages)
        return messages

    @property
    def waiting(self) -> int:
        """How many messages wait to be taken."""
        return self._n_arrived - self._n_fetched + len(self._inbox)

    @property
    def pressing(self) -> bool:
        """Whether more waits than can soon be worked through, beside what can be dropped."""
        return self._inbox.pressing

    def take_dropped(self) -> Counter[str]:
        """Return how many messages at QoS 0 were dropped since this was called last, by topic."""
        dropped, self._inbox.dropped = self._inbox.dropped, Counter()
        return dropped

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Let the broker know that these messages need not be sent again.

        It is told in the order of their arrival (MQTT 5, 4.6): of a message as soon as this was
        called for all before it too. Those of an earlier connection are passed over; they come
        again.
        """
        with self._sending:
            for mid, received in receipts:
                if mid in self._owed and received >= self._link_since:
                    self._owed[mid] = True
            mids = list(takewhile(self._owed.__getitem__, self._owed))
            for mid in mids:
                del self._owed[mid]
            if self._linked:
                self._client.send(acknowledgements(mids))

    def wake(self) -> None:
        """Let a waiting `take` or `start` return; may be called from a signal handler."""
        self._woken = True
        self._arrivals.put([])

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Send a message; while the connection is down it waits in memory."""
        data = payload.encode() if isinstance(payload, str) else payload
        self.publish_all([Publication(topic, data, retain)])

    def publish_all(self, publications: Iterable[Publication]) -> None:
        """Send messages in this order; while the connection is down they wait in memory."""
        with self._sending:
            self._outbox.add(publications)
            self._send()

    @property
    def unconfirmed(self) -> list[Publication]:
        """What was published and is not confirmed by the broker, in its order."""
        with self._sending:
            return self._outbox.publications

    def await_confirmations(self, most: int, *, timeout_s: float | None = None) -> bool:
        """Wait until at most ``most`` messages are unconfirmed; return whether it came to that."""
        with self._sending:
            if len(self._outbox) > most:
                self._room.set()  # the broker's confirmations come behind its messages
            return self._sending.wait_for(lambda: len(self._outbox) <= most, timeout_s)

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
        self._client.close()
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
        self._reached = True
        with self._sending:
            self._link_since = time.monotonic()
            self._owed.clear()
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
        if self._session is not None and not flags.session_present:
            if self._session.expected or self._was_ready:
                logger.warning("the broker has forgotten our session, and what it kept for us")
        with self._sending:
            self._linked = True
            self._most_in_flight = getattr(properties, "ReceiveMaximum", MOST_IN_FLIGHT)
            self._outbox.begin_again()
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
        with self._sending:
            self._send()
        if self._status_topic is not None:
            self.publish(self._status_topic, "online", retain=True)
        self._was_ready = True
        self.ready.set()

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
        with self._sending:
            self._linked = False
        if not self._reached or not reason.is_failure:
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
        self._reached = False
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

    def _on_arrivals(self, arrived: Sequence[Message | Confirmation]) -> None:
        """Take what has come, on the network thread."""
        messages = [one for one in arrived if isinstance(one, Message)]
        confirmations = [one for one in arrived if isinstance(one, Confirmation)]
        for confirmation in confirmations:
            if confirmation.reason >= _REFUSED:  # MQTT 5 alone tells
                self._log_refusal(confirmation.reason)
        with self._sending:
            mids = [message.mid for message in messages if message.mid]
            if self._session is not None or self._owed or self.waiting > self._most_waiting:
                self._owed |= dict.fromkeys(mids, False)
            else:
                self._client.send(acknowledgements(mids))
            for confirmation in confirmations:
                self._outbox.confirm(confirmation.mid)
            if confirmations:
                self._send()
                self._sending.notify_all()
        if messages:
            self._n_arrived += len(messages)
            self._arrivals.put(messages)

    def _log_refusal(self, reason: int) -> None:
        if reason in self._refused:
            return
        self._refused.add(reason)
        logger.error(
            "%s refuses what is published: %s; may %s write there?",
            self.address,
            ReasonCode(PacketTypes.PUBACK, identifier=reason),
            self._settings.username or "anybody",
        )

    def _send(self) -> None:
        """Send what may be sent."""
        if self._linked:
            self._client.send(self._outbox.packets(self._most_in_flight))
