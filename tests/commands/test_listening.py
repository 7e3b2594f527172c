import socket

import pytest

from pipeline.commands.listening import Listening, bound, checked_listening, listening


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("localhost:0", "localhost", 0, True),
        ("0.0.0.0:8443", "0.0.0.0", 8443, False),
        ("[::1]:80", "::1", 80, True),
        ("[::]:80", "::", 80, False),
        ("har.example.org:65535", "har.example.org", 65535, False),
    ],
)
def test_addresses(text: str, host: str, port: int, is_loopback: bool) -> None:
    """Host and port are told apart, and whether this machine alone reaches them."""
    found = listening(text)
    assert (host, port, is_loopback) == (*found, found.is_loopback)
    assert text == checked_listening(text)


@pytest.mark.parametrize("text", ["", "8080", "host", "host:", ":80", "h:65536", "::1:80", "a b:1"])
def test_what_is_no_address(text: str) -> None:
    """It is rejected with what is expected."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        listening(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_socket_that_listens(host: str) -> None:
    """Others reach it; a second one cannot be had there."""
    with bound(Listening(host, 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection((host, port), timeout=5).close()
        with pytest.raises(OSError, match="in use"):
            bound(Listening(host, port))


def test_an_address_of_another_machine() -> None:
    """It cannot be listened at."""
    with pytest.raises(OSError, match="assign"):
        bound(Listening("198.51.100.1", 0))


def test_all_addresses_of_both_versions() -> None:
    """``::`` is reached by IPv4 too."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6")
    with bound(Listening("::", 0)) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5).close()
