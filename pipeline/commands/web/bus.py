"""The client of the broker: messages are handed to the event loop, publications taken from it.

Rules:

* It runs on its own thread, where `Connection` may wait. All that it hands over arrives in the
  event loop, in batches; it takes no more before the last batch has been processed. So what waits
  does so in the connection, which is bounded.
* What is to be published and the broker has not confirmed is bounded too, in messages and bytes:
  beyond that it is not taken.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.settings import BrokerSettings

POLL_S: Final = 0.1
GATHER_S: Final = 0.03
"""At least so long between two batches: results of the same tick come together"""
MOST_WAITING: Final = 10_000
MOST_UNCONFIRMED: Final = 2_000
MOST_UNCONFIRMED_BYTES: Final = 16 << 20
CLOSE_TIMEOUT_S: Final = 2.0

OnBatch = Callable[[Sequence[Message], int, bool], None]
"""Takes messages, the number of connections that there have been, and whether there is one"""


class Bus:
    """The connection to the broker, as the event loop sees it."""

    def __init__(
        self,
        settings: BrokerSettings,
        topics: Sequence[str],
        *,
        optional: Collection[str],
        on_batch: OnBatch,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Prepare it; both callbacks run in the event loop, ``on_failure`` once at most."""
        self.connection = Connection(
            settings,
            name="har-web",
            subscriptions=topics,
            optional=optional,
            most_waiting=MOST_WAITING,
        )
        self.address = self.connection.address
        self._on_batch, self._on_failure = on_batch, on_failure
        self._unconfirmed: deque[tuple[int, Callable[[], None] | None]] = deque()
        self._unconfirmed_bytes = 0
        self._n_made = 0  # publications; changed in the event loop alone
        self._n_confirmed = 0  # of those
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """End the connection; what is not confirmed is given a moment."""
        self._stopping = True
        self.connection.wake()
        self._thread.join(CLOSE_TIMEOUT_S)
        self.connection.close(timeout_s=CLOSE_TIMEOUT_S)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        on_confirmed: Callable[[], None] | None = None,
    ) -> bool:
        """Publish a message at QoS 1; return False if too many are not confirmed yet.

        ``on_confirmed`` is called in the event loop when the broker has it.
        """
        if (
            len(self._unconfirmed) >= MOST_UNCONFIRMED
            or self._unconfirmed_bytes + len(payload) > MOST_UNCONFIRMED_BYTES
        ):
            return False
        self._unconfirmed.append((len(payload), on_confirmed))
        self._unconfirmed_bytes += len(payload)
        self.connection.publish(topic, payload, retain=retain)
        self._n_made += 1  # not before the connection counts it as unconfirmed
        return True

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self.connection.start(retry=True)
            while not self._stopping:
                messages = self.connection.take(timeout_s=POLL_S, gather_s=GATHER_S)
                n_confirmed = self._n_made  # read first: what is made meanwhile is not confirmed
                if n_confirmed > self._n_confirmed:
                    n_confirmed -= len(self.connection.unconfirmed)
                self._hand_over(messages, n_confirmed)
        except Exception as error:  # whatever it is, the pages must not stand still in silence
            if not self._stopping:
                self._loop.call_soon_threadsafe(self._on_failure, error)

    def _hand_over(self, messages: Sequence[Message], n_confirmed: int) -> None:
        """Let the event loop process a batch, and return when it has."""
        assert self._loop is not None
        done = threading.Event()
        n_connections = self.connection.n_connections
        is_up = self.connection.ready.is_set()

        def process() -> None:
            try:
                self._confirm(n_confirmed)
                self._on_batch(messages, n_connections, is_up)
            finally:
                done.set()

        self._loop.call_soon_threadsafe(process)
        while not done.wait(POLL_S) and not self._stopping:
            pass

    def _confirm(self, n_confirmed: int) -> None:
        """Report publications that the broker has confirmed; it does so in their order."""
        while self._n_confirmed < n_confirmed:
            self._n_confirmed += 1
            n_bytes, on_confirmed = self._unconfirmed.popleft()
            self._unconfirmed_bytes -= n_bytes
            if on_confirmed is not None:
                on_confirmed()
