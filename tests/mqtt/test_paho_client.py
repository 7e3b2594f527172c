"""Canary for the parts of paho that `paho_client` uses although paho does not document them.

If one of these fails after an update of paho-mqtt, read the two places side by side before the
versions in pyproject.toml are widened.
"""

import inspect
import re
import socket
import ssl
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion

from pipeline.messages import Message
from pipeline.mqtt.paho_client import PahoClient, reason_name

ROOT: Final = Path(__file__).parent.parent.parent

READING: Final = ("_sock_recv", ["bufsize"])
WRITING: Final = ("_packet_queue", ["command", "packet", "mid", "qos", "info"])
SOCKETS: Final = ("_reset_sockets", ["sockpair_only"])
LOOP: Final = ("loop_forever", ["timeout", "retry_first_connection"])
READ_LOOP: Final = ("loop_read", ["max_packets"])


class Recorder(Client):
    """paho's client, which notes what its loop calls and reaches no broker."""

    def __init__(self) -> None:
        """Begin with nothing called."""
        super().__init__(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.called: list[str] = []

    def reconnect(self) -> MQTTErrorCode:
        """Fail, as if nobody answered."""
        self.called.append("reconnect")
        raise ConnectionRefusedError

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        """Note the call."""
        self.called.append("loop_forever")
        return super().loop_forever(timeout, retry_first_connection)


def test_the_installed_version_is_one_that_was_tested() -> None:
    """pyproject.toml holds paho-mqtt to one minor version, the one that is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [pin] = [one for one in project["dependencies"] if one.startswith("paho-mqtt")]
    bounds = re.fullmatch(r"paho-mqtt>=(\d+)\.(\d+),<(\d+)\.(\d+)", pin)
    assert bounds is not None
    low, high = tuple(map(int, bounds.groups()[:2])), tuple(map(int, bounds.groups()[2:]))
    installed = tuple(map(int, version("paho-mqtt").split(".")[:2]))
    assert (low, (low[0], low[1] + 1)) == (installed, high)


@pytest.mark.parametrize(
    ("name", "parameters"), [READING, WRITING, SOCKETS, LOOP, READ_LOOP], ids=lambda one: str(one)
)
def test_methods(name: str, parameters: list[str]) -> None:
    """The methods that are overridden or called are there, with the parameters that they had."""
    assert ["self", *parameters] == list(inspect.signature(getattr(Client, name)).parameters)


@pytest.mark.parametrize("name", ["_last_bytes_received", "_ssl_context"])
def test_attributes(name: str) -> None:
    """The attributes that are set are there, so that setting them means something."""
    assert hasattr(Client(CallbackAPIVersion.VERSION2), name)


def test_the_context_of_tls_can_be_replaced() -> None:
    """Without `_ssl_context` set to None paho takes a context only once."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.tls_set_context(ssl.create_default_context())
    with pytest.raises(ValueError, match="already been configured"):
        client.tls_set_context(ssl.create_default_context())
    client._ssl_context = None
    client.tls_set_context(ssl.create_default_context())


def test_reading_is_by_one_method() -> None:
    """What paho reads from the network it gets from `_sock_recv`, in one place or by name."""
    source = inspect.getsource(Client)
    body = inspect.getsource(Client._sock_recv)
    assert body.count("self._sock.recv(") == source.count("self._sock.recv(") == 1


def test_the_thread_runs_loop_forever_and_it_reconnect() -> None:
    """Each attempt is a `reconnect`, and `on_connect_fail` is called with its error at hand."""
    client = Recorder()
    failures: list[BaseException | None] = []
    failed = threading.Event()

    def note(*_: object) -> None:
        failures.append(sys.exception())
        failed.set()
        client.disconnect()

    client.on_connect_fail = note
    client.connect_async("127.0.0.1", 1)
    client.loop_start()
    assert failed.wait(20.0)
    client.loop_stop()
    client._reset_sockets()
    assert ["loop_forever", "reconnect"] == client.called[:2]
    assert isinstance(failures[0], ConnectionRefusedError)


def test_the_loop_reads_and_does_what_is_due_by_public_methods() -> None:
    """`loop_read` and `loop_misc` are what the loop calls while there is a connection."""
    body = inspect.getsource(Client._loop)
    assert "self.loop_read()" in body
    assert "self.loop_misc()" in body


def test_packets_are_written_as_they_are() -> None:
    """What is queued is written unchanged, in its order; nothing is done about acknowledgements."""

    class Writer(Client):
        written = b""

        def _sock_send(self, buf: bytes | bytearray) -> int:
            self.written += bytes(buf)
            return len(buf)

        def __del__(self) -> None:
            """There is no connection to close."""

    client = Writer(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client._sock = object()  # type: ignore[assignment]  # is not touched
    for packets in (b"\x32\x03\x00\x01t", b"\x40\x02\x00\x01" * 2):
        client._packet_queue(MessageType.PUBACK, packets, 0, 1)
    client.loop_write()
    assert b"\x32\x03\x00\x01t" + b"\x40\x02\x00\x01" * 2 == client.written
    client._sock = None


def test_subscriptions_have_the_first_numbers() -> None:
    """Paho counts its packet identifiers from 1; publications have those from 1024 on."""
    assert [1, 2, 3] == [
        Client(CallbackAPIVersion.VERSION2)._mid_generate() + number for number in range(3)
    ]


def test_the_loop_hands_its_error_to_the_listener() -> None:
    """Whatever ends the network thread is not lost with it."""

    class Listener:
        error: Exception | None = None

        def login(self) -> None:
            raise ZeroDivisionError

        def broken(self, error: Exception) -> None:
            self.error = error

    room = threading.Event()
    client = PahoClient("me", v5=True, room=room, most_bytes=1024, marked_topic=None)
    listener = Listener()
    client.run(  # type: ignore[arg-type]  # no more of it is called
        listener, "127.0.0.1", 1, receive_maximum=1, session_expiry_s=None
    )
    for thread in threading.enumerate():
        if thread.name.endswith("client-me"):
            thread.join(20.0)
    client.close()
    assert isinstance(listener.error, ZeroDivisionError)


def test_the_thread_ends_while_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paho looks at its thread again after it has found one, and trips if that ends in between."""
    client = PahoClient("test", v5=True, room=threading.Event(), most_bytes=1, marked_topic=None)
    looks = iter([object(), object()])
    monkeypatch.setattr(Client, "_thread", property(lambda _: next(looks, None)), raising=False)
    assert client.loop_stop() == MQTTErrorCode.MQTT_ERR_SUCCESS


def test_reason_names() -> None:
    """A reason code has its name of the standard, or its number."""
    assert ("Not authorized", "reason code 254") == (reason_name(0x87), reason_name(254))


def test_what_has_come_by_tls_is_read_at_once(certificates: Path) -> None:
    """TLS gives 16 KiB at a time: were they read singly, few phones would fill a connection."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    browser = ssl.create_default_context(cafile=certificates / "ca.crt")
    browser.check_hostname = False
    packet = b"\x30\x0f\x00\x01a" + bytes(12)
    sent = packet * 10_000
    arrived: list[Message] = []

    class Listening:
        """Hears of messages alone."""

        def arrived(self, packets: list[Message]) -> None:
            """Keep messages."""
            arrived.extend(packets)

    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, size, 1 << 20)
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(server.wrap_socket, theirs, server_side=True)
        with browser.wrap_socket(ours) as link, serving.result() as broker:
            broker.sendall(sent)
            link.setblocking(False)
            room = threading.Event()
            room.set()
            client = PahoClient("x", v5=False, room=room, most_bytes=1 << 20, marked_topic=None)
            client._listener = Listening()  # type: ignore[assignment]
            client._sock = link
            for _ in range(2):
                client.loop_read()
            client._sock = None
    assert 10_000 == len(arrived)
