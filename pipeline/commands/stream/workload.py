"""The work that waits, and how long it takes."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Message

logger = EventLog(__name__)

REPORT_S: Final = 10.0
"""The load is reported this often."""


class Load:
    """The messages that wait, and the age of results."""

    def __init__(self, most_waiting: int, now: float) -> None:
        """Begin idle; times are in monotonic seconds.

        Args:
            most_waiting: messages that may wait.
            now: the time.
        """
        self._most_waiting = most_waiting
        self._ages_s: list[float] = []
        self._begun = now
        self.too_much = False
        """More messages wait than can be processed soon"""

    def add(self, messages: Sequence[Message], now: float) -> None:
        """Note that messages have been processed, and their results published."""
        self._ages_s += [now - message.received for message in messages]

    def watch(self, waiting: int) -> None:
        """Log when too much waits, and when that is over."""
        before = self.too_much
        self.too_much = waiting > self._most_waiting / (10 if before else 2)
        if self.too_much and not before:
            logger.warning(
                "overloaded",
                "overloaded: %(n_waiting)d messages wait; more waits at the broker, or is dropped "
                "at QoS 0",
                n_waiting=waiting,
            )
        elif before and not self.too_much:
            logger.info("caught-up", "caught up")

    def report(self, now: float, *, at_once: bool = False) -> dict[str, object] | None:
        """Return a report since the last one, None if that is not long ago, unless ``at_once``."""
        seconds = now - self._begun
        if (seconds < REPORT_S and not at_once) or seconds <= 0:
            return None
        p50, p99 = np.percentile(self._ages_s or [0.0], [50, 99]) * 1000
        n_messages = len(self._ages_s)
        self._ages_s, self._begun = [], now
        return {
            "messages_per_s": round(n_messages / seconds, 1),
            "latency_ms": {"p50": round(float(p50), 1), "p99": round(float(p99), 1)},
            "overloaded": self.too_much,
        }
