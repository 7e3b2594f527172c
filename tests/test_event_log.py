"""All calls that log: each event has a name, one meaning, and the fields that its text names."""

import logging
import re
from collections import defaultdict

import pytest

from pipeline.commands.log_format import FIXED_KEYS, LIBRARY
from pipeline.event_log import EventLog
from tests import events_table
from tests.events_table import NAMED, SOURCES, Call, all_calls

CALLS = all_calls()


def test_the_calls_are_found() -> None:
    """As many as lines of source begin one, so that none escapes the tests below."""
    begun = re.compile(r"^\s+(logger\.(?!_)|log\()", re.MULTILINE)
    assert sum(len(begun.findall(path.read_text())) for path in SOURCES) == len(CALLS)


def test_modules_log_events_alone() -> None:
    """No module has a logger of `logging` beside, whose lines would have no names."""
    allowed = {"pipeline/event_log.py", "pipeline/commands/log.py"}
    own = re.compile(r"logging\.(getLogger\(__name__\)|debug|info\(|warning\(|error|exception)")
    found = {
        path.relative_to(events_table.ROOT).as_posix()
        for path in SOURCES
        if own.search(path.read_text())
    }
    assert found <= allowed


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.event} {call.where}")
def test_an_event_has_a_name_and_its_fields(call: Call) -> None:
    """The name is in kebab case, and the text names fields that are given."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", call.event)
    assert call.event != LIBRARY
    assert set(NAMED.findall(call.text)) <= set(call.fields)
    assert not set(call.fields) & {*FIXED_KEYS, "**"}
    assert NAMED.sub("", call.text).count("%") == 0


def test_a_name_has_one_meaning() -> None:
    """Calls of one name have one text."""
    texts = defaultdict(set)
    for call in CALLS:
        texts[call.event].add(call.text)
    assert not [event for event, found in texts.items() if len(found) > 1]


def test_the_page_lists_the_events() -> None:
    """The table in docs/reference/logs.md is the one made from the code."""
    assert events_table.table() in events_table.PAGE.read_text()


def test_what_a_record_holds(caplog: pytest.LogCaptureFixture) -> None:
    """Text, name and fields, and the place of the call; a text without fields may hold a ``%``."""
    logger = EventLog("anything")
    with caplog.at_level(logging.DEBUG):
        logger.info("phone-admitted", "%(device)s: admitted", device="phone-7")
        logger.debug("half-full", "50% are full")
        logger.error("message-failed", "failed", cause=ValueError("why"))
    admitted, half, failed = caplog.records
    assert ("anything", "INFO", "phone-7: admitted") == (
        admitted.name, admitted.levelname, admitted.getMessage(),
    )  # fmt: skip
    assert ("phone-admitted", {"device": "phone-7"}) == (
        getattr(admitted, "event", None), getattr(admitted, "fields", None),
    )  # fmt: skip
    assert "test_event_log.py" == admitted.filename
    assert "50% are full" == half.getMessage()
    assert failed.exc_info is not None
    assert "why" == str(failed.exc_info[1])
