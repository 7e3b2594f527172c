"""A way to a server that can be cut: bytes pass both ways until the proxy is told to stop them.

What is in the bytes, and who they are for, it does not know.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 65536
END_TIMEOUT_S: Final = 10.0

Cut = Literal["drop", "reset", "stall"]
"""How a connection ends: closed in order (FIN); reset (RST); or dead, with all that is sent into it
lost, and reset after a while."""


@dataclass(eq=False)
class _Order:
    """To cut the connections that there are."""

    kind: Cut
    bytes_left: int
    """Bytes of the way still to pass, in both directions together"""
    stall_s: float
    due: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Link:
    """One connection of a client, and the proxy's own to the server for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    open: bool = True
    """Bytes pass"""
    heard: bool = True
    """So do the client's"""

    def linger_not(self) -> None:
        """Let the ends be reset when they are closed."""
        for end in (self.client, self.server):
            link: socket.socket = end.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def abort(self) -> None:
        """Close both ends at once."""
        self.open = False
        for end in (self.client, self.server):
            end.transport.abort()


class TcpProxy:
    """A port of its own on this machine from which everything is passed on to a server's port."""

    def __init__(self, port: int) -> None:
        """Name the server's port on this machine; `__enter__` begins."""
        self._server_port = port
        self._links: set[_Link] = set()
        self._passages: set[asyncio.Task[None]] = set()
        self._order: _Order | None = None
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0
        """Where clients are to connect"""

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        assert self._begun.wait(END_TIMEOUT_S), "the proxy does not begin"
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop listening and close what is open."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(END_TIMEOUT_S)

    def cut(
        self, kind: Cut, *, after_bytes: int = 0, stall_s: float = 1.0, timeout_s: float = 10.0
    ) -> int:
        """Cut every open connection and return how many there were, when it is done.

        Args:
            kind: how.
            after_bytes: let so many bytes more pass, both ways together, then no other: it may be
                in the middle of a packet.
            stall_s: seconds until a stalled connection is reset.
            timeout_s: seconds within which so many bytes are to pass.

        Raises:
            TimeoutError: they did not.
        """
        return self._call(lambda: self._cut(_Order(kind, after_bytes, stall_s), timeout_s))

    def lose_what_clients_send(self) -> None:
        """Pass nothing on to the server any more, over the connections that there are."""
        for link in self._links.copy():
            link.heard = False

    @property
    def n_open(self) -> int:
        """Connections through which bytes pass."""
        return sum(link.open for link in self._links.copy())

    def _call(self, action: Callable[[], Coroutine[Any, Any, int]]) -> int:
        async def made_there() -> int:
            return await action()

        return asyncio.run_coroutine_threadsafe(made_there(), self._loop).result()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._begun.set()
        await self._end.wait()
        server.close()
        for link in self._links:
            link.abort()
        await asyncio.gather(*self._passages, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        passage = asyncio.current_task()
        assert passage is not None
        self._passages.add(passage)
        passage.add_done_callback(self._passages.discard)
        try:
            answers, server = await asyncio.open_connection(HOST, self._server_port)
        except OSError:
            client.transport.abort()  # nobody is there: the client is to see that
            return
        for end in (client, server):  # what comes is passed on at once
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pass_on(link, reader, server), self._pass_on(link, answers, client)
            )
        finally:
            link.abort()
            self._links.discard(link)

    async def _pass_on(
        self, link: _Link, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        """Pass on what one side sends until it ends; when no longer open, lose it."""
        try:
            while chunk := await source.read(CHUNK_BYTES):
                if link.open and (link.heard or target is link.client):
                    target.write(self._passing(chunk))
                    await target.drain()
            if link.open:  # half of it is over, the other half goes on
                target.write_eof()
        except OSError:  # reset, or gone
            link.abort()

    def _passing(self, chunk: bytes) -> bytes:
        """Return what of some bytes may pass."""
        order = self._order
        if order is None:
            return chunk
        chunk = chunk[: order.bytes_left]
        order.bytes_left -= len(chunk)
        if not order.bytes_left:
            order.due.set()
        return chunk

    async def _cut(self, order: _Order, timeout_s: float) -> int:
        assert self._order is None, "one cut at a time"
        self._order = order
        try:
            if order.bytes_left:
                await asyncio.wait_for(order.due.wait(), timeout_s)
            links = [link for link in self._links if link.open]
            for link in links:
                link.open = False
        finally:
            self._order = None
        for link in links:
            if order.kind == "drop":
                # Not closed before the other side has: that would be a reset if bytes came yet.
                link.client.write_eof()
                link.server.write_eof()
                continue
            link.linger_not()
        if order.kind == "stall":
            await asyncio.sleep(order.stall_s)
        if order.kind != "drop":
            for link in links:
                link.abort()
        return len(links)
