"""How WebSockets end when har-web does."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState


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
