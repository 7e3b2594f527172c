"""One running har-web: settings made into a server, which runs until a signal.

What can be wrong with the settings shows before anything is served, in one line.
"""

import logging
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from platformdirs import user_state_path
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from pipeline.atomic_file import replacing
from pipeline.commands.listening import Listening, bound, listening, why_not_bound
from pipeline.commands.monitoring.broker import broker_checks
from pipeline.commands.monitoring.monitor import Monitor
from pipeline.commands.web import certificates, links
from pipeline.commands.web.access import Access
from pipeline.commands.web.bus import Bus
from pipeline.commands.web.kept_days import KeptDays
from pipeline.commands.web.links import Links
from pipeline.commands.web.live import OPTIONAL_TOPICS, RESULT_TOPICS, Live
from pipeline.commands.web.metrics import web_families
from pipeline.commands.web.server import Application, application
from pipeline.commands.web.settings import TOKEN_RULE, StartError, WebSettings, is_token
from pipeline.commands.web.sockets import MOST_FRAME_BYTES
from pipeline.program_topics import LOAD_TOPIC, STATUS_TOPIC
from pipeline.subscriptions import subscriptions_of

TOKEN_FILE: Final = "token"
TOKEN_BYTES: Final = 18
SEND_BUFFER_BYTES: Final = 131_072
"""Of a connection in the kernel: what waits there for a slow browser is old when it comes"""
MOST_CONNECTIONS: Final = 2_000
GRACE_S: Final = 3


def _listener(where: Listening) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        StartError: it cannot be.
    """
    try:
        return bound(where, send_buffer_bytes=SEND_BUFFER_BYTES)
    except OSError as error:
        raise StartError(f"listen = '{where.host}:{where.port}': {why_not_bound(error)}") from error


def _kept_token(folder: Path) -> str:
    """Return the token that is kept in a folder, made at the first time.

    Raises:
        StartError: what is kept there is no token.
        OSError: it cannot be written or read.
    """
    file = folder / TOKEN_FILE
    try:
        token = file.read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        token = ""
    if token and not is_token(token):
        raise StartError(f"{str(file)!r}: {TOKEN_RULE}; without the file, a token is made")
    if not token:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with replacing(file, mode=0o600) as unfinished:
            unfinished.write(f"{token}\n".encode())
    return token


def _folder(settings: WebSettings) -> Path:
    """Return the folder of what is kept, made if it is not there.

    Raises:
        StartError: it cannot be.
    """
    folder = settings.keep or user_state_path("har-stream") / "web"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"keep = {str(folder)!r}: {error.strerror}") from error
    return folder


def _token(settings: WebSettings, where: Listening) -> str | None:
    """Return the token that is demanded, None for none.

    Raises:
        StartError: the folder for it cannot be made, or holds no token where one is kept.
        OSError: it cannot be kept.
    """
    if settings.token is not None:
        return settings.token.get_secret_value()
    return None if where.is_loopback else _kept_token(_folder(settings))


def _certificate(
    settings: WebSettings, names: Sequence[str]
) -> tuple[Path | None, Path | None, str | None]:
    """Return the files of certificate and key, and the fingerprint of one that was made here.

    Raises:
        StartError: it cannot be used, or the folder for it cannot be made.
        OSError: it cannot be kept.
    """
    if settings.self_signed:
        file, fingerprint = certificates.self_signed(_folder(settings), names)
        return file, None, fingerprint
    if settings.https_cert is None:
        return None, None, None
    try:
        certificates.check(settings.https_cert, settings.https_key)
    except certificates.CertificateError as error:
        raise StartError(str(error)) from error
    return settings.https_cert, settings.https_key, None


def _days(settings: WebSettings) -> KeptDays | None:
    """Return the days of the history, None if none is to be shown.

    Raises:
        StartError: the history's address is none, or what reads it is not installed.
    """
    if settings.database is None:
        return None
    try:
        return KeptDays(settings.database.get_secret_value())
    except ModuleNotFoundError as error:
        raise StartError(
            f"--database needs {error.name}: pip install 'har-stream[history]'"
        ) from error


def run(settings: WebSettings, monitor: Monitor, *, shows_tokens: bool) -> None:
    """Serve until a signal; the addresses that are printed hold tokens if ``shows_tokens``.

    Raises:
        StartError: the server cannot be started.
        ConnectionError: there will be no connection to the broker.
        SubscriptionError: a subscription is none.
        OSError: token or certificate cannot be kept.
    """
    where = listening(settings.listen)
    subscriptions = subscriptions_of(
        settings.subscribe, with_defaults=settings.default_subscriptions
    )
    days = _days(settings)
    addresses, names = certificates.addresses(), certificates.host_names()
    token = _token(settings, where)
    cert, key, fingerprint = _certificate(settings, ["localhost", *names, *addresses])
    listener = _listener(where)

    is_https = settings.is_https
    access = Access(token, is_https=is_https, hosts=[*names, where.host], origins=settings.origin)
    port: int = listener.getsockname()[1]
    places = Links(access, links.bases(where, port, is_https=is_https, addresses=addresses))
    live = Live(subscriptions)
    failures: list[Exception] = []

    def fail(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    samples = [subscription.filter for subscription in subscriptions]
    bus = Bus(
        settings,
        [*RESULT_TOPICS, STATUS_TOPIC, LOAD_TOPIC, *samples],
        optional=[*OPTIONAL_TOPICS, *samples],
        on_batch=live.take,
        on_failure=fail,
    )
    monitor.begin(
        lambda: web_families(live.counts, live.fleet, bus.connection),
        broker_checks(bus.connection),
    )
    app = application(access, live, bus, places, days=days, on_pulse=monitor.turn)
    server = _server(app, cert, key)
    hint = None
    if token is not None and not shows_tokens:
        hint = "the token" if settings.token else f"what is in {_folder(settings) / TOKEN_FILE}"
    _introduce(places, fingerprint=fingerprint, is_loopback=where.is_loopback, hint=hint)
    if not (is_https or where.is_loopback or settings.origin):
        print("Browsers give these pages no sensors without https: see --self-signed", flush=True)
    server.run(sockets=[listener])
    if failures:
        raise failures[0]


class ClosingProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSockets, which also end where the browser has said goodbye already."""

    def shutdown(self) -> None:
        """Say goodbye, and close the connection.

        While what was sent is not taken, a connection lasts that the browser has closed; uvicorn
        0.54 then says goodbye once more, which raises, and the program would end with exit code 1.
        """
        try:
            super().shutdown()
        except InvalidState:
            self.transport.close()


def _server(app: Application, cert: Path | None, key: Path | None) -> uvicorn.Server:
    """Return the server, which ends with exit code 0 at SIGTERM and SIGINT."""

    def stop(signum: int, frame: FrameType | None) -> None:
        """Do nothing: the server ends itself, and passes the signal on when it has."""

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws=ClosingProtocol,
            loop="asyncio",
            lifespan="on",
            ws_max_size=MOST_FRAME_BYTES,
            ws_per_message_deflate=False,
            ssl_certfile=cert,
            ssl_keyfile=key,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def _introduce(
    places: Links, *, fingerprint: str | None, is_loopback: bool, hint: str | None
) -> None:
    """Print where the pages are, for the eyes and for the camera of a phone.

    With a ``hint`` at where the token is, no address has one.
    """
    for url in places.dashboards if hint is None else places.bare:
        print(f"Dashboard: {url}")
    if is_loopback:
        print("This machine alone reaches it. For phones: --listen 0.0.0.0:8443 --self-signed")
    if hint is not None:
        print(f"To be opened with ?token= and {hint}; the dashboard has the links for phones")
    elif not is_loopback:
        for url in places.phones:
            print(f"Phones:    {url}")
        if sys.stdout.isatty():
            print(links.terminal(places.phones[0]))
    if fingerprint is not None:
        print(f"Certificate (SHA-256): {fingerprint}")
    sys.stdout.flush()
