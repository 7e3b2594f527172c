import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.options_message import MAX_DISPLAY_NAME, decode_options
from pipeline.readings import MessageError


@pytest.mark.parametrize(
    "name", ["Anna's phone", "Küche", "n" * MAX_DISPLAY_NAME, "\u0645\u06cc\u200c\u062e", "👨‍👩‍👧"]
)
def test_names(name: str) -> None:
    """A name is of any writing; spaces around it and other keys do not count."""
    payload = json.dumps({"name": f" {name}\n", "colour": "red"}).encode()
    assert name == decode_options(payload)


def test_a_name_is_taken_back() -> None:
    """An empty message leaves no name."""
    assert decode_options(b"") is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"Anna's phone", "json"),
        (b'{"name": "\xff"}', "json"),
        (b"[" * 1000, "field"),
        (b"{}", "field"),
        (b'{"name": 7}', "field"),
        (b'{"name": null}', "field"),
        (b'{"name": " "}', "options"),
        (b'{"name": "%s"}' % (b"n" * (MAX_DISPLAY_NAME + 1)), "options"),
        (b'{"name": "a\\u0000b"}', "options"),
        (b'{"name": "a\\nb"}', "options"),
        (b'{"name": "\\u202edlrow"}', "options"),
        (b'{"name": "%s"}' % (b" " * 1024), "size"),
    ],
)
def test_what_is_no_name(payload: bytes, reason: str) -> None:
    """What cannot be shown as a name is rejected, with a reason of a small set."""
    with pytest.raises(MessageError) as raised:
        decode_options(payload)
    assert reason == raised.value.reason


@given(st.text())
def test_any_text(name: str) -> None:
    """Whatever comes, a name is short and of one line, or is rejected."""
    payload = json.dumps({"name": name}).encode()
    try:
        decoded = decode_options(payload)
    except MessageError:
        return
    assert decoded is not None
    assert 1 <= len(decoded) <= MAX_DISPLAY_NAME
    assert 1 == len(decoded.splitlines())
