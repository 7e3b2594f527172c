"""The web server: which address shows what, and to whom.

A first visit may hold a token in its address. It is answered by a cookie and the same address
without the token; so the token is in no history, and in no picture of the screen.
"""

import asyncio
import contextlib
import mimetypes
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pipeline.commands.web import links
from pipeline.commands.web.access import COOKIE_AGE_S, Access, Cookie, device_in_cookie
from pipeline.commands.web.bus import Bus
from pipeline.commands.web.headers import Guard
from pipeline.commands.web.kept_days import KeptDays
from pipeline.commands.web.links import Links
from pipeline.commands.web.live import Live
from pipeline.commands.web.push import BODY_TIMEOUT_S, Pushes
from pipeline.commands.web.sockets import Sockets
from pipeline.event_log import EventLog
from pipeline.readings import MAX_PAYLOAD_BYTES, is_device

logger = EventLog(__name__)

Application = ASGIApp
"""What a server runs"""

PAGES: Final = Path(__file__).parent / "pages"
NEW_NAME: Final = "phone-"
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of a new name, without those that are easily misread"""

NO_TOKEN: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width'><title>har-web</title>"
    "<h1>This page needs its token</h1>"
    "<p>Open the address that har-web printed when it was started, or scan its QR code."
)
ONCE_MORE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>har-web</title>"
    "<meta http-equiv=refresh content='0;url={}'>"
)
"""For a visit from a link of another site: after a redirection from there, the browser would not
send a cookie that is SameSite=Strict"""

for _suffix, _type in ((".js", "text/javascript"), (".css", "text/css"), (".svg", "image/svg+xml")):
    mimetypes.add_type(_type, _suffix)  # the system may know them otherwise


class _Pages:
    """The answers to what browsers ask for."""

    def __init__(
        self, access: Access, live: Live, links: Links, pushes: Pushes, days: KeptDays | None
    ) -> None:
        self._access, self._live, self._links, self._pushes = access, live, links, pushes
        self._days = days

    async def dashboard(self, request: Request) -> Response:
        """Show all phones."""
        token = request.query_params.get("token")
        if token is not None:
            if not self._access.is_token(token):
                return HTMLResponse(NO_TOKEN, 401)
            return self._again(request, "/", self._access.cookie_for_all())
        if self._access.visitor(request.cookies, device=None) is None:
            return HTMLResponse(NO_TOKEN, 401)
        return FileResponse(PAGES / "index.html")

    async def phone(self, request: Request) -> Response:
        """Show the page by which a phone's browser becomes the sensor."""
        token, device = request.query_params.get("token"), request.query_params.get("device")
        if device is not None and not is_device(device):
            return PlainTextResponse("No phone can have this name.", 400)
        if token is not None:
            return self._admit(request, token, device)
        if device is None:
            device = device_in_cookie(request.cookies)
            visitor = self._access.visitor(request.cookies, device=device)
            if device is not None and visitor is not None:
                return RedirectResponse(_of_phone(device), 303)
        if self._access.visitor(request.cookies, device=device) is None:
            return HTMLResponse(NO_TOKEN, 401)
        return FileResponse(PAGES / "phone.html")

    def _admit(self, request: Request, token: str, device: str | None) -> Response:
        """Answer the first visit of a phone."""
        access = self._access
        if access.is_token(token):
            clean = "/phone" if device is None else _of_phone(device)
            return self._again(request, clean, access.cookie_for_all())
        if device is None and access.is_invitation(token):
            known = device_in_cookie(request.cookies)
            if known is not None and access.visitor(request.cookies, device=known) is not None:
                device = known
            else:
                device = self._new_name()
        elif device is None or not access.is_phone_token(token, device):
            return HTMLResponse(NO_TOKEN, 401)
        return self._again(request, _of_phone(device), access.cookie_for_phone(device))

    async def link(self, request: Request) -> Response:
        """Return the phone page's address for a phone, and its QR code."""
        device = request.query_params.get("device", "")
        visitor = self._access.visitor(request.cookies, device=None)
        if visitor is None:
            return PlainTextResponse("This needs the token.", 401)
        if not is_device(device):
            return PlainTextResponse("No phone can have this name.", 400)
        found = [{"url": url, "qr": links.svg(url)} for url in self._links.phone(device)]
        return JSONResponse({"device": device, "addresses": found})

    async def history(self, request: Request) -> Response:
        """Return what a phone's wearer did on a day, as har-history has kept it."""
        if self._access.visitor(request.cookies, device=None) is None:
            return PlainTextResponse("This needs the token.", 401)
        if self._days is None:
            return PlainTextResponse("No history is shown here: see --database.", 404)
        query = request.query_params
        answer = await self._days.answer(
            query.get("device", ""), query.get("day", ""), query.get("zone")
        )
        return Response(
            answer.body,
            answer.status,
            {"cache-control": "no-store"},
            "application/json" if answer.status == 200 else "text/plain",
        )

    async def push(self, request: Request) -> Response:
        """Take a message of Sensor Logger."""
        answer = await self._pushed(request)
        self._live.counts.pushes[answer.status_code] += 1
        return answer

    async def _pushed(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.query_params.get("token", "")
        device = request.query_params.get("device")
        if not self._pushes.may_come(token.strip(), device):
            return PlainTextResponse("the token is missing or wrong", 401)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                payload = await _body(request)
        except TimeoutError:
            return PlainTextResponse("the message did not come in time", 408)
        outcome = self._pushes.take(payload, device)
        headers = {"retry-after": "1"} if outcome.status == 429 else None
        return PlainTextResponse(outcome.words, outcome.status, headers=headers)

    def _new_name(self) -> str:
        while True:
            name = NEW_NAME + "".join(secrets.choice(_LETTERS) for _ in range(4))
            if name not in self._live.fleet.phones:
                return name

    def _again(self, request: Request, clean: str, cookie: Cookie) -> Response:
        """Set a cookie, and let the browser come again without the token."""
        answer: Response
        if request.headers.get("sec-fetch-site") == "cross-site":
            answer = HTMLResponse(ONCE_MORE.format(clean))
        else:
            answer = RedirectResponse(clean, 303)
        answer.headers["cache-control"] = "no-store"
        if self._access.demands_token:
            answer.set_cookie(
                cookie.name,
                cookie.value,
                max_age=COOKIE_AGE_S,
                path="/",
                secure=self._access.is_https,
                httponly=True,
                samesite="strict",
            )
        return answer


async def _body(request: Request) -> bytes:
    """Return a request's body, or the beginning of one that is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_PAYLOAD_BYTES:
            break
    return body


def _of_phone(device: str) -> str:
    return f"/phone?device={quote(device, safe='')}"


def application(
    access: Access,
    live: Live,
    bus: Bus,
    links: Links,
    *,
    days: KeptDays | None = None,
    on_pulse: Callable[[], None],
) -> Application:
    """Return the whole application; it connects to the broker when it is started.

    ``on_pulse`` is called in the event loop, ten times a second.
    """
    pages = _Pages(access, live, links, Pushes(access, bus), days)
    sockets = Sockets(access, live, bus, links, has_history=days is not None)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        bus.start()
        beating = asyncio.create_task(live.run(on_pulse))
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.to_thread(bus.close)

    app = Starlette(
        routes=[
            Route("/", pages.dashboard),
            Route("/phone", pages.phone),
            Route("/link", pages.link),
            Route("/history", pages.history),
            Route("/push", pages.push, methods=["POST"]),
            Mount("/pages", StaticFiles(directory=PAGES)),
            WebSocketRoute("/ws", sockets.serve),
        ],
        lifespan=lifespan,
    )
    return Guard(app, access)
