"""Who may write and read what, with the rights of deploy/: each forbidden thing is tried."""

from collections.abc import Callable
from typing import Final

import pytest

from pipeline.readings import MAX_PAYLOAD_BYTES
from tests.deploy.secure_broker import Guest

RESULTS: Final = ("prediction", "activity", "begins", "episode", "availability", "info")

pytestmark = pytest.mark.broker

_RESULT_TOPICS: Final = [f"har/phone-a/{result}" for result in RESULTS]
_SHOWN: Final = sorted({*_RESULT_TOPICS} - {"har/phone-a/begins"})
"""What har-web shows of a phone"""
_INPUTS: Final = ["har/phone-a/samples", "har/phone-a/label", "har/phone-a/calibration"]
_OTHERS: Final = ["har/phone-b/samples", "har/phone-b/label", "har/phone-b/calibration"]
_OPTIONS: Final = ["har/phone-a/options", "har/phone-b/options"]
_ANNOUNCEMENT: Final = "homeassistant/device/har_phone-a/config"
_TODAY: Final = "har/phone-a/today"

TOPICS: Final = [
    *_INPUTS, *_OTHERS, *_OPTIONS, *_RESULT_TOPICS, "har/phone-b/activity", "har/status",
    "har/load", "har/info", "har/history", "har/samples", "har/bridge/har-bridge",
    "har/phone-a/samples/x", "sensor-logger", "phyphox/phone-a",
    "browser/phone-a", "sensor-logger/phone-a", _TODAY,
    "homeassistant/status", _ANNOUNCEMENT, "elsewhere",
]  # fmt: skip

MAY_WRITE: Final = {
    "phone-a": {"har/phone-a/samples", "har/phone-a/label"},
    "har-stream": {
        *(*_RESULT_TOPICS, "har/phone-b/activity"),
        *("har/status", "har/load", "har/info", _ANNOUNCEMENT),
    },
    "har-bridge": {*_RESULT_TOPICS, "har/phone-b/activity", "har/bridge/har-bridge"},
    "har-calibrate": {"har/phone-a/calibration", "har/phone-b/calibration"},
    "har-record": set(),
    "har-web": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("har/phone-a/label", "har/phone-b/label"),
        *("har/phone-a/calibration", "har/phone-b/calibration"),
        *("browser/phone-a", "sensor-logger/phone-a"),
    },
    "har-history": {"har/history", _TODAY, _ANNOUNCEMENT},
    "reader": set(),
    "home-assistant": {*_OPTIONS, "homeassistant/status", _ANNOUNCEMENT},
    "nobody": set(),
}


@pytest.mark.parametrize("user", MAY_WRITE)
def test_who_may_write_what(visit: Callable[..., Guest], user: str) -> None:
    """A phone writes its own samples and labels, har-stream results; all else is refused."""
    guest = visit(user)
    answers = {topic: guest.answer_to(topic) for topic in TOPICS}
    assert {topic for topic, answer in answers.items() if answer == "Success"} == MAY_WRITE[user]
    assert set(answers.values()) <= {"Success", "Not authorized"}


def test_large_messages(visit: Callable[..., Guest]) -> None:
    """A payload as large as har-stream takes comes through; a larger one is dropped."""
    stream, phone = visit("har-stream"), visit("phone-a")
    stream.subscribe("har/+/samples")
    assert "Success" == phone.answer_to("har/phone-a/samples", bytes(MAX_PAYLOAD_BYTES))
    assert MAX_PAYLOAD_BYTES == len(stream.heard_until("har/phone-a/samples")[-1][1])
    for payload in (bytes(MAX_PAYLOAD_BYTES + 1), b"small"):
        phone.publish("har/phone-a/samples", payload, qos=0)
    assert b"small" == stream.heard_until("har/phone-a/samples")[-1][1]
    assert [] == phone.losses


MAY_READ: Final = {
    "phone-a": {*_RESULT_TOPICS, _TODAY},
    "har-stream": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("browser/phone-a", "sensor-logger/phone-a"),
        *("har/phone-a/calibration", *_OPTIONS, "har/status"),
        *("homeassistant/status", _ANNOUNCEMENT),
    },
    "har-bridge": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("browser/phone-a", "sensor-logger/phone-a"),
        *("har/phone-a/label", "har/phone-a/calibration", *_OPTIONS, "har/bridge/har-bridge"),
    },
    "har-calibrate": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("browser/phone-a", "sensor-logger/phone-a"),
        *("har/phone-a/info", "har/phone-a/calibration"),
    },
    "har-record": {
        *("har/phone-a/samples", "har/phone-b/samples"),
        *("browser/phone-a", "sensor-logger/phone-a"),
        *("har/phone-a/label", "har/phone-a/calibration"),
    },
    "har-web": {
        *("har/phone-a/samples", "har/phone-b/samples", *_SHOWN, "har/phone-b/activity"),
        *("har/phone-a/label", "har/phone-a/calibration", "har/status", "har/load"),
        *("browser/phone-a", "sensor-logger/phone-a"),
    },
    "har-history": {
        *("har/phone-a/prediction", "har/phone-a/episode", "har/history"),
        *("har/phone-a/activity", "har/phone-b/activity", *_OPTIONS, _TODAY),
    },
    "reader": {
        *(*_RESULT_TOPICS, "har/phone-b/activity"),
        *("har/status", "har/load", "har/info", "har/history", _TODAY),
    },
    "home-assistant": {
        *("har/phone-a/activity", "har/phone-a/begins", "har/phone-a/availability"),
        *("har/phone-b/activity", *_OPTIONS, _TODAY),
        *("har/history", "har/status", "homeassistant/status", _ANNOUNCEMENT),
    },
}

PUBLISHED: Final = {
    "phone-a": ["har/phone-a/samples", "har/phone-a/label"],
    "phone-b": ["har/phone-b/samples"],
    "har-stream": [
        *(*_RESULT_TOPICS, "har/phone-b/activity"),
        *("har/status", "har/load", "har/info", _ANNOUNCEMENT),
    ],
    "har-history": ["har/history", _TODAY],
    "har-bridge": ["har/bridge/har-bridge"],
    "home-assistant": ["homeassistant/status", *_OPTIONS],
    "har-web": ["browser/phone-a", "sensor-logger/phone-a"],
    "har-calibrate": ["har/phone-a/calibration"],
}
"""By whom all topics that may be written at all are written, in this order"""


def test_who_may_read_what(visit: Callable[..., Guest]) -> None:
    """A phone hears its own results, the reader all results, neither of them any samples."""
    guests = {user: visit(user) for user in (*MAY_READ, "phone-b", "nobody")}
    for guest in guests.values():
        guest.subscribe("#")
    order = [topic for topics in PUBLISHED.values() for topic in topics]
    for user, topics in PUBLISHED.items():
        for topic in topics:
            assert "Success" == guests[user].answer_to(topic)
    for user, may in MAY_READ.items():
        last = max(may, key=order.index)
        assert {topic for topic, _ in guests[user].heard_until(last)} == may, user
    heard = {topic for topic, _ in guests["phone-b"].heard_until("har/phone-b/activity")}
    assert {"har/phone-b/activity"} == heard
