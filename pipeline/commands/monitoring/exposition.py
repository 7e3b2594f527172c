"""The text that Prometheus reads: what the program has counted, and what the system says of it.

The program's loop hands in families, complete and consistent, every other second. The text is made
of the last ones when it is asked for, and then kept: however many ask, it is made once a second.
"""

import threading
import time
from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from pipeline.commands.monitoring.families import Family

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
KEPT_S: Final = 1.0
"""How long a text is given out"""


class Exposition:
    """The metrics of this process."""

    def __init__(self) -> None:
        """Begin with those of the process and of Python."""
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(self)
        self._families: tuple[Family, ...] = ()
        self._guard = threading.Lock()
        self._text = b""
        self._made = -KEPT_S  # monotonic seconds

    def publish(self, families: Iterable[Family]) -> None:
        """Put families in place of those before; nothing in them may change any more."""
        self._families = tuple(families)

    def collect(self) -> Iterable[Family]:
        """Return the families, as a collector of prometheus_client."""
        return self._families

    def text(self) -> bytes:
        """Return all metrics, at most a second older than what was published last."""
        with self._guard:
            now = time.monotonic()
            if now - self._made >= KEPT_S:
                self._text, self._made = generate_latest(self._registry), now
            return self._text
