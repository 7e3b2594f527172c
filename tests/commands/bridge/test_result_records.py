import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.bridge.result_records import FlawError, Headers, result_of
from pipeline.kafka_records import RESULT_LEAVES, Origin
from pipeline.messages import Publication
from pipeline.readings import is_device
from tests.commands.bridge.made_records import MadeRecord, result

MOST = 1_000


@pytest.mark.parametrize("leaf", sorted(RESULT_LEAVES))
def test_a_result(leaf: str) -> None:
    """Its payload is published on the topic of its header, retained if it says so."""
    found = result_of(result("p 1", leaf, b"x", retain=b"1", origin="run/3/17"), most_bytes=MOST)
    assert Publication(f"har/p 1/{leaf}", b"x", True) == found.publication
    assert Origin(b"run/3", 17) == found.origin
    assert (leaf in ("prediction", "episode")) == found.is_unrepeated
    for retain in (None, b"0", b"", b"true"):
        found = result_of(result("p 1", leaf, b"", retain=retain), most_bytes=MOST)
        assert Publication(f"har/p 1/{leaf}", b"", False) == found.publication
        assert found.origin is None


TOPIC: Headers = [("topic", b"har/p/info")]


@pytest.mark.parametrize(
    ("record", "flaw"),
    [
        (MadeRecord(b"p", b"x", None), "topic"),
        (MadeRecord(b"p", b"x", [("topic", None)]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"har/p/samples")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"har/p/calibration")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"har/p/today")]), "topic"),
        (MadeRecord(b"status", b"x", [("topic", b"har/status")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"/har/p/info")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"har/p/info/")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"HAR/p/info")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"har/\xff/info")]), "topic"),
        (MadeRecord(b"p", b"x", [("topic", b"homeassistant/p/config")]), "topic"),
        (MadeRecord(b"", b"x", [("topic", b"har//info")]), "device"),
        (MadeRecord(b"#", b"x", [("topic", b"har/#/info")]), "device"),
        (MadeRecord(b"$SYS", b"x", [("topic", b"har/$SYS/info")]), "device"),
        (MadeRecord(b"a\0", b"x", [("topic", b"har/a\0/info")]), "device"),
        (MadeRecord(b"x" * 65, b"x", [("topic", b"har/%b/info" % (b"x" * 65))]), "device"),
        (MadeRecord(None, b"x", TOPIC), "key"),
        (MadeRecord(b"q", b"x", TOPIC), "key"),
        (MadeRecord(b"p", None, TOPIC), "value"),
        (MadeRecord(b"p", b"x" * MOST, TOPIC), "size"),
        (MadeRecord(b"p", b"x", [*TOPIC, ("origin", b"1")]), "origin"),
        (MadeRecord(b"p", b"x", [*TOPIC, ("origin", "ü/1")]), "origin"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value.headers())[:50],
)
def test_what_is_no_result(record: MadeRecord, flaw: str) -> None:
    """What is wrong with it is told in a word."""
    with pytest.raises(FlawError) as error:
        result_of(record, most_bytes=MOST)
    assert flaw == error.value.flaw
    assert len(str(error.value)) < 400


NAMES = st.sampled_from(["topic", "retain", "retained", "origin", "x"])
PARTS = st.sampled_from(
    [b"har", b"p", b"+", b"#", b"info", b"prediction", b"samples", b"$SYS", b""]
)
TOPICS = st.lists(PARTS, max_size=5).map(b"/".join) | st.binary(max_size=30)
VALUES = st.none() | st.binary(max_size=20) | TOPICS


@given(VALUES, VALUES, st.none() | st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_nothing_foreign_is_published(
    key: bytes | None, value: bytes | None, headers: Headers | None
) -> None:
    """Whatever a record holds, it comes on a result's topic of its key, or nowhere."""
    try:
        found = result_of(MadeRecord(key, value, headers), most_bytes=MOST)
    except FlawError:
        return
    har, device, leaf = found.publication.topic.split("/")
    assert "har" == har
    assert leaf in RESULT_LEAVES
    assert is_device(device)
    assert device.encode() == key
    assert value == found.publication.payload
