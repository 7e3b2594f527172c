import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.tcp_proxy import HOST, Cut, TcpProxy

TIMEOUT_S = 10.0


class Server:
    """Listens, and hands over the connections that were made to it."""

    def __init__(self) -> None:
        """Begin to listen on a free port."""
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(TIMEOUT_S)
        self.port: int = self._listener.getsockname()[1]

    def accept(self) -> socket.socket:
        """Return the next connection."""
        connection, _ = self._listener.accept()
        connection.settimeout(TIMEOUT_S)
        return connection

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[TcpProxy]:
    """A proxy in front of the server."""
    with TcpProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def ends(proxy: TcpProxy, server: Server) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection by way of the proxy: the client's and the server's."""
    with connected(proxy) as client, server.accept() as served:
        client.sendall(b"hello")
        assert b"hello" == received(served, 5)  # now the proxy has both
        yield client, served


def connected(proxy: TcpProxy) -> socket.socket:
    """Return a new connection to the proxy."""
    return socket.create_connection((HOST, proxy.port), TIMEOUT_S)


def received(end: socket.socket, n_bytes: int) -> bytes:
    """Return exactly so many bytes."""
    data = b""
    while len(data) < n_bytes:
        chunk = end.recv(n_bytes - len(data))
        assert chunk, "it ended before"
        data += chunk
    return data


def end_of(end: socket.socket) -> str:
    """Return how a connection ends, when it does, if nothing comes before."""
    try:
        data = end.recv(1)
    except ConnectionResetError:
        return "reset"
    assert b"" == data, "there came something else"
    return "end"


def test_bytes_pass_both_ways(ends: tuple[socket.socket, socket.socket], proxy: TcpProxy) -> None:
    """What one end sends the other receives, whole, however much it is."""
    client, served = ends
    much = bytes(range(256)) * 10_000
    threads = [threading.Thread(target=end.sendall, args=(much,)) for end in ends]
    for thread in threads:
        thread.start()
    assert received(client, len(much)) == much
    assert received(served, len(much)) == much
    for thread in threads:
        thread.join()
    assert 1 == proxy.n_open


def test_one_end_closes(ends: tuple[socket.socket, socket.socket]) -> None:
    """The end of what one side sends is passed on; the other may go on until it ends as well."""
    client, served = ends
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert b"question" == received(served, 8)
    assert "end" == end_of(served)
    served.sendall(b"answer")
    served.close()
    assert b"answer" == received(client, 6)
    assert "end" == end_of(client)


def test_nobody_listens(proxy: TcpProxy, server: Server) -> None:
    """Without a server behind it a connection ends at once, and later ones pass when there is."""
    server.close()
    with connected(proxy) as client:
        assert end_of(client) in ("end", "reset")
    with socket.create_server((HOST, server.port)) as again:
        again.settimeout(TIMEOUT_S)
        with connected(proxy) as client:
            served, _ = again.accept()
            with served:
                client.sendall(b"hello")
                assert b"hello" == received(served, 5)


@pytest.mark.parametrize(
    ("kind", "expected"), [("drop", "end"), ("reset", "reset"), ("stall", "reset")]
)
def test_a_cut_connection(
    ends: tuple[socket.socket, socket.socket],
    proxy: TcpProxy,
    server: Server,
    kind: Cut,
    expected: str,
) -> None:
    """A dropped connection ends in order, the others are reset, at both ends; a new one passes."""
    client, served = ends

    assert 1 == proxy.cut(kind, stall_s=0.1)

    assert 0 == proxy.n_open
    assert [expected, expected] == [end_of(client), end_of(served)]
    with connected(proxy) as client, server.accept() as served:
        served.sendall(b"again")
        assert b"again" == received(client, 5)


def test_nothing_passes_in_a_stall(
    ends: tuple[socket.socket, socket.socket], proxy: TcpProxy
) -> None:
    """A stalled connection takes what is sent, and loses it, and only later it is reset."""
    client, served = ends
    cut: queue.SimpleQueue[int] = queue.SimpleQueue()
    began = time.monotonic()
    stall = threading.Thread(target=lambda: cut.put(proxy.cut("stall", stall_s=0.5)))
    stall.start()
    while proxy.n_open:
        assert time.monotonic() < began + TIMEOUT_S
    client.sendall(b"lost")
    served.sendall(b"lost")

    assert "reset" == end_of(client)
    assert "reset" == end_of(served)
    assert time.monotonic() - began >= 0.5
    assert 1 == cut.get(timeout=TIMEOUT_S)
    stall.join()


def test_what_clients_send_may_be_lost(
    ends: tuple[socket.socket, socket.socket], proxy: TcpProxy, server: Server
) -> None:
    """Then only what the server sends passes, until there is another connection."""
    client, served = ends
    proxy.lose_what_clients_send()
    client.sendall(b"lost")
    served.sendall(b"passes")
    assert b"passes" == received(client, 6)
    proxy.cut("drop")
    assert "end" == end_of(served)
    with connected(proxy) as client, server.accept() as served:
        client.sendall(b"again")
        assert b"again" == received(served, 5)


@pytest.mark.parametrize("kind", ["drop", "reset", "stall"])
def test_a_cut_in_the_middle_of_a_packet(
    ends: tuple[socket.socket, socket.socket], proxy: TcpProxy, kind: Cut
) -> None:
    """Exactly so many bytes pass before a cut as it is to leave, whatever was sent in one piece."""
    client, served = ends
    cut = threading.Thread(target=proxy.cut, args=(kind,), kwargs={"after_bytes": 7, "stall_s": 0})
    cut.start()
    n_received = 0
    with contextlib.suppress(ConnectionError):
        while True:  # the order to cut comes between two of these
            served.sendall(b"0123456789")
            packet = b""
            while len(packet) < 10:
                chunk = client.recv(10 - len(packet))
                n_received += len(chunk)
                if not chunk:
                    raise ConnectionResetError
                packet += chunk
    cut.join()
    assert 7 == n_received % 10


def test_a_cut_for_which_nothing_comes(
    ends: tuple[socket.socket, socket.socket], proxy: TcpProxy
) -> None:
    """A cut that waits for bytes gives up in time, and the connection goes on."""
    client, served = ends
    with pytest.raises(TimeoutError):
        proxy.cut("drop", after_bytes=1, timeout_s=0.1)
    client.sendall(b"hello")
    assert b"hello" == received(served, 5)


def test_a_cut_without_a_connection(proxy: TcpProxy) -> None:
    """Where there is no connection none is cut."""
    assert 0 == proxy.cut("reset")
