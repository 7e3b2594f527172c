import asyncio
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from pipeline.commands.web.running import ClosingProtocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GOODBYE = b"\x88\x80" + os.urandom(4)
MORE_THAN_IS_BUFFERED = 64 << 20
TIMEOUT_S = 20.0


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_the_server_ends_whatever_browsers_do(says_goodbye: bool) -> None:
    """One that takes nothing of what it is sent, and has closed or not, does not hinder it."""
    accepted = threading.Event()

    async def app(
        scope: dict[str, Any],
        receive: "Callable[[], Awaitable[dict[str, Any]]]",
        send: "Callable[[dict[str, Any]], Awaitable[None]]",
    ) -> None:
        assert "websocket" == scope["type"]
        await receive()
        await send({"type": "websocket.accept"})
        sending = asyncio.ensure_future(
            send({"type": "websocket.send", "bytes": bytes(MORE_THAN_IS_BUFFERED)})
        )
        accepted.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass
        sending.cancel()

    server = uvicorn.Server(
        uvicorn.Config(
            app, ws=ClosingProtocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended: list[BaseException | None] = []

        def run() -> None:
            try:
                server.run(sockets=[listener])
                ended.append(None)
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        with socket.create_connection(listener.getsockname(), TIMEOUT_S) as browser:
            browser.sendall(HANDSHAKE)
            assert accepted.wait(TIMEOUT_S)
            if says_goodbye:
                browser.sendall(GOODBYE)
                [connection] = server.server_state.connections
                while not connection.transport.is_closing():
                    threading.Event().wait(0.01)
            server.should_exit = True
            threading.Event().wait(0.3)
        thread.join(TIMEOUT_S)
    assert [None] == ended
