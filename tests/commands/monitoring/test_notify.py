import os
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.commands.monitoring.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """A socket as systemd has one, bound to a path or an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        is_path = request.param == "path"
        receiver.bind(str(tmp_path / "notify") if is_path else f"\0{uuid4().hex}")
        receiver.setblocking(False)
        yield receiver


def environment(heard: socket.socket, **more: str) -> dict[str, str]:
    """Return what systemd puts into the environment."""
    name = heard.getsockname()
    address = name if isinstance(name, str) else "@" + name[1:].decode()
    return {"NOTIFY_SOCKET": address, **more}


def notices(heard: socket.socket) -> list[str]:
    """Return what has come."""
    come = []
    while True:
        try:
            come.append(heard.recv(1_000).decode())
        except BlockingIOError:
            return come


def test_a_whole_life(heard: socket.socket) -> None:
    """Ready, status, and the end are said; a status not twice, and in one line."""
    notifier = Notifier.of(environment(heard))
    notifier.ready()
    for text in ("3 phones", "3 phones", "no\nconnection"):
        notifier.status(text)
    notifier.stopping()
    assert ["READY=1", "STATUS=3 phones", "STATUS=no connection", "STOPPING=1"] == notices(heard)


def test_the_watchdog_hears_half_as_often_again(heard: socket.socket) -> None:
    """A loop that turns often says so after each half of the time that the watchdog waits."""
    notifier = Notifier.of(environment(heard, WATCHDOG_USEC="2000000"))
    for tenth in range(31):
        notifier.turn(100.0 + tenth / 10)
    assert ["WATCHDOG=1"] * 4 == notices(heard)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)},
    ],
)
def test_no_watchdog_is_ours(heard: socket.socket, more: dict[str, str]) -> None:
    """Without one, or with that of another process, turns are not said."""
    Notifier.of(environment(heard, **more)).turn(100.0)
    assert [] == notices(heard)


@pytest.mark.parametrize("address", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/gone"}])
def test_nobody_hears(address: dict[str, str]) -> None:
    """Without a listener nothing happens."""
    notifier = Notifier.of({**address, "WATCHDOG_USEC": "1"})
    notifier.ready()
    notifier.turn(100.0)


def test_who_does_not_read_holds_nobody_up(heard: socket.socket) -> None:
    """Notices that there is no room for are left out."""
    notifier = Notifier.of(environment(heard, WATCHDOG_USEC="2"))
    for turn in range(10_000):
        notifier.turn(float(turn))
    assert notices(heard)
