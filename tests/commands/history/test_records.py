import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.history.records import (
    PredictionRow,
    microseconds,
    packed,
    row_of,
    seconds,
    unpacked,
)
from pipeline.messages import Message, Publication
from pipeline.readings import MessageError
from pipeline.recognition.results import Episode, Prediction
from pipeline.serving.outputs import phone_topics
from tests.commands.history.published import PROBABILITIES, episode, message, prediction


def delivered(publication: Publication) -> Message:
    """Return a publication as it is delivered."""
    return message(publication.topic, publication.payload)


@given(
    times=st.tuples(st.floats(1e9, 4e9), st.floats(0, 10)),
    probabilities=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8),
    settling=st.booleans(),
)
def test_what_is_published_of_a_window_is_kept_to_the_last_digit(
    times: tuple[float, float], probabilities: list[float], settling: bool
) -> None:
    """Times and probabilities are read back as the very numbers on the wire."""
    names = tuple(f"ACTIVITY_{k}" for k in range(len(probabilities)))
    window = Prediction(
        "phöne 7", times[0], sum(times), 1, np.array(probabilities, "f4"), settling, names, "m@1"
    )
    [publication] = phone_topics.predictions([window])
    row = row_of(delivered(publication))
    assert isinstance(row, PredictionRow)
    assert round(times[0], 6) == seconds(row.start)
    assert round(sum(times), 6) == seconds(row.end)
    published = [round(float(p), 7) for p in np.array(probabilities, "f4")]
    assert published == unpacked(row.probabilities)
    assert (published[1], settling) == (row.probability, row.settling)
    assert ("phöne 7", "ACTIVITY_1", "m@1", names) == (
        row.device,
        row.activity,
        row.model,
        row.activities,
    )


@given(start=st.floats(0, 4e9), length=st.floats(0, 1e6), probability=st.floats(0, 1))
def test_what_is_published_of_an_episode_is_kept(
    start: float, length: float, probability: float
) -> None:
    """All of an episode is kept as it is on the wire."""
    finished = Episode(0, "transition", start, start + length, probability)
    row = row_of(delivered(phone_topics.episode("a", finished)))
    assert (round(start, 6), round(start + length, 6), round(probability, 7)) == (
        seconds(row.start),
        seconds(row.end),
        row.probability,
    )


@given(st.integers(0, 10**17))
def test_microseconds_are_exact(time: int) -> None:
    """A time is the same number after it has been seconds, until the year 5138."""
    assert time == microseconds(seconds(time)) or time > 2**53


def test_probabilities_take_four_bytes_each() -> None:
    """They are float32, little-endian."""
    assert b"\0\0\x80\x3f\0\0\0\0" == packed([1.0, 0.0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    key=st.sampled_from(["device", "start", "end", "activity", "probability", "probabilities"]),
    value=JSON,
    kind=st.sampled_from(["prediction", "episode"]),
)
def test_whatever_comes_is_a_row_or_rejected(key: str, value: object, kind: str) -> None:
    """There is no other error; and what is kept a database can hold."""
    whole = json.loads(prediction("a").payload) | {key: value}
    try:
        row = row_of(message(f"har/a/{kind}", whole))
    except MessageError:
        return
    assert 0 <= row.start <= row.end < 10**17
    assert 0 <= row.probability <= 1
    assert "\0" not in row.activity


@given(st.binary(max_size=200))
def test_any_bytes_are_rejected(payload: bytes) -> None:
    """No message is taken that has not all that is published."""
    with pytest.raises(MessageError):
        row_of(message("har/a/prediction", payload))


NAMES_TOO_MANY = {f"A{k}": 0.0 for k in range(65)} | {"WALKING": 0.9}


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("json", message("har/a/prediction", b"")),
        ("json", message("har/a/prediction", b"\x00\xff")),
        ("json", message("har/a/episode", b'{"device": "a", "start": NaN}')),
        ("field", message("har/a/episode", b"[" * 8000)),
        ("field", message("har/a/episode", b"[]")),
        ("field", prediction("a", end="tomorrow")),
        ("field", prediction("a", probabilities=[0.9])),
        ("field", prediction("a", probabilities={"SITTING": 1.0})),
        ("field", episode("a", probability=None)),
        ("time", prediction("a", end=1e300)),
        ("time", prediction("a", start=-1.0)),
        ("time", prediction("a", start=1e6, end=1e6 - 1)),
        ("time", prediction("a", start=1e6, end=1e6 + 100)),
        ("time", episode("a", start=1e12, end=1e12)),
        ("time", episode("a", start=5.0, end=4.0)),
        ("magnitude", episode("a", probability=1.5)),
        ("magnitude", prediction("a", probabilities=PROBABILITIES | {"LAYING": -0.1})),
        ("field", episode("a", activity="WALK\x00ING")),
        ("json", episode("a", activity="W\ud800")),
        ("field", episode("a", activity="")),
        ("field", prediction("a", model="m" * 129)),
        ("field", prediction("a", model="m\n")),
        ("field", prediction("a", probabilities=PROBABILITIES | {"\x1b[2J": 0.0})),
        ("length", prediction("a", probabilities=NAMES_TOO_MANY)),
        ("device", episode("a" * 300)),
        ("device", episode("")),
        ("device", message("har/a/b/episode", b"{}")),
        ("device", message("har/b/episode", episode("a").payload)),
        ("size", message("har/a/prediction", b" " * 200_000)),
        ("size", Message("har/a/prediction", b"", 0.0, 1, oversize=2_000_000)),
    ],
)
def test_what_har_stream_does_not_publish_is_rejected(reason: str, bad: Message) -> None:
    """A message that does not fit is rejected for a reason of a fixed set."""
    with pytest.raises(MessageError) as raised:
        row_of(bad)
    assert reason == raised.value.reason
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) <= 500
