"""A small HTTP server for a few addresses, that nobody can make a burden.

Rules: a connection has one request, which must come within some seconds and bytes, and its answer
must be taken within some seconds. Only so many connections are open at once; the oldest goes for
the newest. Only so many are accepted a second; others wait in the kernel. Nothing of a request is
used but its method and path.
"""

import io
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Final, NamedTuple

from pipeline.event_log import EventLog

logger = EventLog(__name__)

REQUEST_S: Final = 5.0
"""Within which a request must have come"""
ANSWER_S: Final = 5.0
"""Within which an answer must have been taken"""
MOST_HEAD_BYTES: Final = 8_192
"""Of a request"""
MOST_AT_ONCE: Final = 16
PER_S: Final = 50.0
"""Connections that are accepted a second"""
POLL_S: Final = 0.1
"""How often it is looked whether the server is to stop"""


class HttpAnswer(NamedTuple):
    """What is answered."""

    status: HTTPStatus
    content_type: str
    body: bytes


class StatusServer(ThreadingMixIn, HTTPServer):
    """Answers on threads of its own from its making to `close`."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, listener: socket.socket, answers: Mapping[str, Callable[[], HttpAnswer]]
    ) -> None:
        """Serve at a socket that listens; ``answers`` are made by path, on any thread."""
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.answers = answers
        self._guard = threading.Lock()
        self._open: dict[int, socket.socket] = {}
        """Connections by file descriptor, the oldest first"""
        self._next_accept = 0.0  # monotonic seconds
        threading.Thread(
            target=self.serve_forever, args=(POLL_S,), daemon=True, name="status server"
        ).start()

    def close(self) -> None:
        """Stop."""
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection, when it is time."""
        now = time.monotonic()
        self._next_accept = max(self._next_accept, now - 1.0) + 1 / PER_S  # a second's worth
        if self._next_accept > now:
            time.sleep(self._next_accept - now)
        return super().get_request()

    def process_request(self, request: object, client_address: object) -> None:
        """Begin with a connection; one too many ends the oldest."""
        assert isinstance(request, socket.socket)
        with self._guard:
            if len(self._open) >= MOST_AT_ONCE:
                _end(self._open.pop(next(iter(self._open))))
            self._open[request.fileno()] = request
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        """Close a connection."""
        assert isinstance(request, socket.socket)
        with self._guard:
            if self._open.get(request.fileno()) is request:
                del self._open[request.fileno()]
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log an error of ours, not that the other side has gone."""
        if not isinstance(error := sys.exception(), OSError):
            logger.error(
                "metrics-answer-failed",
                "an answer to %(client)s failed",
                client=client_address,
                cause=error,
            )


def _end(connection: socket.socket) -> None:
    """Let the thread of a connection come to its end."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side has ended it


class _Handler(BaseHTTPRequestHandler):
    """Answers the request of one connection."""

    server: StatusServer

    def setup(self) -> None:
        """Read the request, in bounds."""
        super().setup()
        self.rfile = io.BytesIO(_head(self.connection))
        self.connection.settimeout(ANSWER_S)

    def do_GET(self) -> None:
        """HttpAnswer, with the body."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """HttpAnswer, without the body."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        make = self.server.answers.get(self.path.partition("?")[0])
        if make is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        answer = make()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """HttpAnswer that a request cannot be answered, without quoting it."""
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def version_string(self) -> str:
        """Return what the server calls itself."""
        return "har-stream"

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing of a request: it may hold anything."""


def _head(connection: socket.socket) -> bytes:
    """Return a request up to its empty line, or nothing if that does not come in bounds."""
    deadline = time.monotonic() + REQUEST_S
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or len(head) > MOST_HEAD_BYTES:
            return b""
        connection.settimeout(left_s)
        try:
            part = connection.recv(MOST_HEAD_BYTES)
        except OSError:
            return b""
        if not part:
            return b""
        head += part
    return head
