"""The work that waits, and losses and failures: counted, and logged now and then.

Names that senders make up are forgotten when they are logged, so that counts do not grow with them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Message

logger = EventLog(__name__)

LOG_INTERVAL_S: Final = 10.0
"""The same warning is logged at most this often."""
REPORT_S: Final = 10.0
"""The load is reported this often."""
MOST_NAMED_SENDERS: Final = 5
"""Senders that are named in a line"""


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


class Losses:
    """Losses of one kind, by sender."""

    def __init__(self, what: str) -> None:
        """Begin with none; ``what`` names what is lost, and why."""
        self._what = what
        self._unlogged: Counter[str] = Counter()
        self._next_log = 0.0
        self.total = 0

    def add(self, dropped: Mapping[str, int], now: float) -> None:
        """Count losses by sender, and log them unless some were logged just before."""
        self._unlogged.update(dropped)
        self.total += sum(dropped.values())
        if not self._unlogged or now < self._next_log:
            return
        named = ", ".join(
            f"{name[:100]!r} {n}" for name, n in self._unlogged.most_common(MOST_NAMED_SENDERS)
        )
        more = len(self._unlogged) - MOST_NAMED_SENDERS
        logger.warning(
            "samples-dropped",
            "dropped %(n_dropped)d %(what)s: %(senders)s"
            + (" and %(n_others)d more" if more > 0 else ""),
            n_dropped=self._unlogged.total(),
            what=self._what,
            senders=named,
            n_others=max(0, more),
        )
        self._unlogged.clear()
        self._next_log = now + LOG_INTERVAL_S


class Failures:
    """Messages that could not be processed because of an error of ours, by its place."""

    def __init__(self) -> None:
        """Begin with none."""
        self._logged: set[str] = set()
        self.total = 0

    def add(self, topic: str, error: Exception) -> None:
        """Count a failure, and log it with its traceback, if it is the first of its kind."""
        self.total += 1
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        kind = f"{type(error).__name__} at {where}"
        if kind in self._logged:
            return
        self._logged.add(kind)
        logger.error(
            "message-failed",
            "har-stream failed on what came on %(topic).100r and goes on without it; please report "
            "this",
            topic=topic,
            cause=error,
        )
