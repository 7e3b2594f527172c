"""When the time is written into the samples' partitions, by which recognizers know who is silent.

A phone is silent once its partition has later records, and none of its own; where few phones send,
no others may come. Rules: the time is written now and then, while all that phones have sent is on
its way to Kafka. That is not known while there is no connection, nor while the broker holds
messages back, nor just after.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

EVERY_S: Final = 2.0
CATCH_UP_S: Final = 4.0
"""Time in which what waited at the broker comes here and goes to Kafka"""


class Inflow(Protocol):
    """What is known of what comes from the broker."""

    ready: threading.Event
    """Messages can come"""

    def was_held_back(self) -> bool:
        """Return whether some may have been held back since this was called last."""


class PartitionTimes:
    """Writes the time into all partitions, when it is due."""

    def __init__(self, inflow: Inflow, write: Callable[[], None]) -> None:
        """Begin; ``write`` writes what time it is into each partition."""
        self._inflow = inflow
        self._write = write
        self._next = 0.0
        self._next_look = 0.0

    def keep(self, now: float) -> None:
        """Write the time if it is due; ``now`` is in monotonic seconds."""
        if now < self._next_look:
            return
        self._next_look = now + EVERY_S / 4
        if not self._inflow.ready.is_set() or self._inflow.was_held_back():
            self._next = now + CATCH_UP_S
        elif now >= self._next:
            self._next = now + EVERY_S
            self._write()
