"""Notices to systemd: that the program is ready, still turns, or stops, and how it is.

The protocol is that of sd_notify(3): datagrams to the socket that ``NOTIFY_SOCKET`` names, whose
name begins with ``@`` where it is abstract. The watchdog is that of sd_watchdog_enabled(3): within
each ``WATCHDOG_USEC`` it wants a notice, and it is best given after half of that. The library
sdnotify does the same, without the watchdog, and is no longer kept.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Self


class Notifier:
    """Sends notices, if anybody asked for them."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        """Begin with nothing sent.

        Args:
            address: path of a socket, or its abstract name behind a ``@``; None for nobody.
            watchdog_s: seconds within which `turn` must be called, None for no bound.
        """
        self._address = None
        if address is not None:
            self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = None if watchdog_s is None else watchdog_s / 2
        self._next_turn = 0.0  # monotonic seconds
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return that which the environment asks of this process."""
        address = environment.get("NOTIFY_SOCKET")
        watchdog = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wants = watchdog.isdecimal() and int(watchdog) > 0 and is_ours
        return cls(address or None, int(watchdog) / 1e6 if wants else None)

    def ready(self) -> None:
        """Say that the program has started."""
        self._send("READY=1")

    def turn(self, now: float) -> None:
        """Say that the program's loop turns, when it is time; ``now`` is in monotonic seconds."""
        if self._every_s is not None and now >= self._next_turn:
            self._next_turn = now + self._every_s
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say how the program is, in a line, unless that has been said."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """Say that the program stops."""
        self._send("STOPPING=1")

    def _send(self, notice: str) -> None:
        if self._address is None:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK  # who does not read holds nobody up
        with socket.socket(socket.AF_UNIX, kind) as sender, contextlib.suppress(OSError):
            sender.sendto(notice.encode(), self._address)
