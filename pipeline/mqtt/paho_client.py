"""paho's client, with a way past it for messages. The only file that knows paho.

paho connects, logs in, subscribes, keeps alive and connects again. Messages, publications and their
acknowledgements pass it by, many at once, in the form that `packets` gives them: packet by packet
they would cost more than all that is done with them. So do the broker's refusals, of which paho
knows only some. What happens is reported to a `Listener`, in the project's own terms.

This takes parts of paho that it does not document; each is named by a test (`test_paho_client`),
and pyproject.toml holds the versions for which that passed:

* `_sock_recv` is all by which paho reads: what it is given there it takes for the broker's.
* `_packet_queue` is all by which it writes; what is no PUBLISH it leaves as it is.
* `loop_forever` is what its thread runs; it calls `reconnect` for each attempt, and `loop_read` and
  `loop_misc` while there is a connection.
* `_last_bytes_received`, `_ssl_context` and `_reset_sockets`, where it has nothing public.
* Errors of the connection it handles by itself, but logs, or calls back, while it does.
"""

import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.messages import Confirmation, Message
from pipeline.mqtt.packets import MARK_NAME, Answer, MalformedPacketError, Marked, Splitter

KEEPALIVE_S: Final = 30
READ_BYTES: Final = 1 << 18
GATHER_S: Final = 0.005
"""Between two readings lies at least so long: while much arrives, each finds many packets, and the
thread wakes up 200 times a second in place of some thousands. Not behind one that brought half of
`READ_BYTES` or more."""
PAUSE_S: Final = 0.05
"""How long reading pauses while there is no room for more messages"""
AT_LEAST_ONCE: Final = 1
"""Quality of service of every subscription and publication; repeats are harmless here."""


@dataclass(frozen=True)
class Login:
    """How to log in at one attempt."""

    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    """None for a connection without TLS"""


@dataclass(frozen=True)
class Announcement:
    """The broker's announcements at a login (MQTT 5, 3.2.2), None for those it omits.

    A broker of MQTT 3.1.1 announces whether it has the session, and nothing else.
    """

    session_present: bool
    receive_maximum: int | None
    maximum_packet_bytes: int | None
    session_expiry_s: int | None
    retain_available: bool
    maximum_qos: int


class AttemptError(ConnectionError):
    """There can be no connection now; the message says why, and what to do."""


class Listener(Protocol):
    """Hears of all that happens, on the network thread."""

    def login(self) -> Login:
        """Return how to log in at the attempt that begins.

        Raises:
            AttemptError: a file cannot be used.
        """

    def failed(self, error: BaseException | None) -> None:
        """Hear that there is no connection, and of the error."""

    def opened(self) -> None:
        """Hear that there is a connection."""

    def answered(self, answer: Answer) -> bool:
        """Take an answer of the broker; return whether the connection goes on."""

    def connected(self, announced: Announcement) -> None:
        """Hear that the login was accepted, after its `answered`."""

    def arrived(self, packets: list[Message | Confirmation]) -> None:
        """Take messages and confirmations."""

    def marked(self, mark: str) -> bool:
        """Take the mark of who published; return whether the connection goes on."""

    def malformed(self, error: MalformedPacketError) -> None:
        """Hear that the broker sends what is no MQTT; the connection ends."""

    def is_overdue(self) -> bool:
        """Return whether an answer is overdue, so that the connection is to end."""

    def lost(self, reason: str, error: OSError | None) -> None:
        """Hear that the connection is lost, and of the error behind that if one is known."""

    def left(self) -> None:
        """Hear that the connection has ended because we wanted it."""

    def broken(self, error: Exception) -> None:
        """Hear what has ended the network thread."""


class PahoClient(Client):
    """paho's client, reading all that has arrived at once; messages and answers pass it by."""

    _listener: Listener

    def __init__(
        self,
        client_id: str,
        *,
        v5: bool,
        room: threading.Event,
        most_bytes: int,
        marked_topic: str | None,
    ) -> None:
        """Prepare a client.

        Args:
            client_id: its name with the broker.
            v5: speak MQTT 5, not 3.1.1.
            room: nothing is read while it is not set.
            most_bytes: of a message; larger ones are passed over.
            marked_topic: topic of whose messages only the marks are read.
        """
        protocol = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        self._v5 = v5
        self._room = room
        self._most_bytes = most_bytes
        self._new_splitter = partial(
            Splitter, v5=self._v5, most_bytes=most_bytes, marked_topic=marked_topic
        )
        self._splitter = self._new_splitter()
        self._last_read = 0.0  # monotonic seconds
        self._last_was_large = False
        self._foreign = b""  # a packet for paho
        self._end: OSError | None = None
        self._error: OSError | None = None  # the last that paho has handled
        self.on_socket_open = self._hear_opened
        self.on_connect = self._hear_connected
        self.on_connect_fail = self._hear_failed
        self.on_disconnect = self._hear_lost

    def set_will(self, topic: str, payload: str, *, mark: str) -> None:
        """Let the broker publish this, retained, when the connection breaks off."""
        marked = None
        if mark:
            marked = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            marked.UserProperty = (MARK_NAME, mark)
        self.will_set(topic, payload, AT_LEAST_ONCE, retain=True, properties=marked)

    def run(
        self,
        listener: Listener,
        host: str,
        port: int,
        *,
        receive_maximum: int,
        session_expiry_s: int | None,
    ) -> None:
        """Begin to connect, and again whenever there is no connection, on a thread.

        Args:
            listener: hears of all that happens.
            host: of the broker.
            port: of the broker.
            receive_maximum: messages that the broker may send before they are acknowledged.
            session_expiry_s: seconds for which the broker keeps the session; None for none.
        """
        self._listener = listener
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = receive_maximum
            properties.MaximumPacketSize = self._most_bytes
            if session_expiry_s is not None:
                properties.SessionExpiryInterval = session_expiry_s
            self.connect_async(
                host, port, KEEPALIVE_S, clean_start=session_expiry_s is None, properties=properties
            )
        else:
            self.connect_async(host, port, KEEPALIVE_S)
        self.loop_start()

    def next_attempt_in(self, seconds: float) -> None:
        """Set how long to wait before the next attempt."""
        self.reconnect_delay_set(seconds, seconds)  # type: ignore[arg-type]

    def send(self, packets: bytes) -> None:
        """Send packets after what was sent before; lost if there is no connection."""
        if packets:
            self._packet_queue(MessageType.PUBACK, packets, 0, 1)  # a kind that is left alone

    def close(self) -> None:
        """End the connection and the attempts, and give up the sockets that paho keeps."""
        self.disconnect()
        self.loop_stop()
        self._reset_sockets()

    def loop_stop(self) -> MQTTErrorCode:
        """End the network thread."""
        try:
            return super().loop_stop()
        except AttributeError:  # paho's: the thread ended while it was looked at
            return MQTTErrorCode.MQTT_ERR_SUCCESS

    def reconnect(self) -> MQTTErrorCode:
        """Begin a connection."""
        self._splitter = self._new_splitter()
        self._foreign, self._end, self._error = b"", None, None
        self.on_log = self._keep_error
        login = self._listener.login()
        if login.tls is not None:
            self._ssl_context = None  # of the connection before
            self.tls_set_context(login.tls)
        if login.username is not None:
            self.username_pw_set(login.username, login.password)
        return super().reconnect()

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        """Keep the connection up: what the network thread does."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # whatever it is, or it would be lost with the thread
            self._listener.broken(error)
            return MQTTErrorCode.MQTT_ERR_UNKNOWN

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Process all that has arrived."""
        if not self._room.wait(PAUSE_S):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        pause_s = self._last_read + GATHER_S - time.monotonic()
        if pause_s > 0 and not self._last_was_large:
            time.sleep(pause_s)
        self._last_read = time.monotonic()
        try:
            data = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            return self._break_off(error)
        if data and isinstance(self._sock, ssl.SSLSocket):
            data += self._more_records(READ_BYTES - len(data))
        if not data:
            return self._break_off(ConnectionError("the broker has closed the connection"))
        self._last_was_large = len(data) >= READ_BYTES // 2
        now = time.monotonic()
        self._last_bytes_received = now  # a broker that sends one long message is alive, too
        passed_by: list[Message | Confirmation] = []
        for packet in self._splitter.split(data, now):
            if isinstance(packet, Message | Confirmation):
                passed_by.append(packet)
                continue
            self._hand_over(passed_by)
            passed_by = []
            if isinstance(packet, MalformedPacketError):
                self._listener.malformed(packet)
                return self._break_off(ConnectionError(str(packet)))
            if isinstance(packet, Marked):
                if not self._listener.marked(packet.mark):
                    return self._break_off(ConnectionError("somebody else is connected so"))
                continue
            if isinstance(packet, Answer):
                if not self._listener.answered(packet):
                    return self._break_off(ConnectionError("the broker refuses"))
                packet = packet.packet
            self._foreign = packet
            result = super().loop_read() if packet else MQTTErrorCode.MQTT_ERR_SUCCESS
            if result:
                return result
        self._hand_over(passed_by)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _more_records(self, most_bytes: int) -> bytes:
        """Return what else has arrived by TLS, which is read in records of 16 KiB at most."""
        records = []
        while most_bytes > 0:
            try:
                record = super()._sock_recv(most_bytes)
            except OSError:  # nothing more; or what has broken, the next reading finds it, too
                break
            if not record:
                break
            records.append(record)
            most_bytes -= len(record)
        return b"".join(records)

    def loop_misc(self) -> MQTTErrorCode:
        """Do what is due from time to time."""
        if self._listener.is_overdue():
            return self._break_off(TimeoutError())
        return super().loop_misc()

    def _hand_over(self, arrived: list[Message | Confirmation]) -> None:
        if arrived:
            self._listener.arrived(arrived)

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

    def _keep_error(self, client: Client, userdata: object, level: int, text: str) -> None:
        # paho keeps an error of the connection to itself, but logs it while it handles it.
        error = sys.exception()
        if isinstance(error, OSError):
            self._error = error

    def _hear_opened(self, client: Client, userdata: object, link: object) -> None:
        self._listener.opened()
        # Else small packets wait for the acknowledgement of the one before, up to 40 ms.
        if isinstance(link, socket.socket):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _hear_connected(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.on_log = None  # which would cost time for each message
        self._listener.connected(
            Announcement(
                session_present=flags.session_present,
                receive_maximum=getattr(properties, "ReceiveMaximum", None),
                maximum_packet_bytes=getattr(properties, "MaximumPacketSize", None),
                session_expiry_s=getattr(properties, "SessionExpiryInterval", None),
                retain_available=getattr(properties, "RetainAvailable", 1) != 0,
                maximum_qos=getattr(properties, "MaximumQoS", 2),
            )
        )

    def _hear_failed(self, client: Client, userdata: object) -> None:
        self._listener.failed(sys.exception())  # paho calls this while it handles the error

    def _hear_lost(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._listener.lost(str(reason), self._error)
        else:
            self._listener.left()


def reason_name(code: int) -> str:
    """Return a reason code's name (MQTT 5, 2.4), or its number if it has none."""
    for name in ReasonCode(PacketTypes.CONNACK).names.get(code, ()):
        return str(name)
    return f"reason code {code}"
