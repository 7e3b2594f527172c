"""The WebSocket ``/ws`` of both pages: who comes, what they send, and what they get.

A browser that sends too fast is read more slowly; one that reads too slowly gets the newest state
when it is ready. What a page sends and does not fit ends its connection, with the reason.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Final, Protocol

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline.commands.web import links
from pipeline.commands.web.access import Access, Visitor
from pipeline.commands.web.bus import Bus
from pipeline.commands.web.feeds import DashboardFeed, Watch
from pipeline.commands.web.limits import Allowance
from pipeline.commands.web.links import Links
from pipeline.commands.web.live import Live, Viewer
from pipeline.commands.web.metrics import Page
from pipeline.commands.web.phone_feed import Frame, PhoneFeed
from pipeline.readings import is_device
from pipeline.recognition.preparation.pace import NEEDED_RATE_HZ
from pipeline.serving.outputs.phone_info import NO_SENSOR, WARNINGS, advice_on

MOST_FRAME_BYTES: Final = 65_536
"""Of a frame from a page"""
FRAMES_PER_S: Final = 20.0
FRAMES_AT_ONCE: Final = 40.0
MOST_DASHBOARDS: Final = 100
MOST_PHONES: Final = 1_000
POLICY: Final = 1008
"""Close code: what came may not come (RFC 6455, 7.4.1)"""
TRY_LATER: Final = 1013
"""Close code: there are too many already (IANA)"""

ADVICE: Final = {
    **{problem: advice_on(problem, needed_rate_hz=NEEDED_RATE_HZ) for problem in WARNINGS},
    "no-accelerometer": NO_SENSOR,
    "no-gyroscope": NO_SENSOR,
    "no-gravity": NO_SENSOR,
}


class Feed(Viewer, Protocol):
    """What one browser gets."""

    due: asyncio.Event

    def frames(self) -> list[bytes]:
        """Return what is new for it."""


class Sockets:
    """All WebSockets."""

    def __init__(
        self, access: Access, live: Live, bus: Bus, links: Links, *, has_history: bool = False
    ) -> None:
        """Begin with none; pages are told whether days can be asked for."""
        self._has_history = has_history
        self._access, self._live, self._bus, self._links = access, live, bus, links
        self._counts = live.counts
        self._watch_decoder = msgspec.json.Decoder(Watch)
        self._frame_decoder = msgspec.json.Decoder(Frame)

    async def serve(self, socket: WebSocket) -> None:
        """Serve a WebSocket to its end."""
        device = socket.query_params.get("device")
        visitor = self._access.visitor(socket.cookies, device=device)
        if visitor is None:
            self._counts.n_refused += 1
            await socket.close(POLICY)  # before it is accepted: HTTP's 403
            return
        await socket.accept()
        try:
            if device is None:
                await self._serve_dashboard(socket, visitor)
            else:
                await self._serve_phone(socket, visitor, device)
        except WebSocketDisconnect:
            return

    async def _serve_dashboard(self, socket: WebSocket, visitor: Visitor) -> None:
        if self._counts.sockets["dashboard"] >= MOST_DASHBOARDS:
            self._counts.n_refused += 1
            await _end(socket, "Too many dashboards are open.", TRY_LATER)
            return
        with self._counted("dashboard"):
            feed = DashboardFeed(self._live)
            addresses = [{"url": url, "qr": links.svg(url)} for url in self._links.phones]
            await self._greet(socket, visitor, addresses)
            feed.pulse()
            await self._exchange(
                socket, feed, lambda d: feed.watch(self._watch_decoder.decode(d)), None
            )

    async def _serve_phone(self, socket: WebSocket, visitor: Visitor, device: str) -> None:
        if not is_device(device):
            await _end(socket, "No phone can have this name.", POLICY)
            return
        if self._counts.sockets["phone"] >= MOST_PHONES:
            self._counts.n_refused += 1
            await _end(socket, "Too many phones are connected.", TRY_LATER)
            return
        with self._counted("phone"):
            feed = PhoneFeed(self._live, self._bus, device)
            await self._greet(socket, visitor, [])
            await self._exchange(
                socket,
                feed,
                lambda d: feed.take(self._frame_decoder.decode(d)),
                feed.take_bytes,
            )

    @contextlib.contextmanager
    def _counted(self, page: Page) -> Iterator[None]:
        """Count a browser, as long as the context lasts."""
        self._counts.visits[page] += 1
        self._counts.sockets[page] += 1
        try:
            yield
        finally:
            self._counts.sockets[page] -= 1

    async def _greet(
        self, socket: WebSocket, visitor: Visitor, addresses: list[dict[str, str]]
    ) -> None:
        hello = {
            "type": "hello",
            "now": round(time.time(), 3),
            "role": visitor.role,
            "device": visitor.device,
            "activities": self._live.fleet.activities,
            "advice": ADVICE,
            "version": version("har-stream"),
            "addresses": addresses,
            "history": self._has_history,
        }
        await socket.send_text(msgspec.json.encode(hello).decode())

    async def _exchange(
        self, socket: WebSocket, feed: Feed, take: "Take", take_bytes: "TakeBytes | None"
    ) -> None:
        """Send what is new, and take what comes, until one side ends it."""
        with self._live.viewed_by(feed):
            sending = asyncio.create_task(self._send(socket, feed))
            try:
                reason = await self._receive(socket, take, take_bytes)
                if reason is not None:
                    sending.cancel()
                    await _end(socket, reason, POLICY)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
                    await sending

    async def _send(self, socket: WebSocket, feed: Feed) -> None:
        """Send what is new as fast as the browser takes it."""
        while True:
            await feed.due.wait()
            feed.due.clear()
            for frame in feed.frames():
                await socket.send_text(frame.decode())
                self._counts.n_frames += 1

    async def _receive(
        self, socket: WebSocket, take: "Take", take_bytes: "TakeBytes | None"
    ) -> str | None:
        """Take what comes; return why the connection is to be ended, None if it has been."""
        allowance = Allowance(FRAMES_AT_ONCE, FRAMES_PER_S, time.monotonic())
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            while not allowance.take(time.monotonic()):
                await asyncio.sleep(allowance.wait_s(time.monotonic()))
            text = message.get("text")
            if text is None:
                if take_bytes is None:
                    return "A frame is to be text."
                take_bytes(message["bytes"])
                continue
            try:
                take(text)
            except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
                return f"A frame does not fit: {error}"


class Take(Protocol):
    """Takes a frame of a page."""

    def __call__(self, text: str, /) -> None:
        """Take it.

        Raises:
            MsgspecError: it does not fit.
        """


TakeBytes = Callable[[bytes], None]
"""Takes a frame of bytes"""


async def _end(socket: WebSocket, reason: str, code: int) -> None:
    frame = {"type": "error", "reason": reason}
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(msgspec.json.encode(frame).decode())
        await socket.close(code)
