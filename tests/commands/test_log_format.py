import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.log_format import (
    FIXED_KEYS,
    LONGEST_EXCEPTION,
    LONGEST_FIELD,
    JsonFormatter,
    rfc_3339,
)


def written(text: str, *, event: str | None = "phone-admitted", **fields: object) -> dict[str, Any]:
    """Return a line as it is read again."""
    record = logging.LogRecord(
        "pipeline.any", logging.WARNING, "any.py", 1, text, (fields,) if fields else None, None
    )
    if event is not None:
        record.event, record.fields = event, fields
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    read = json.loads(line, parse_constant=lambda constant: 1 / 0)
    assert isinstance(read, dict)
    return read


def test_an_event() -> None:
    """It has its keys in their order, then its fields, numbers as numbers."""
    line = written(
        "%(device)s: %(count)d", device="phone-7", count=np.int64(3), share=np.float32(0.5), up=True
    )
    assert [*FIXED_KEYS[:4], "device", "count", "share", "up"] == list(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert {
        "level": "warning", "event": "phone-admitted", "message": "phone-7: 3",
        "device": "phone-7", "count": 3, "share": 0.5, "up": True,
    } == line  # fmt: skip


def test_the_time_is_utc() -> None:
    """Whatever the machine's time zone is."""
    assert "2023-10-28T22:59:04.400Z" == rfc_3339(1_698_533_944.4)


def test_what_a_library_logs() -> None:
    """It has no name of its own."""
    line = written("something", event=None)
    assert ("library", "pipeline.any") == (line["event"], line["logger"])


def test_values_that_json_has_not() -> None:
    """Numbers that are none are null, paths and errors are texts."""
    line = written("any", a=float("nan"), b=float("inf"), c=Path("x/y"), d=ValueError("e"), f=None)
    assert [None, None, "x/y", "e", None] == [line[name] for name in "abcdf"]


@given(st.text(st.characters(codec=None), max_size=200), st.text(max_size=30))
def test_whatever_names_hold(name: str, other: str) -> None:
    """Surrogates, newlines, quotes and controls stay within their line, which any reader takes."""
    line = written("%(device)s is %(other)r", device=name, other=other)
    assert name.encode(errors="backslashreplace").decode() == line["device"]
    for text in line.values():
        text.encode()


def test_long_values() -> None:
    """A name of 2,000 characters is whole; longer ones are cut."""
    assert LONGEST_FIELD == len(written("any", device="é" * 2_000)["device"])
    assert LONGEST_FIELD == len(written("any", device="é" * 2_001)["device"])


def test_an_exception() -> None:
    """Its traceback is a field, the end of it if it is very long."""
    try:
        raise ValueError("x" * 20_000 + "\nthe end \udc80")
    except ValueError:
        record = logging.LogRecord("any", logging.ERROR, "any.py", 1, "why", None, sys.exc_info())
    exception = json.loads(JsonFormatter().format(record))["exception"]
    assert exception.endswith("the end \\udc80")
    assert LONGEST_EXCEPTION <= len(exception) < LONGEST_EXCEPTION + 10
