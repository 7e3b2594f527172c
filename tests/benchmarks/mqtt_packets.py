"""Just enough of MQTT 3.1.1 to publish and subscribe over a bare socket, as cheaply as it goes.

Load and its measurement must not cost more than what they measure: no client library here. Nor any
code of the program, so that another version of it is measured by the same load. Without keep-alive;
a connection lasts as long as its socket.
"""

import socket
from collections.abc import Iterator
from typing import Final

HOST: Final = "127.0.0.1"
"""The only host that load is ever sent to"""
TIMEOUT_S: Final = 10.0
"""Seconds for a connection and its handshake"""

PUBLISH: Final = 0x30
PUBACK: Final = 0x40
_CONNECT, _SUBSCRIBE = 0x10, 0x82
_CONNACK, _SUBACK = b"\x20\x02\x00\x00", 0x90
_CLEAN_SESSION: Final = 2


def remaining_length(n_bytes: int) -> bytes:
    """Return how a packet says that so many bytes follow."""
    encoded = bytearray()
    while n_bytes > 127:
        encoded.append(n_bytes & 127 | 128)
        n_bytes >>= 7
    encoded.append(n_bytes)
    return bytes(encoded)


def text(value: str) -> bytes:
    """Return a string as packets hold it."""
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def connected(port: int, client_id: str) -> socket.socket:
    """Return a socket on which the broker has accepted a client.

    Raises:
        ConnectionError: the broker refuses.
    """
    link = socket.create_connection((HOST, port), TIMEOUT_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = text("MQTT") + bytes([4, _CLEAN_SESSION, 0, 0]) + text(client_id)
    link.sendall(bytes([_CONNECT]) + remaining_length(len(body)) + body)
    answer = _exactly(link, len(_CONNACK))
    if answer != _CONNACK:
        link.close()
        raise ConnectionError(f"the broker refuses {client_id}: {answer.hex()}")
    return link


def subscribe(link: socket.socket, topic_filter: str, *, qos: int = 0) -> None:
    """Subscribe to a filter.

    Raises:
        ConnectionError: the broker refuses.
    """
    body = b"\x00\x01" + text(topic_filter) + bytes([qos])
    link.sendall(bytes([_SUBSCRIBE]) + remaining_length(len(body)) + body)
    answer = _exactly(link, 5)
    if answer[0] != _SUBACK or answer[4] != qos:
        raise ConnectionError(f"the broker refuses {topic_filter}: {answer.hex()}")


def packets(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield first byte and body of each packet that is whole, and take them off the buffer."""
    position = 0
    while True:
        length, shift, at = 0, 0, position + 1
        while at < len(received):
            byte = received[at]
            length |= (byte & 127) << shift
            at += 1
            if byte < 128:
                break
            shift += 7
        else:  # its length is not there yet
            break
        if at + length > len(received):
            break
        yield received[position], bytes(received[at : at + length])
        position = at + length
    del received[:position]


def publication(body: bytes) -> tuple[str, bytes]:
    """Return topic and payload of a PUBLISH packet at QoS 0."""
    after_topic = 2 + int.from_bytes(body[:2], "big")
    return body[2:after_topic].decode(), body[after_topic:]


def _exactly(link: socket.socket, n_bytes: int) -> bytes:
    answer = b""
    while len(answer) < n_bytes:
        more = link.recv(n_bytes - len(answer))
        if not more:
            raise ConnectionError("the broker hung up")
        answer += more
    return answer
