"""A broker that answers as a test wants it to, also as no broker should.

It speaks just enough MQTT for one client at a time to log in, subscribe and publish.
"""

import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

HOST: Final = "127.0.0.1"
TIMEOUT_S: Final = 20.0

CONNECT: Final = 1
PUBLISH: Final = 3
PUBACK: Final = 4
SUBSCRIBE: Final = 8
UNSUBSCRIBE: Final = 10
PINGREQ: Final = 12
DISCONNECT: Final = 14


@dataclass(frozen=True)
class Script:
    """How a client is answered."""

    v5: bool = True
    login: int | bytes = 0
    """Reason code, or whole packets"""
    announced: bytes = b""
    """Properties of the answer to a login"""
    subscriptions: tuple[int, ...] | None = None
    """Reason codes; all granted if None, no answer if there are none"""
    publications: tuple[int, ...] = (0,)
    """Reason codes, one publication after the other and then from the first again"""
    ends_over: Callable[[int, int], bool] = lambda head, n_bytes: False
    """Of a publication's first byte and size, whether the connection is ended over it"""
    ends_with: int | None = None
    """Reason code that is sent before; None if there is none"""
    then: bytes = b""
    """Packets that follow the answer to the subscriptions"""
    end: bool = False
    """Close the connection after these"""
    acknowledged: bytes = b""
    """Packets that follow the client's first acknowledgement"""


def packet(head: int, body: bytes) -> bytes:
    """Return a packet."""
    length, encoded = len(body), bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes([head, *encoded]) + body


def message(topic: str, payload: bytes, *, mid: int = 0, v5: bool = True) -> bytes:
    """Return the packet of a message, at QoS 1 if it has an identifier."""
    return packet(
        0x32 if mid else 0x30,
        len(topic).to_bytes(2) + topic.encode() + (mid.to_bytes(2) if mid else b"")
        + (b"\x00" if v5 else b"") + payload,
    )  # fmt: skip


class FakeBroker:
    """Listens on a port of its own, and follows a script with each client."""

    def __init__(self, script: Script | Callable[[bytes], Script]) -> None:
        """Take the script, or what returns it for the body of a client's CONNECT."""
        self._script = (lambda _: script) if isinstance(script, Script) else script
        self._server = socket.create_server((HOST, 0), backlog=512)
        self.port = int(self._server.getsockname()[1])
        self.received: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        """Kind and body of the packets that clients have sent"""
        self._clients: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what is open."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._clients:
            client.close()

    def packets(self) -> list[tuple[int, bytes]]:
        """Return kind and body of the packets that have come and were not read before."""
        return [self.received.get() for _ in range(self.received.qsize())]

    def send(self, packets: bytes) -> None:
        """Send packets to the client that came last, out of turn."""
        self._clients[-1].sendall(packets)

    def await_packet(self, kind: int, *, containing: bytes = b"", times: int = 1) -> bytes:
        """Return the body of the last of so many next packets of a kind."""
        while True:
            found, body = self.received.get(timeout=TIMEOUT_S)
            if found == kind and containing in body:
                times -= 1
                if not times:
                    return body

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        script, n_published, acknowledged = Script(), 0, False
        stream = client.makefile("rb")
        try:
            while head := stream.read(1):
                kind, body = head[0] >> 4, stream.read(_read_length(stream.read))
                n_bytes = len(packet(head[0], body))
                self.received.put((kind, body))
                if kind == CONNECT:
                    script = self._script(body)
                    login = script.login
                    if isinstance(login, int):
                        properties = bytes([len(script.announced)]) + script.announced
                        login = packet(0x20, bytes([0, login]) + properties * script.v5)
                    client.sendall(login)
                elif kind == SUBSCRIBE:
                    codes = script.subscriptions
                    if codes is None:
                        codes = (1,) * _count_filters(body, v5=script.v5)
                    if not codes:
                        continue
                    properties = b"\x00" * script.v5
                    client.sendall(packet(0x90, body[:2] + properties + bytes(codes)) + script.then)
                    if script.end:
                        client.shutdown(socket.SHUT_RDWR)
                elif kind == PUBLISH and script.ends_over(head[0], n_bytes):
                    if script.ends_with is not None:
                        client.sendall(packet(0xE0, bytes([script.ends_with])))
                    client.shutdown(socket.SHUT_WR)  # a reset might overtake the reason
                    while stream.read(1):
                        pass
                    return
                elif kind == PUBLISH:
                    topic_end = 2 + int.from_bytes(body[:2])
                    code = script.publications[n_published % len(script.publications)]
                    n_published += 1
                    reason = bytes([code, 0]) if script.v5 else b""
                    client.sendall(packet(0x40, body[topic_end : topic_end + 2] + reason))
                elif kind == PUBACK and not acknowledged:
                    acknowledged = True
                    client.sendall(script.acknowledged)
                elif kind == UNSUBSCRIBE:
                    client.sendall(packet(0xB0, body[:2] + b"\x00\x00" * script.v5))
                elif kind == PINGREQ:
                    client.sendall(b"\xd0\x00")
        except OSError:  # the client has gone, or the test is over
            return


def _read_length(read: Callable[[int], bytes]) -> int:
    value = shift = 0
    while True:
        byte = (read(1) or b"\x00")[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def _count_filters(body: bytes, *, v5: bool) -> int:
    at, n = 2 + (1 + body[2] if v5 else 0), 0
    while at < len(body):
        at += 2 + int.from_bytes(body[at : at + 2]) + 1
        n += 1
    return n
