"""The log of a command, limited: whatever comes from outside, it grows at a bounded rate.

The rate of each kind of line, and of all together, is limited; further lines are counted, and the
counts are logged now and then. The kind of a line is its event, or the text that a library logs,
before names and numbers are filled in. Of each kind and of all, one origin, which is a phone or a
topic, may use a part: so no phone crowds out what is to be said of another. Logging because of a
message needs no other limit, but takes time: what comes with every message is logged now and then.
"""

import atexit
import logging
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Final, NamedTuple

from pipeline.commands.log_format import JsonFormatter, TextFormatter, event_of, fields_of
from pipeline.commands.log_settings import LogFormat
from pipeline.event_log import EventLog

logger = EventLog(__name__)
_is_json = False  # since `configure` was called

MOST_OF_A_KIND: Final = 50
MOST: Final = 200
"""Lines that may come at once"""
PER_S_OF_A_KIND: Final = 0.5
PER_S: Final = 2.0
"""Lines that may come for each further second"""
MOST_OF_AN_ORIGIN: Final = 10
PER_S_OF_AN_ORIGIN: Final = 0.1
"""Lines of one kind about one phone or topic"""
MOST_OF_AN_ORIGIN_IN_ALL: Final = 40
PER_S_OF_AN_ORIGIN_IN_ALL: Final = 0.4
"""Lines of all kinds about one phone or topic"""
MOST_ORIGINS: Final = 2_000
"""Allowances of origins that are remembered, the latest"""
ORIGINS: Final = ("device", "topic", "origin")
"""Fields that name the origin of a line, the first that there is"""
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


class LeftOut(NamedTuple):
    """How much was not logged."""

    n_lines: int
    n_alike: int
    """Lines of the most frequent kind"""
    kind: str


class Bounds:
    """Decides which lines are logged; times are in seconds on the monotonic clock."""

    def __init__(self, now: float) -> None:
        """Begin with nothing logged."""
        self._kinds: dict[str, _Allowance] = {}
        self._all = _Allowance(MOST, PER_S, MOST, now)
        self._origins: OrderedDict[tuple[str, str], _Allowance] = OrderedDict()
        """By origin and kind, and by origin and no kind; the longest unused first"""
        self._left_out: Counter[str] = Counter()
        self._next_report = now

    def allow(self, kind: str, now: float, *, origin: str | None = None, always: bool) -> bool:
        """Return whether a line is to be logged, and count it if not.

        Args:
            kind: its event, or its text before anything is filled in.
            now: the time.
            origin: the phone or topic that it is about, None if it is about none.
            always: other kinds cannot crowd it out; the limit of its kind holds all the same.
        """
        if len(self._kinds) >= MOST_KINDS and kind not in self._kinds:
            kind = "other lines"
        of_kind = self._kinds.setdefault(
            kind, _Allowance(MOST_OF_A_KIND, PER_S_OF_A_KIND, MOST_OF_A_KIND, now)
        )
        needed = [of_kind, *([] if origin is None else self._of_origin(origin, kind, now))]
        for allowance in (*needed, self._all):
            allowance.fill(now)
        if min(each.left for each in needed) < 1 or (self._all.left < 1 and not always):
            self._left_out[kind] += 1
            return False
        for allowance in (*needed, self._all):
            allowance.left = max(0.0, allowance.left - 1)
        return True

    def _of_origin(self, origin: str, kind: str, now: float) -> list[_Allowance]:
        """Return what is left for lines of a kind about an origin, and for all about it."""
        allowances = []
        for key, most, per_s in (
            ((origin, kind), MOST_OF_AN_ORIGIN, PER_S_OF_AN_ORIGIN),
            ((origin, ""), MOST_OF_AN_ORIGIN_IN_ALL, PER_S_OF_AN_ORIGIN_IN_ALL),
        ):
            allowance = self._origins.pop(key, None) or _Allowance(most, per_s, most, now)
            self._origins[key] = allowance
            allowances.append(allowance)
        while len(self._origins) > MOST_ORIGINS:
            self._origins.popitem(last=False)
        return allowances

    def report(self, now: float, *, at_once: bool = False) -> LeftOut | None:
        """Return what was left out since the last report, None if nothing or that was just now."""
        if not self._left_out or (now < self._next_report and not at_once):
            return None
        self._next_report = now + REPORT_S
        [(kind, n_alike)] = self._left_out.most_common(1)
        left_out = LeftOut(self._left_out.total(), n_alike, kind)
        self._left_out.clear()
        return left_out


class _Filter(logging.Filter):
    """Lets a handler log in bounds."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = Bounds(time.monotonic())
        self._guard = threading.Lock()
        atexit.register(self._report, at_once=True)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == __name__:
            return True
        now = time.monotonic()
        with self._guard:
            kind = f"{record.levelname} {event_of(record) or str(record.msg)[:200]}"
            allowed = self._bounds.allow(
                kind, now, origin=_origin(record), always=record.levelno >= logging.ERROR
            )
        self._report()
        if allowed and len(message := record.getMessage()) > LONGEST:
            record.msg, record.args = f"{message[:LONGEST]} ...", None
        return allowed

    def _report(self, *, at_once: bool = False) -> None:
        with self._guard:
            left_out = self._bounds.report(time.monotonic(), at_once=at_once)
        if left_out is not None:
            logger.warning(
                "lines-left-out",
                "left out %(n_lines)d lines, %(n_alike)d of them like: %(kind)s",
                n_lines=left_out.n_lines,
                n_alike=left_out.n_alike,
                kind=left_out.kind,
            )


def _origin(record: logging.LogRecord) -> str | None:
    """Return the phone or topic that a line is about, None if it is about none."""
    fields = fields_of(record)
    origin = next((fields[name] for name in ORIGINS if fields.get(name) is not None), None)
    return None if origin is None else str(origin)[:200]


def configure(
    log_format: LogFormat,
    level: int | str,
    text_format: str,
    text_handler: logging.Handler | None = None,
    *,
    is_bounded: bool = True,
) -> None:
    """Let all loggers write to standard error.

    Args:
        log_format: form of the lines.
        level: least severe lines that are logged.
        text_format: of a line of text, as `logging` has it.
        text_handler: where text goes, if not to standard error.
        is_bounded: within bounds; a command that reads files of the user's needs none.
    """
    global _is_json
    _is_json = log_format == "json"
    if _is_json:
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
        logging.captureWarnings(True)
        sys.excepthook = _log_crash
        threading.excepthook = _log_crash_of_thread
    else:
        handler = logging.StreamHandler() if text_handler is None else text_handler
        handler.setFormatter(TextFormatter(text_format))
    if is_bounded:
        handler.addFilter(_Filter())
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger(__name__).setLevel(logging.WARNING)  # what is left out is always told


def _log_crash(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logger.error("command-crashed", "%(error)s", error=repr(error), cause=error)


def _log_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    name = None if crash.thread is None else crash.thread.name
    error = crash.exc_value
    logger.error(
        "thread-crashed", "%(thread)s: %(error)s", thread=name, error=repr(error), cause=error
    )


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Return a command's ``main`` that logs why it ends, too, if its log is JSON.

    So whatever is on standard error, from when the settings are read, is JSON.
    """

    @wraps(main)
    def logged() -> None:
        try:
            main()
        except SystemExit as end:
            if not (_is_json and isinstance(end.code, str)):
                raise
            logger.error("command-failed", "%(error)s", error=end.code)
            sys.exit(1)

    return logged
