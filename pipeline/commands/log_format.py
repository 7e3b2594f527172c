"""A line of the log as JSON: one object an event, whatever names and texts hold.

Keys that every line has: ``time``, ``level``, ``event``, ``message``. Behind them are the event's
fields. What a library logs is the event `LIBRARY`, with the name of its ``logger``; a traceback is
under ``exception``.

A line is ASCII alone. Halves of surrogate pairs, which are no text, are written as Python's
escapes.
"""

import json
import logging
import math
import numbers
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TypeAlias

LIBRARY: Final = "library"
"""The event of a line that is none of ours"""
FIXED_KEYS: Final = ("time", "level", "event", "message", "logger", "exception")
"""Keys with a meaning of their own, which no field may have"""
ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
"""As `sys.exc_info` returns it"""

LONGEST_FIELD: Final = 2_000
"""Characters of a field"""
LONGEST_EXCEPTION: Final = 8_000
"""Characters of a traceback, of which the end tells most"""


class TextFormatter(logging.Formatter):
    """Writes records as text, tracebacks within bounds."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802  # is the name that logging calls
        """Return a traceback, or the end of a very long one."""
        return super().formatException(ei)[-LONGEST_EXCEPTION:]


class JsonFormatter(TextFormatter):
    """Writes records as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        event = event_of(record)
        line: dict[str, object] = {
            "time": rfc_3339(record.created),
            "level": record.levelname.lower(),
            "event": event or LIBRARY,
            "message": _text(record.getMessage()),
        }
        if event is None:
            line["logger"] = record.name
        else:
            line |= {name: _value(value) for name, value in fields_of(record).items()}
        if record.exc_info:
            line["exception"] = _text(self.formatException(record.exc_info))
        return json.dumps(line, allow_nan=False)


def event_of(record: logging.LogRecord) -> str | None:
    """Return the name of the event that a record is of, None if a library logs it."""
    return getattr(record, "event", None)


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """Return the fields of the event that a record is of."""
    return getattr(record, "fields", {})


def rfc_3339(time_s: float) -> str:
    """Return a time in epoch seconds as 2026-11-23T09:30:00.125Z."""
    text = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _value(value: object) -> object:
    """Return a field as JSON has it: numbers and lists of texts as such, all else as a text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else None
    return _text(str(value)[:LONGEST_FIELD])


def _text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
