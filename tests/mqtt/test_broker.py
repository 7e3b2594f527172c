import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from pipeline.messages import Message
from pipeline.mqtt.broker import HOST, embedded_broker
from pipeline.mqtt.connection import Connection
from pipeline.settings import BrokerSettings

TIMEOUT_S = 10.0

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a running embedded broker."""
    with embedded_broker() as port:
        yield port


def connected(port: int, *subscriptions: str, status_topic: str | None = None) -> Connection:
    """Return a connection that is ready."""
    settings = BrokerSettings.model_validate({"broker": HOST, "port": port, "protocol": "3.1.1"})
    connection = Connection(
        settings, name="test", subscriptions=subscriptions, status_topic=status_topic
    )
    connection.start(retry=False)
    assert connection.ready.wait(TIMEOUT_S)
    return connection


def take(connection: Connection, n: int) -> list[Message]:
    """Return the next ``n`` messages."""
    messages: list[Message] = []
    while len(messages) < n:
        arrived = connection.take(timeout_s=TIMEOUT_S, gather_s=0.0)
        assert arrived, f"{len(messages)} of {n} messages came"
        messages += arrived
    return messages


def test_messages_arrive_in_order_and_are_confirmed(port: int) -> None:
    """Each of 2,000 messages at QoS 1 arrives once, in order, and is confirmed to the sender."""
    receiver, sender = connected(port, "numbers/+"), connected(port)
    for number in range(2000):
        sender.publish("numbers/one", str(number))
    assert sender.await_confirmations(0, timeout_s=60.0)
    assert [str(n).encode() for n in range(2000)] == [m.payload for m in take(receiver, 2000)]
    sender.close(timeout_s=TIMEOUT_S)
    receiver.close(timeout_s=TIMEOUT_S)


def test_a_retained_message_waits_for_who_comes_later(port: int) -> None:
    """A retained message is delivered to a client that subscribes after it was sent."""
    sender = connected(port)
    sender.publish("kept/here", b"sitting", retain=True)
    assert sender.close(timeout_s=TIMEOUT_S)
    receiver = connected(port, "kept/#")
    assert [("kept/here", b"sitting")] == [(m.topic, m.payload) for m in take(receiver, 1)]
    receiver.close(timeout_s=TIMEOUT_S)


def test_the_last_will_is_published_when_a_client_breaks_off(port: int) -> None:
    """A client that vanishes without a word is said to be offline, as it wished."""
    receiver = connected(port, "will/status")
    gone = Client(CallbackAPIVersion.VERSION2, "gone")
    gone.will_set("will/status", "offline", 1, retain=True)
    online = threading.Event()
    gone.on_connect = lambda *_: online.set()
    gone.connect(HOST, port)
    gone.loop_start()
    assert online.wait(TIMEOUT_S)
    wire = gone.socket()
    assert isinstance(wire, socket.socket)
    gone.loop_stop()
    wire.shutdown(socket.SHUT_RDWR)
    assert [b"offline"] == [m.payload for m in take(receiver, 1)]
    wire.close()
    receiver.close(timeout_s=TIMEOUT_S)


def test_what_is_retained_goes_to_its_subscribers_only(port: int) -> None:
    """A client that subscribes to one topic gets nothing that others left elsewhere."""
    sender, elsewhere = connected(port), connected(port, "left/there")
    sender.publish("left/there", b"not for all", retain=True)
    assert sender.await_confirmations(0, timeout_s=TIMEOUT_S)
    take(elsewhere, 1)
    receiver = connected(port, "left/here")
    sender.publish("left/here", b"for you")
    assert [b"for you"] == [m.payload for m in take(receiver, 1)]
    for connection in (sender, elsewhere, receiver):
        connection.close(timeout_s=TIMEOUT_S)


def test_the_broker_itself_publishes_nothing(port: int) -> None:
    """A subscriber of the usual statistics gets only what a client sends afterwards."""
    receiver, sender = connected(port, "$SYS/#", "end"), connected(port)
    sender.publish("end", b"end")
    assert [b"end"] == [m.payload for m in take(receiver, 1)]
    for connection in (sender, receiver):
        connection.close(timeout_s=TIMEOUT_S)


def test_it_is_gone_after_the_context() -> None:
    """After the with-block nobody listens on the port any more, though clients were connected."""
    with embedded_broker() as port:
        connection = connected(port, "#")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=TIMEOUT_S)
    connection.close(timeout_s=1.0)


def test_it_does_not_outlive_a_process_that_is_killed() -> None:
    """The broker ends even if the process that started it has no time to stop it."""
    code = (
        "from pipeline.mqtt.broker import embedded_broker\n"
        "with embedded_broker() as port:\n"
        "    print(port, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        wire = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
        os.kill(process.pid, signal.SIGKILL)
        with wire:
            assert b"" == wire.recv(1)  # closed by the broker's end
