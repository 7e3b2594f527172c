"""The log of a command, limited: whatever comes from outside, it grows at a bounded rate.

The rate of each kind of line, and of all together, is limited; further lines are counted, and the
counts are logged now and then. The kind of a line is the text that the program logs, before names
and numbers are filled in. So logging because of a message needs no other limit.
"""

import atexit
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

MOST_OF_A_KIND: Final = 50
MOST: Final = 200
"""Lines that may come at once"""
PER_S_OF_A_KIND: Final = 0.5
PER_S: Final = 2.0
"""Lines that may come for each further second"""
REPORT_S: Final = 10.0
"""The counts of lines left out are logged at most this often."""
MOST_KINDS: Final = 200
"""Kinds that are distinguished; a library that fills in its texts itself may have any number"""
LONGEST: Final = 2000
"""Characters of a line"""


@dataclass
class _Allowance:
    """Lines that may still come: at most ``most``, and ``per_s`` more for each second."""

    most: float
    per_s: float
    left: float
    at: float
    """Seconds on the monotonic clock when so many were left"""

    def fill(self, now: float) -> None:
        self.left = min(self.most, self.left + (now - self.at) * self.per_s)
        self.at = now


class Bounds:
    """Decides which lines are logged; times are in seconds on the monotonic clock."""

    def __init__(self, now: float) -> None:
        """Begin with nothing logged."""
        self._kinds: dict[str, _Allowance] = {}
        self._all = _Allowance(MOST, PER_S, MOST, now)
        self._left_out: Counter[str] = Counter()
        self._next_report = now

    def allow(self, kind: str, now: float, *, always: bool) -> bool:
        """Return whether a line is to be logged, and count it if not.

        Args:
            kind: its text before anything is filled in.
            now: the time.
            always: other kinds cannot crowd it out; the limit of its kind holds all the same.
        """
        if len(self._kinds) >= MOST_KINDS and kind not in self._kinds:
            kind = "other lines"
        allowance = self._kinds.setdefault(
            kind, _Allowance(MOST_OF_A_KIND, PER_S_OF_A_KIND, MOST_OF_A_KIND, now)
        )
        allowance.fill(now)
        self._all.fill(now)
        if allowance.left < 1 or (self._all.left < 1 and not always):
            self._left_out[kind] += 1
            return False
        allowance.left -= 1
        self._all.left = max(0.0, self._all.left - 1)
        return True

    def report(self, now: float, *, at_once: bool = False) -> str | None:
        """Return what was left out since the last report, None if nothing or that was just now."""
        if not self._left_out or (now < self._next_report and not at_once):
            return None
        self._next_report = now + REPORT_S
        [(kind, n)] = self._left_out.most_common(1)
        total = self._left_out.total()
        self._left_out.clear()
        return f"left out {total} lines, {n} of them like: {kind}"


class _Filter(logging.Filter):
    """Lets a handler log in bounds."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._bounds = Bounds(time.monotonic())
        self._guard = threading.Lock()
        atexit.register(self._report, at_once=True)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == __name__:
            return True
        now = time.monotonic()
        with self._guard:
            kind = f"{record.levelname} {str(record.msg)[:200]}"
            allowed = self._bounds.allow(kind, now, always=record.levelno >= logging.ERROR)
        self._report()
        if allowed and len(message := record.getMessage()) > LONGEST:
            record.msg, record.args = f"{message[:LONGEST]} ...", None
        return allowed

    def _report(self, *, at_once: bool = False) -> None:
        with self._guard:
            report = self._bounds.report(time.monotonic(), at_once=at_once)
        if report is not None:
            self._handler.handle(
                logging.LogRecord(__name__, logging.WARNING, __file__, 0, report, None, None)
            )


def configure(level: int | str, text_format: str, handler: logging.Handler | None = None) -> None:
    """Let all loggers write to standard error, or to a handler, in bounds.

    Args:
        level: least severe lines that are logged.
        text_format: of a line, as `logging` has it.
        handler: where they go.
    """
    handler = logging.StreamHandler() if handler is None else handler
    handler.addFilter(_Filter(handler))
    logging.basicConfig(level=level, format=text_format, handlers=[handler])
