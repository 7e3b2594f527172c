"""The connection to the broker: bytes in and out. The only file that knows paho.

paho connects, logs in, subscribes, keeps alive and connects again. Messages, publications and their
acknowledgements pass it by, many at once, in the form that `packets` gives them: packet by packet
they would cost more than all that is done with them. So do the broker's refusals, of which paho
knows only some. Nothing else happens on the network thread; the caller takes the messages. What
goes wrong on that thread ends in another attempt to connect, or in an error of the caller's next
call: never in a program that hears nothing and does not know it.
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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Final, Literal
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.messages import Confirmation, Message, Publication, Receipt
from pipeline.mqtt import tls
from pipeline.mqtt.inbox import Inbox
from pipeline.mqtt.outbox import Outbox
from pipeline.mqtt.packets import (
    MARK_NAME,
    Answer,
    MalformedPacketError,
    Marked,
    Splitter,
    acknowledgements,
)
from pipeline.settings import BrokerSettings

logger = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
LONGEST_BACKOFF_S: Final = 30.0
PROVEN_S: Final = 10.0
"""A connection that was ready for so long was good: after it the attempts begin anew"""
DROPPED_EVERY_S: Final = 60.0
"""Publications that are too large for the broker are logged at most this often."""
UNSUBSCRIBE_TIMEOUT_S: Final = 2.0
ANSWER_S: Final = 30.0
"""In which a broker that is there answers subscriptions"""
AT_LEAST_ONCE: Final = 1
"""Quality of service of every subscription and publication; repeats are harmless here."""

STATUS_TOPIC: Final = "har/status"
"""Retained ``online`` or ``offline``: whether har-stream is there."""

NOT_AUTHORIZED: Final = 0x87
TAKEN_OVER: Final = 0x8E
WRONG_LOGIN: Final = {0x86, NOT_AUTHORIZED}
LASTING_REFUSALS: Final = WRONG_LOGIN | {0x84, 0x85, 0x8A, 0x8C}
"""Answers to a login that retrying cannot mend: also version, client id, ban and method"""
TOO_LARGE: Final = 0x95
NO_RETAIN: Final = 0x9A
NO_QOS: Final = 0x9B
NO_WILDCARDS: Final = 0xA2
UNSUPPORTED: Final = {
    NO_RETAIN: "it keeps no retained messages: set retain_available true there",
    NO_QOS: "it takes nothing at QoS 1: set max_qos 1 or more there",
    NO_WILDCARDS: "it takes no subscriptions with wildcards: allow them there",
}
"""What a broker may not offer that we cannot do without, by reason code, and what to do"""

OR_ELSE: Final = (
    "Or does it refuse retained messages (retain_available false), QoS 1 (max_qos 0) or more "
    "clients? Its own log says"
)
"""What else keeps a broker from answering, by MQTT 3.1.1, where it cannot say why"""

_REFUSED: Final = 128
"""Reason codes from here on are refusals (MQTT 5, 2.4)"""

_PROTOCOLS: Final = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}


MOST_WAITING: Final = 20_000
"""Messages that may wait to be taken before the broker is made to wait"""
MOST_AT_ONCE: Final = 2_000
"""Messages that are taken at once: some tenths of a second's work"""
MOST_IN_FLIGHT: Final = 1_000
"""Publications that may be on their way, if the broker does not say"""
SOON_S: Final = 0.05
"""What can be worked through in so many seconds is taken as it comes."""
MOST_SOON: Final = 200
"""Messages for which that is assumed at most"""
COST_OF: Final = 8
"""Goes of late that count for how long a message takes"""
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


class _AttemptError(ConnectionError):
    """There can be no connection now; the message says why, and what to do."""


class _Client(Client):
    """paho's client, reading all that has arrived at once; messages and answers pass it by.

    paho reads from its socket by `_sock_recv` alone, and writes what `_packet_queue` is given.
    """

    def __init__(
        self,
        client_id: str,
        protocol: MQTTProtocolVersion,
        connection: "Connection",
        room: threading.Event,
        most_bytes: int,
        marked_topic: str | None,
    ) -> None:
        """Prepare a client.

        Args:
            client_id: its name with the broker.
            protocol: MQTT version.
            connection: is called on the network thread.
            room: nothing is read while it is not set.
            most_bytes: of a message; larger ones are passed over.
            marked_topic: whose messages are looked at for their marks alone.
        """
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        self._v5 = protocol == MQTTProtocolVersion.MQTTv5
        self._connection = connection
        self._room = room
        self._new_splitter = partial(
            Splitter, v5=self._v5, most_bytes=most_bytes, marked_topic=marked_topic
        )
        self._splitter = self._new_splitter()
        self._foreign = b""  # a packet for paho
        self._end: OSError | None = None

    def reconnect(self) -> MQTTErrorCode:
        """Begin a connection."""
        self._splitter = self._new_splitter()
        self._foreign, self._end = b"", None
        self._connection._on_before_connect()
        return super().reconnect()

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        """Keep the connection up: what the network thread does."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # whatever it is: nobody else would hear of it
            self._connection._on_broken(error)
            return MQTTErrorCode.MQTT_ERR_UNKNOWN

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Deal with all that has arrived."""
        if not self._room.wait(HOLD_S):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            data = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            return self._break_off(error)
        if not data:
            return self._break_off(ConnectionError("the broker has closed the connection"))
        now = time.monotonic()
        self._last_bytes_received = now  # a broker is alive that sends one long message, too
        passed_by: list[Message | Confirmation] = []
        for packet in self._splitter.split(data, now):
            if isinstance(packet, Message | Confirmation):
                passed_by.append(packet)
                continue
            self._hand_over(passed_by)
            passed_by = []
            if isinstance(packet, MalformedPacketError):
                self._connection._on_malformed(packet)
                return self._break_off(ConnectionError(str(packet)))
            if isinstance(packet, Marked):
                if not self._connection._on_marked(packet.mark):
                    return self._break_off(ConnectionError("somebody else is connected so"))
                continue
            if isinstance(packet, Answer):
                if not self._connection._on_answer(packet):
                    return self._break_off(ConnectionError("the broker refuses"))
                packet = packet.packet
            self._foreign = packet
            result = super().loop_read() if packet else MQTTErrorCode.MQTT_ERR_SUCCESS
            if result:
                return result
        self._hand_over(passed_by)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def loop_misc(self) -> MQTTErrorCode:
        """Do what is due from time to time."""
        if self._connection._is_overdue():
            return self._break_off(TimeoutError())
        return super().loop_misc()

    def send(self, packets: bytes) -> None:
        """Send packets after what was sent before; lost if there is no connection."""
        if packets:
            self._packet_queue(MessageType.PUBACK, packets, 0, 1)  # a kind that is left alone

    def use(self, context: ssl.SSLContext) -> None:
        """Let the next connection be by TLS, or by another context than the last."""
        self._ssl_context = None
        self.tls_set_context(context)

    def close(self) -> None:
        """Give up the sockets that it keeps without a connection."""
        self._reset_sockets()

    def _hand_over(self, arrived: list[Message | Confirmation]) -> None:
        if arrived:
            self._connection._on_arrivals(arrived)

    def _break_off(self, error: OSError) -> MQTTErrorCode:
        """End the connection, as if it had failed so."""
        self._end = error
        return super().loop_read()

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
        optional: Collection[str] = (),
        status_topic: str | None = None,
        session: Session | None = None,
        most_waiting: int = MOST_WAITING,
        shared_topics: Collection[str] | None = None,
    ) -> None:
        """Prepare the connection; `start` makes it.

        Args:
            settings: the broker and how to log in.
            name: what the client id begins with, but for a kept session's.
            subscriptions: topic filters, subscribed again whenever the connection is made. A
                connection over which the broker refuses all of them is given up.
            optional: of those, the ones that do not count for that.
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
        self._optional = optional
        self._status_topic = status_topic
        self._status = "online"
        """What is to stand there while we are connected"""
        self._session = session
        self._most_waiting = most_waiting
        self._arrivals: queue.SimpleQueue[list[Message]] = queue.SimpleQueue()
        most = None if shared_topics is None else MOST_AT_ONCE
        self._inbox = Inbox(most_waiting, most, shared_topics or ())
        self._room = threading.Event()
        self._room.set()
        self._taken_at = 0.0  # monotonic seconds
        self._n_taken_last = 0
        self._cost_s = SOON_S / MOST_SOON
        """Seconds that the caller has taken for a message of late"""
        self._n_arrived = 0  # counted on the network thread alone
        self._n_fetched = 0  # of those, what the inbox has got; counted by the caller alone
        self._n_to_confirm = 0  # of what has arrived, at QoS 1; counted on the network thread alone
        self._n_taken = 0  # of those; counted by the caller alone
        self._attempt = 0
        self._retry = True
        self._woken = False
        self._was_ready = False
        self._ready_since: float | None = None  # monotonic seconds; None if it is not
        self._was_connected = False  # and ready, before the connection that there is
        self._reached = False  # there is a connection, and no failure of it was noted yet
        self._answered = False  # and over it there was an answer to the login
        self._subscribed_at: float | None = None  # monotonic seconds; None if that is answered
        self._link_error: OSError | None = None
        self._sending = threading.Condition()  # guards what follows
        self._outbox = Outbox(v5=settings.protocol == "5")
        self._most_in_flight = MOST_IN_FLIGHT
        self._unsupported: list[int] = []
        """What the broker has announced not to offer, by reason code"""
        self._n_dropped = 0
        """Publications that were too large for the broker"""
        self._n_dropped_logged = 0
        self._last_dropped = ("", 0)  # topic and bytes
        self._next_dropped_log = 0.0  # monotonic seconds
        self._learned_most_bytes = sys.maxsize
        """Of a packet, as far as the broker has ended connections because of larger ones"""
        self._held_back = False
        """The broker may have held messages back since that was asked last"""
        self._linked = False  # logged in, and no failure of it was noted yet
        self._link_since = 0.0  # monotonic seconds
        self._owed: dict[int, bool] = {}
        """Messages to acknowledge, by packet identifier, in the order of their arrival, and whether
        they may be"""
        self.ready = threading.Event()
        """Set while connected and subscribed"""
        self.failure: str | None = None
        """Why the last attempt to connect failed"""
        self.refused: tuple[str, ...] = ()
        """Topic filters for which the broker has refused the subscription"""
        self._given_up = threading.Event()
        self._error: Exception | None = None
        """Why there will be no connection any more"""
        self._refusals: set[int] = set()
        self._unsubscribed = threading.Event()

        client_id = f"{name}-{uuid4().hex[:8]}" if session is None else session.client_id
        self._mark = ""
        if session is not None and status_topic is not None:
            self._mark = f"{client_id} {time.time_ns()}"
        self._client = _Client(
            client_id,
            _PROTOCOLS[settings.protocol],
            self,
            self._room,
            settings.max_packet,
            status_topic if self._mark else None,
        )
        if status_topic is not None:
            marked = None
            if self._mark:
                marked = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
                marked.UserProperty = (MARK_NAME, self._mark)
            self._client.will_set(
                status_topic, "offline", AT_LEAST_ONCE, retain=True, properties=marked
            )
        self._client.on_socket_open = self._on_socket_open
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self._settings.broker}:{self._settings.port}"

    def start(self, *, retry: bool) -> None:
        """Connect, and stay connected; return at the first success, or at `wake`.

        Without ``retry`` the first attempt is the only one; with it, one is the last if its failure
        will not pass by itself, such as a wrong password. Later, all failures are followed by
        another attempt: whoever reconfigures a broker need not start its clients again. Only what
        the broker does not support at all ends the connection for good at any time.

        Raises:
            ConnectionError: the last attempt failed, or a file for TLS cannot be used.
            Exception: whatever else has ended the network thread; so do the other methods.
        """
        self._retry = retry
        if self._settings.tls and self._settings.insecure:
            logger.warning("--insecure: anybody can pose as %s and read along", self.address)
        broker, port = self._settings.broker, self._settings.port
        if self._settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = self._most_waiting
            properties.MaximumPacketSize = self._settings.max_packet
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
                self._check()
                raise ConnectionError(f"no connection to {self.address}: {self.failure}")

    def take(self, *, timeout_s: float, gather_s: float) -> list[Message]:
        """Return what has arrived, at least one message unless ``timeout_s`` passes or `wake`.

        ``gather_s`` seconds at least lie between two calls' messages, so that they are many, unless
        there is more to take already. When very much has arrived, and topics get shares, some of
        it is left for the next time.
        """
        called = time.monotonic()
        if self._n_taken_last:
            cost_s = (called - self._taken_at) / self._n_taken_last
            self._cost_s += (cost_s - self._cost_s) / COST_OF
        if not len(self._inbox):
            self._n_taken_last = 0
            try:
                self._fetch(self._arrivals.get(timeout=timeout_s))
            except queue.Empty:
                self._check()
                return []
        pause_s = self._taken_at + gather_s - time.monotonic()
        if pause_s > 0 and not self._inbox.backlogged:
            time.sleep(pause_s)
        self._check()
        self._fetch()
        now = time.monotonic()
        messages = self._inbox.take(
            elapsed_s=now - self._taken_at, soon=round(min(SOON_S / self._cost_s, MOST_SOON))
        )
        self._taken_at, self._n_taken_last = now, len(messages)
        self._n_taken += sum([message.mid > 0 for message in messages])
        if len(self._inbox) > 2 * self._most_waiting:  # the broker knows no bound
            self._room.clear()
        else:
            self._room.set()
        if self._owed and self._session is None:
            self.acknowledge(message.receipt for message in messages)
        return messages

    def _fetch(self, arrived: Sequence[Message] = ()) -> None:
        """Put into the inbox what has arrived."""
        arrived = list(arrived)
        for _ in range(self._arrivals.qsize()):
            arrived += self._arrivals.get()
        self._inbox.put(arrived)
        self._n_fetched += len(arrived)

    @property
    def waiting(self) -> int:
        """How many messages wait to be taken."""
        return self._n_arrived - self._n_fetched + len(self._inbox)

    def oldest_waiting(self) -> dict[str, float]:
        """Return when the oldest message that waits has come, by topic, in monotonic seconds."""
        self._fetch()
        return self._inbox.oldest()

    def show_status(self, status: Literal["online", "degraded"]) -> bool:
        """Let the status say so while we are connected; return whether it said otherwise."""
        if status == self._status:
            return False
        self._status = status
        if self.ready.is_set():
            self._tell_status(status)
        return True

    def was_held_back(self) -> bool:
        """Return whether the broker may have held messages back since this was called last.

        It does so while it has sent as many as may be unacknowledged, or while nobody reads.
        """
        with self._sending:
            held_back, self._held_back = self._held_back, False
            return held_back or self._holds_back()

    def _holds_back(self) -> bool:
        """Return whether the broker may hold messages back now; as `was_held_back` says."""
        if self._session is None:  # else what has come is acknowledged at once
            return bool(self._owed) or not self._room.is_set()
        return len(self._owed) >= self._most_waiting or not self._room.is_set()

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

    @property
    def owed(self) -> int:
        """How many messages have come that are not acknowledged."""
        return len(self._owed)

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
        publications = list(publications)
        with self._sending:
            self._outbox.add(publications)
            if self._offers_all(publications):
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
            self._sending.wait_for(
                lambda: len(self._outbox) <= most or self._error is not None, timeout_s
            )
            if len(self._outbox) <= most:
                return True
        self._check()
        return False

    def stop_receiving(self) -> None:
        """Unsubscribe; what the broker sent before has arrived when this returns."""
        if self.ready.is_set() and self._subscriptions:
            self._client.unsubscribe(list(self._subscriptions))
            self._unsubscribed.wait(UNSUBSCRIBE_TIMEOUT_S)

    def close(self, *, timeout_s: float) -> bool:
        """Say ``offline``, disconnect, and return whether everything was delivered in time."""
        delivered = True
        if self.ready.is_set():
            self._tell_status("offline")
            delivered = self.await_confirmations(0, timeout_s=timeout_s)
        self._client.disconnect()
        self._client.loop_stop()
        self._client.close()
        self._log_dropped()
        return delivered

    def _check(self) -> None:
        """Raise what has ended the connection for good, if anything has."""
        if self._error is not None:
            raise self._error

    def _on_before_connect(self) -> None:
        """Prepare an attempt; passwords and certificates may have changed since the last one.

        Raises:
            _AttemptError: a file cannot be used.
        """
        self._link_error = None
        self._client.on_log = self._on_log
        settings = self._settings
        try:
            settings.read_passwords()
            if settings.tls:
                self._client.use(tls.client_context(settings))
        except (ValueError, tls.CertificateFileError) as error:
            raise _AttemptError(str(error)) from error
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            self._client.username_pw_set(settings.username, password)

    def _on_broken(self, error: Exception) -> None:
        """Let the caller's next call raise what ends the network thread."""
        self._error = error
        self.ready.clear()
        self._given_up.set()
        self._arrivals.put([])
        with self._sending:
            self._linked = False
            self._sending.notify_all()

    def _on_log(self, client: Client, userdata: object, level: int, text: str) -> None:
        # paho keeps an error of the connection to itself, but logs it while it handles it.
        error = sys.exception()
        if isinstance(error, OSError):
            self._link_error = error

    def _on_socket_open(self, client: Client, userdata: object, link: object) -> None:
        self._reached, self._answered, self._subscribed_at = True, False, None
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
        self._was_connected = self._was_ready
        logger.info("connected to %s%s", self.address, " by TLS" if self._settings.tls else "")
        if self._session is not None and not flags.session_present:
            if self._session.expected or self._was_ready:
                logger.warning("the broker has forgotten our session, and what it kept for us")
        with self._sending:
            self._linked = True
            self._heed(properties)
            self._outbox.begin_again()
            if not self._offers_all(self._outbox.publications):
                return
        if self._subscriptions:
            filters = [(topic, AT_LEAST_ONCE) for topic in self._subscriptions]
            if self._mark and self._status_topic is not None:
                filters.append((self._status_topic, 0))
            self._subscribed_at = time.monotonic()
            client.subscribe(filters)
        else:
            self._become_ready()

    def _heed(self, properties: Properties | None) -> None:
        """Keep to what the broker announces at the login (MQTT 5, 3.2.2.3)."""
        self._most_in_flight = max(1, getattr(properties, "ReceiveMaximum", MOST_IN_FLIGHT))
        self._outbox.most_bytes = getattr(properties, "MaximumPacketSize", self._learned_most_bytes)
        self._unsupported = []
        if getattr(properties, "RetainAvailable", 1) == 0:
            self._unsupported.append(NO_RETAIN)
        if getattr(properties, "MaximumQoS", AT_LEAST_ONCE) < AT_LEAST_ONCE:
            self._unsupported.append(NO_QOS)
        if self._session is not None and not self._was_ready:
            expiry_s = getattr(properties, "SessionExpiryInterval", self._session.expiry_s)
            if expiry_s < self._session.expiry_s:
                logger.warning(
                    "the broker keeps our session for %d s at most, not for --session-expiry %d",
                    expiry_s,
                    self._session.expiry_s,
                )

    def _on_answer(self, answer: Answer) -> bool:
        """Take an answer of the broker; return whether the connection goes on."""
        if answer.kind == "login":
            (code,) = answer.codes
            self._answered = True
            if code in UNSUPPORTED:
                self._give_up([code])
            elif code:
                self._fail(self._refusal(code), lasting=code in LASTING_REFUSALS)
            return not code
        if answer.kind == "end":
            (code,) = answer.codes
            if code == TAKEN_OVER:
                self._give_up_session()
            elif code in UNSUPPORTED:
                self._give_up([code])
            else:
                if code == TOO_LARGE:
                    with self._sending:
                        self._outbox.drop_largest()
                        self._learned_most_bytes = self._outbox.most_bytes
                        self._note_dropped()
                self._fail(f"connection lost: the broker ends it ({_name(code)})")
            return False
        if answer.kind == "end of subscriptions":
            self._unsubscribed.set()
            return True
        return self._on_subscribed(answer.codes)

    def _is_overdue(self) -> bool:
        """Return whether there should have been an answer to the subscriptions, and tell so."""
        since = self._subscribed_at
        if since is None or time.monotonic() - since < ANSWER_S:
            return False
        self._subscribed_at = None
        self._fail("it does not answer the subscriptions")
        return True

    def _on_subscribed(self, codes: Sequence[int]) -> bool:
        """Take the answer to the subscriptions; return whether any of them that counts is good."""
        self._subscribed_at = None
        if len(codes) != len(self._subscriptions) + bool(self._mark):
            self._fail("its answer to the subscriptions is not one for each")
            return False
        refused = {
            topic: _name(code)
            for topic, code in zip(self._subscriptions, codes, strict=False)
            if code >= _REFUSED
        }
        needed = [topic for topic in self._subscriptions if topic not in self._optional]
        self.refused = tuple(refused)
        if set(needed) <= set(refused):
            self._fail(
                f"the broker refuses the subscription to {' and '.join(needed)} "
                f"({', '.join(dict.fromkeys(refused[topic] for topic in needed))}): "
                f"may {self._settings.username or 'anybody'} read there?",
                lasting=True,
            )
            return False
        for topic, reason in refused.items():
            logger.error("the broker refuses the subscription to %s: %s", topic, reason)
        self._become_ready()
        return True

    def _on_marked(self, mark: str) -> bool:
        """See who has said last that it is there; return whether the connection goes on.

        Not all brokers tell whose place is taken by another client with its name. After the loss of
        a connection that other client shows by its mark; who was started last is to stay.
        """
        name, _, started = mark.rpartition(" ")
        own_name, _, own_start = self._mark.rpartition(" ")
        if not self._was_connected or name != own_name or not started.isdecimal():
            return True
        if int(started) > int(own_start):
            self._give_up_session()
            return False
        return True

    def _give_up_session(self) -> None:
        """Stop for good: two that connect again and again would put each other out for ever."""
        if self._session is not None:
            advice = "has it a copy of our --state folder? Give each program one of its own"
        else:
            advice = "does it log in by our --username? Give each program one of its own"
        self._end_for_good(f"another program has taken our place at {self.address}: {advice}")

    def _give_up(self, unsupported: Sequence[int]) -> None:
        """Stop for good: the broker does not offer what we cannot do without."""
        lacking = "; ".join(f"{UNSUPPORTED[code]} ({_name(code)})" for code in unsupported)
        self._end_for_good(f"no connection to {self.address}: {lacking}")

    def _end_for_good(self, why: str) -> None:
        self._on_broken(ConnectionError(why))
        self._client.disconnect()  # ends paho's attempts

    def _on_malformed(self, error: MalformedPacketError) -> None:
        self._fail(f"it sends what is no MQTT {self._settings.protocol}: {error}")

    def _tell_status(self, status: str) -> None:
        if self._status_topic is not None:
            self.publish_all(
                [Publication(self._status_topic, status.encode(), retain=True, mark=self._mark)]
            )

    def _become_ready(self) -> None:
        with self._sending:
            self._send()
        self._tell_status(self._status)
        if self._error is None:
            self._was_ready = True
            self._ready_since = time.monotonic()
            self.ready.set()

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        error = sys.exception()  # paho calls this while it handles the error
        if isinstance(error, _AttemptError):
            self._fail(str(error), lasting=True)
        elif isinstance(error, ssl.SSLError):
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
        self._subscribed_at = None
        with self._sending:
            self._linked = False
        if not self._reached or not reason.is_failure:
            return
        if was_ready or self._answered:
            self._fail(f"connection lost: {reason}")
        elif isinstance(self._link_error, ssl.SSLError):  # TLS 1.3: only now it is refused
            why, passing = tls.explain(self._link_error, self._settings)
            self._fail(why, lasting=not passing)
        elif not self._settings.tls:
            self._fail(f"it does not answer the login: does it expect --tls? {OR_ELSE}")
        elif self._settings.cert is None:
            self._fail(
                "it does not answer the login: does it demand a client certificate, --cert? "
                f"{OR_ELSE}"
            )
        else:
            self._fail(
                f"it does not answer the login: does it accept --cert {self._settings.cert}? "
                f"{OR_ELSE}"
            )

    def _refusal(self, code: int) -> str:
        """Return what the broker's answer to the login means, and what to do."""
        if code not in WRONG_LOGIN:
            return f"the broker refuses: {_name(code)}"
        if self._settings.username is None:
            return f"the broker wants a login ({_name(code)}): give --username and --password-file"
        return (
            f"the broker refuses the login of {self._settings.username} ({_name(code)}): "
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
        ready_s = 0.0 if self._ready_since is None else time.monotonic() - self._ready_since
        if ready_s >= PROVEN_S:
            self._attempt = 0
        elif self._ready_since is not None and self._attempt:
            why = f"{why}, soon after the login: its own log may say more"
        self._ready_since = None
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
            self._n_to_confirm += len(mids)
            too_many = self._n_to_confirm - self._n_taken > self._most_waiting
            if self._session is not None or self._owed or too_many:
                self._owed |= dict.fromkeys(mids, False)
                self._held_back |= self._holds_back()
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

    def _log_refusal(self, code: int) -> None:
        if code in self._refusals:
            return
        self._refusals.add(code)
        logger.error(
            "%s refuses what is published: %s; may %s write there?",
            self.address,
            _name(code),
            self._settings.username or "anybody",
        )

    def _send(self) -> None:
        """Send what may be sent."""
        if self._linked:
            self._client.send(self._outbox.packets(self._most_in_flight))
            self._note_dropped()

    def _offers_all(self, publications: Sequence[Publication]) -> bool:
        """Return whether the broker offers what these need, as far as is known; else give up."""
        if not (self._linked and self._unsupported and publications):
            return True
        lacking = set(self._unsupported)
        if not any(publication.retain for publication in publications):
            lacking.discard(NO_RETAIN)
        if lacking:
            self._give_up(sorted(lacking))
        return not lacking

    def _note_dropped(self) -> None:
        """Count the publications that were too large, and log now and then how many."""
        dropped = self._outbox.dropped
        if not dropped:
            return
        self._n_dropped += len(dropped)
        self._last_dropped = dropped[-1]
        dropped.clear()
        self._sending.notify_all()
        if time.monotonic() >= self._next_dropped_log:
            self._log_dropped()

    def _log_dropped(self) -> None:
        if self._n_dropped == self._n_dropped_logged:
            return
        self._n_dropped_logged = self._n_dropped
        self._next_dropped_log = time.monotonic() + DROPPED_EVERY_S
        topic, n_bytes = self._last_dropped
        logger.error(
            "%s takes no packets of more than %d bytes: %d of ours are lost so far, the last one "
            "on %s, of %d bytes; raise the broker's max_packet_size",
            self.address,
            self._outbox.most_bytes,
            self._n_dropped,
            topic,
            n_bytes,
        )


def _name(code: int) -> str:
    """Return a reason code's name (MQTT 5, 2.4), or its number if it has none."""
    for name in ReasonCode(PacketTypes.CONNACK).names.get(code, ()):
        return str(name)
    return f"reason code {code}"
