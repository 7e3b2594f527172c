import pytest

from pipeline.commands.record.labels import decode_label
from pipeline.readings import MessageError


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"walking", ("WALKING", None)),
        (b"", (None, None)),
        (b'{"label": "going upstairs"}', ("GOING_UPSTAIRS", None)),
        (b'{"label": "SITTING", "time": 1.5, "more": 1}', ("SITTING", 1.5)),
        (b'{"label": ""}', (None, None)),
    ],
)
def test_label_messages(payload: bytes, said: tuple[str | None, float | None]) -> None:
    """A label comes as plain text or as JSON, from now on or from a time on."""
    assert said == decode_label(payload)


@pytest.mark.parametrize("payload", [b"\xff", b'{"label": 1}', b"{", b"a.b", b'{"time": 1}'])
def test_label_messages_that_are_none(payload: bytes) -> None:
    """What is no name is refused."""
    with pytest.raises(MessageError) as refused:
        decode_label(payload)
    assert "label" == refused.value.reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"label": "a", "x": ' + b"[" * 3000, "label"),
        (b"a" * 4097, "size"),
        (b'{"label": "' + b" " * 5000 + b'"}', "size"),
    ],
    ids=["deep", "text", "json"],
)
def test_label_messages_that_would_cost_too_much(payload: bytes, reason: str) -> None:
    """What is nested without end, or longer than any label, is refused."""
    with pytest.raises(MessageError) as refused:
        decode_label(payload)
    assert reason == refused.value.reason
