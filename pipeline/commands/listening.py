"""The addresses at which commands listen, ``HOST:PORT``, and the sockets there."""

import errno
import ipaddress
import re
import socket
from typing import Final, NamedTuple

_ADVICE: Final = {
    errno.EADDRINUSE: "; another program is there: choose another port",
    errno.EADDRNOTAVAIL: "; this machine has no such address: 0.0.0.0 stands for all it has",
    errno.EACCES: "; ports below 1024 are the system's: choose another one",
}
"""What to do about an address that cannot be listened at, by the error's number"""


class Listening(NamedTuple):
    """An address to listen at."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether programs of this machine alone reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def listening(text: str) -> Listening:
    """Return the address that ``HOST:PORT`` names.

    Raises:
        ValueError: it is not that.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/\s]+)):(\d{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise ValueError("is to be HOST:PORT, such as 0.0.0.0:8443 for all addresses")
    return Listening(found[1] or found[2], int(found[3]))


def checked_listening(text: str) -> str:
    """Return ``HOST:PORT`` as it is.

    Raises:
        ValueError: it is not that.
    """
    listening(text)
    return text


def bound(where: Listening, *, send_buffer_bytes: int | None = None) -> socket.socket:
    """Return a socket that listens at an address.

    Args:
        where: the address; ``::`` stands for all of both versions of IP, and port 0 for a free one.
        send_buffer_bytes: of each connection in the kernel, the system's default if not given.

    Raises:
        OSError: there is no such address here, or another program is there.
    """
    family, _, _, _, address = socket.getaddrinfo(
        where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        if family == socket.AF_INET6 and where.host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def why_not_bound(error: OSError) -> str:
    """Return why `bound` failed, and what to do about it."""
    return f"{error.strerror or error}{_ADVICE.get(error.errno or 0, '')}"
