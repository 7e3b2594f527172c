"""A server for tests of har-web's pages: the pages from the package, and frames as a test says.

It sends the headers that har-web sends, and what a page sends is kept in `received`: bytes as a
frame of samples.
"""

import asyncio
import contextlib
import http
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PAGES: Final = Path(__file__).parent.parent / "pipeline" / "commands" / "web" / "pages"
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
TIMEOUT_S: Final = 20.0

logging.getLogger("websockets").setLevel(logging.CRITICAL)  # browsers open connections in advance

Frame = dict[str, Any]


class MadeWebServer:
    """A server on a thread of its own; its methods may be called from the test's thread."""

    def __init__(self, on_open: Callable[["Visitor"], None]) -> None:
        """Keep what is called, on the server's thread, for each page that connects."""
        self._on_open = on_open
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: Server | None = None
        self._visitors: set[Visitor] = set()
        self._changed = threading.Condition()
        self.port = 0
        self.received: list[Frame] = []

    @property
    def url(self) -> str:
        """Where it is; a name that browsers trust with sensors, without https."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Listen; on the same port as before, if it listened."""
        if not self._thread.is_alive():
            self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """Close all connections, and listen no more."""
        self._call(self._stop())

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    def say(self, frame: Frame) -> None:
        """Send a frame to all pages."""
        for visitor in list(self._visitors):
            self._loop.call_soon_threadsafe(visitor.say, frame)

    def await_frame(self, fits: Callable[[Frame], bool]) -> Frame:
        """Return the first received frame that fits."""
        deadline = time.monotonic() + TIMEOUT_S
        with self._changed:
            while True:
                for frame in self.received:
                    if fits(frame):
                        return frame
                assert self._changed.wait(deadline - time.monotonic()), self.received[-5:]

    def _call(self, work: Any) -> None:  # noqa: ANN401 (a coroutine of any kind)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    async def _listen(self) -> None:
        self._server = await serve(
            self._serve, "localhost", self.port, process_request=_file, max_size=65_536
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close(close_connections=True)
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = parse_qs(urlsplit(connection.request.path).query)
        visitor = Visitor(connection, query.get("device", [None])[0])
        self._visitors.add(visitor)
        try:
            self._on_open(visitor)
            with contextlib.suppress(ConnectionClosed):
                async for sent in connection:
                    frame = (
                        {"type": "samples", "payload": sent}
                        if isinstance(sent, bytes)
                        else json.loads(sent)
                    )
                    visitor.take(frame)
                    with self._changed:
                        self.received.append(frame)
                        self._changed.notify_all()
        finally:
            self._visitors.discard(visitor)
            visitor.end()


class Visitor:
    """A page that is connected."""

    def __init__(self, connection: ServerConnection, device: str | None) -> None:
        """Keep the connection; ``device`` is that of a phone page."""
        self.device = device
        self.watched: list[str] = []
        self.open: str | None = None
        self._connection = connection
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, frame: Frame) -> None:
        """Send a frame."""
        self.run(self._connection.send(json.dumps(frame)))

    def take(self, frame: Frame) -> None:
        """Note what the page watches."""
        if frame["type"] == "watch":
            self.watched, self.open = frame["devices"], frame["open"]

    def run(self, work: Any) -> None:  # noqa: ANN401 (a coroutine of any kind)
        """Run something as long as the page is connected."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def end(self) -> None:
        """Stop what runs."""
        for task in list(self._tasks):
            task.cancel()

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a connection that is gone


def _file(_connection: ServerConnection, request: Request) -> Response | None:
    path = urlsplit(request.path).path
    if path == "/ws":
        return None
    name = {"/": "index.html", "/phone": "phone.html"}.get(path, path.removeprefix("/pages/"))
    file = PAGES / name
    if "/" in name or not file.is_file():
        return Response(404, "Not Found", Headers(), b"")
    headers = Headers(
        {
            "Content-Type": TYPES.get(file.suffix, "text/html") + "; charset=utf-8",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
    )
    return Response(http.HTTPStatus.OK, "OK", headers, file.read_bytes())


@contextmanager
def serving(on_open: Callable[[Visitor], None]) -> Iterator[MadeWebServer]:
    """Give a server that runs."""
    server = MadeWebServer(on_open)
    server.start()
    try:
        yield server
    finally:
        server.end()
