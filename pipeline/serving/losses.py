"""Losses and failures: counted, and logged now and then.

Names that senders make up are forgotten when they are logged, so that counts do not grow with them.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from pipeline.event_log import EventLog

logger = EventLog(__name__)

LOG_INTERVAL_S: Final = 10.0
"""The same warning is logged at most this often."""
MOST_NAMED_SENDERS: Final = 5
"""Senders that are named in a line"""


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
