"""A browser in the tests of har-web: what it sends is said in full, and nothing is added."""

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from websockets.asyncio.client import connect as connect_on_one_thread
from websockets.sync.client import ClientConnection, connect

TIMEOUT_S: Final = 20.0


class Answer(NamedTuple):
    """An answer of the server."""

    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def cookie(self) -> str:
        """Name and value of the cookie that it sets."""
        return (self.headers["set-cookie"] or "").partition(";")[0]


class Site(NamedTuple):
    """Where a har-web listens."""

    port: int
    context: ssl.SSLContext | None = None
    """For https"""
    host: str = "127.0.0.1"

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """Return the answer to a request; ``_`` in a header's name stands for ``-``."""
        connection: http.client.HTTPConnection
        if self.context is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        else:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_S, context=self.context
            )
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read().decode())
        connection.close()
        return found

    def page(self, query: str = "", *, cookie: str = "", **options: Any) -> "Page":  # noqa: ANN401
        """Return a page's connection, which is open; not for https, see `first_frame`."""
        socket = connect(
            f"ws://{self.host}:{self.port}/ws{query}",
            additional_headers={"Cookie": cookie} if cookie else {},
            compression=None,
            max_size=None,
            proxy=None,
            **options,
        )
        return Page(socket)

    def first_frame(self, *, cookie: str) -> dict[str, Any]:
        """Return what a page is greeted with, by https.

        On one thread: `websockets.sync` reads and writes a TLS connection on two, which OpenSSL
        does not allow, and so loses one handshake in some hundreds on a busy machine.
        """

        async def greeted() -> str | bytes:
            async with connect_on_one_thread(
                f"wss://{self.host}:{self.port}/ws",
                ssl=self.context,
                additional_headers={"Cookie": cookie},
                proxy=None,
            ) as socket:
                return await socket.recv()

        frame: dict[str, Any] = json.loads(asyncio.run(greeted()))
        return frame


class Page:
    """A page's side of the WebSocket; it keeps what its server has told."""

    def __init__(self, socket: ClientConnection) -> None:
        """Begin with an open connection."""
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.phones: dict[str, dict[str, Any]] = {}
        """The latest of each key of a phone's patches; of the ribbon, all entries by start"""
        self.state: dict[str, Any] = {}
        """The latest of each other key of the updates"""
        self.answers: dict[str, Any] = {}
        """The latest of each key of the answers"""

    def __enter__(self) -> Self:
        """Return the page, which is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.socket.close()

    def send(self, **frame: Any) -> None:  # noqa: ANN401
        """Send a frame."""
        self.socket.send(json.dumps(frame))

    def send_bytes(self, payload: bytes) -> None:
        """Send a frame of bytes."""
        self.socket.send(payload)

    def receive(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Return the next frame."""
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout_s))
        self.frames.append(frame)
        if frame["type"] == "update":
            self.state |= frame
            for device, patch in frame.get("phones", {}).items():
                phone = self.phones.setdefault(device, {})
                ribbon = {entry[0]: entry for entry in phone.get("ribbon", ())}
                ribbon |= {entry[0]: entry for entry in patch.get("ribbon", ())}
                phone |= patch | {"ribbon": list(ribbon.values())}
            for device in frame.get("forgotten", ()):
                self.phones.pop(device, None)
        if frame["type"] == "answer":
            self.answers |= frame
        return frame

    def await_that(self, is_so: Callable[[], object], complaint: str = "awaited in vain") -> None:
        """Return when something is true, which is looked at after each frame."""
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so():
            left = deadline - time.monotonic()
            assert left > 0, f"{complaint}; last: {str(self.frames[-3:])[:3000]}"
            self.receive(left)

    def await_frame(self, kind: str) -> dict[str, Any]:
        """Return the next frame of a kind."""
        while (frame := self.receive())["type"] != kind:
            pass
        return frame
