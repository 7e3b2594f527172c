import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest

from pipeline.commands.listening import Listening, bound
from pipeline.commands.monitoring import server
from pipeline.commands.monitoring.server import MOST_AT_ONCE, HttpAnswer, StatusServer

Ask = Callable[..., http.client.HTTPResponse]


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """Where a server answers, with a word."""
    listener = bound(Listening("127.0.0.1", 0))
    answers = {"/word": lambda: HttpAnswer(HTTPStatus.OK, "text/plain", b"word\n")}
    running = StatusServer(listener, answers)
    yield listener.getsockname()
    running.close()


@pytest.fixture
def ask(address: tuple[str, int]) -> Ask:
    """A function that asks it."""

    def request(path: str, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(*address, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        connection.close()
        return answer

    return request


def exchanged(address: tuple[str, int], request: bytes) -> bytes:
    """Return all that the server sends until it closes a connection."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass  # it closed while something was unread
        return answer


def test_its_addresses(address: tuple[str, int]) -> None:
    """It answers with the body, its length, and the end of the connection."""
    answer = exchanged(address, b"GET /word?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, body = answer.split(b"\r\n\r\n")
    assert b"word\n" == body
    assert b"HTTP/1.0 200 OK" == head.splitlines()[0]
    assert b"Content-Length: 5" in head


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/word/", "GET", 404),
        ("/../word", "GET", 404),
        ("http://localhost/word", "GET", 404),
        ("/word", "POST", 501),
        ("/word", "DELETE", 501),
        ("/word", "HEAD", 200),
    ],
)
def test_nothing_else_is_answered(ask: Ask, path: str, method: str, status: int) -> None:
    """Other paths and methods have an empty answer with a status."""
    answer = ask(path, method)
    assert (status, b"") == (answer.status, answer.read())


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"\x00\xff\x16\x03\x01\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /word HTTP/9.9\r\n\r\n",
        b"GET /word HTTP/1.1\r\n" + b"x: y\r\n" * 300 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"a" * 1_000_000,
    ],
)
def test_garbage_is_answered_by_none_of_it(
    address: tuple[str, int], ask: Ask, request_bytes: bytes
) -> None:
    """What is no request has a short answer or none, and the next request is served."""
    assert len(exchanged(address, request_bytes)) < 300
    assert 200 == ask("/word").status


def test_who_sends_slowly_is_left(
    address: tuple[str, int], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request must have come within a time, however often a byte of it comes."""
    monkeypatch.setattr(server, "REQUEST_S", 0.2)
    begun = time.monotonic()
    with socket.create_connection(address, timeout=0.02) as connection:
        while time.monotonic() < begun + 10:
            try:
                connection.send(b"G")
                assert b"" == connection.recv(1)
                break
            except TimeoutError:
                continue  # nothing came, and it is still open
            except ConnectionError:
                break
    assert time.monotonic() < begun + 5
    assert 200 == ask("/word").status


def test_a_hundred_that_say_nothing(address: tuple[str, int], ask: Ask) -> None:
    """They keep nobody out, and only some of them have a thread."""
    silent = [socket.create_connection(address, timeout=10) for _ in range(100)]
    assert 200 == ask("/word").status
    names = [thread.name for thread in threading.enumerate() if "process_request" in thread.name]
    assert len(names) <= MOST_AT_ONCE + 1
    for connection in silent:
        connection.close()


def test_only_so_many_are_accepted_a_second(
    address: tuple[str, int], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those beyond a second's worth wait."""
    monkeypatch.setattr(server, "PER_S", 20.0)
    for _ in range(20):
        ask("/word")
    begun = time.monotonic()
    for _ in range(10):
        ask("/word")
    assert time.monotonic() - begun > 0.3


def test_an_answer_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """It ends its own connection alone."""
    listener = bound(Listening("127.0.0.1", 0))

    def fail() -> HttpAnswer:
        raise ValueError("no")

    answers = {
        "/word": lambda: HttpAnswer(HTTPStatus.OK, "text/plain", b"word\n"),
        "/fails": fail,
    }
    running = StatusServer(listener, answers)
    address = listener.getsockname()
    assert b"" == exchanged(address, b"GET /fails HTTP/1.1\r\n\r\n")
    assert exchanged(address, b"GET /word HTTP/1.1\r\n\r\n").endswith(b"word\n")
    running.close()
    assert "Traceback" in caplog.text
