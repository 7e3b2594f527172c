import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.recognition.results import Change, Episode, Prediction
from pipeline.serving.outputs import phone_topics
from pipeline.vocabulary import ACTIVITIES

START = 1698501144.4


@pytest.mark.parametrize("settling", [False, True])
def test_a_prediction(settling: bool) -> None:
    """It has the contract's keys in their order, times to 1e-6 s and probabilities to 1e-7."""
    probabilities = np.array([0.1, 0.7, 0.05, 0.05, 0.05, 0.05], np.float32)
    one = Prediction(
        "phone-7",
        START + 1e-8,
        START + 2.54,
        1,
        probabilities,
        settling,
        ACTIVITIES,
        "tiny@0badcafe",
    )
    [publication] = phone_topics.predictions([one])
    assert ("har/phone-7/prediction", False) == (publication.topic, publication.retain)
    payload = json.loads(publication.payload)
    rounded = dict(zip(ACTIVITIES, [0.1, 0.7, 0.05, 0.05, 0.05, 0.05], strict=True))
    expected = {
        "device": "phone-7",
        "start": START,
        "end": START + 2.54,
        "activity": "WALKING_UPSTAIRS",
        "probability": 0.7,
        "probabilities": rounded,
        "model": "tiny@0badcafe",
    } | ({"settling": True} if settling else {})
    assert expected == payload
    assert list(expected) == list(payload)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40))
@example([0.00390625, 0.01171875, 1.0])  # halves of the last digit
def test_probabilities_are_rounded_exactly(probabilities: list[float]) -> None:
    """Each is the nearest number of seven decimals, of two as near the even one."""
    published = phone_topics.predictions(
        [
            Prediction(
                "a", START, START, 0, np.array([p, 0.0], np.float32), False, ("X", "Y"), "m@0"
            )
            for p in probabilities
        ]
    )
    found = [json.loads(one.payload)["probability"] for one in published]
    assert [round(p, 7) for p in probabilities] == found


def test_activity_and_episode() -> None:
    """The activity now is retained, an episode is not."""
    now = phone_topics.activity("p", Change(0, "WALKING", START, 0.987654321))
    assert ("har/p/activity", True) == (now.topic, now.retain)
    assert {
        "device": "p", "activity": "WALKING", "since": START, "probability": 0.9876543,
    } == json.loads(now.payload)  # fmt: skip
    past = phone_topics.episode("p", Episode(0, "unknown", START, START + 5, 1.0))
    assert ("har/p/episode", False) == (past.topic, past.retain)
    assert {
        "device": "p", "activity": "unknown", "start": START, "end": START + 5, "probability": 1.0,
    } == json.loads(past.payload)  # fmt: skip


def test_availability() -> None:
    """It is retained, as plain text."""
    online = phone_topics.availability("p", online=True)
    assert ("har/p/availability", b"online", True) == (online.topic, online.payload, online.retain)
    assert b"offline" == phone_topics.availability("p", online=False).payload
