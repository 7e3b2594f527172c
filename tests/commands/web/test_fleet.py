import json
from typing import Any

import msgspec
import pytest

from pipeline.commands.web.fleet import MOST_BYTES, MOST_PHONES, Fleet
from pipeline.readings import MessageError
from pipeline.vocabulary import ACTIVITIES

NOW = 1.7e9


def tell(fleet: Fleet, leaf: str, content: object, device: str = "anna", **at: float) -> None:
    """Let a message on one of a phone's topics come."""
    payload = content if isinstance(content, bytes) else msgspec.json.encode(content)
    fleet.take(device, leaf, payload, received=at.get("received", 0.0), now=at.get("now", NOW))


def prediction(start: float = NOW, activity: str = "WALKING", **others: float) -> dict[str, object]:
    """Return a prediction as har-stream publishes it."""
    probabilities = dict.fromkeys(others or ACTIVITIES, 0.0) | {activity: 0.9}
    return {
        "device": "anna", "start": start, "end": start + 2.54, "activity": activity,
        "probability": 0.9, "probabilities": probabilities, "model": "m@1",
    }  # fmt: skip


def patches(fleet: Fleet, since: int = 0) -> Any:  # noqa: ANN401 (any JSON)
    """Return the patches that a browser gets, as it reads them."""
    return json.loads(msgspec.json.encode(fleet.patches(since)[0]))


def test_what_is_retained_makes_a_phone() -> None:
    """Activity, availability and info are all that a card begins with."""
    fleet = Fleet()
    tell(fleet, "availability", b"online")
    tell(fleet, "activity", {"activity": "SITTING", "since": NOW, "probability": 0.75})
    tell(fleet, "info", {"device": "anna", "rates_hz": {"motion": 50, "gravity": 47}, "x": [1]})
    expected = {
        "availability": "online",
        "activity": {"activity": "SITTING", "since": NOW, "probability": 0.75},
        "info": {"device": "anna", "rates_hz": {"motion": 50, "gravity": 47}, "x": [1]},
        "rate": 47.0,
        "ribbon": [[NOW, NOW, "SITTING", 0.75]],
    }
    assert {"anna": expected} == patches(fleet)


def test_a_prediction() -> None:
    """It is told, with its latency, and the ribbon goes on."""
    fleet = Fleet()
    tell(fleet, "activity", {"activity": "WALKING", "since": NOW, "probability": 0.75})
    fleet.note_samples("anna", 10.0)
    before = fleet.version
    tell(fleet, "prediction", prediction(), received=10.025)
    expected = {
        "prediction": {
            "start": NOW, "end": NOW + 2.54, "activity": "WALKING", "probability": 0.9,
        },
        "latency": 0.025,
        "ribbon": [[NOW, NOW + 2.54, "WALKING", 0.75]],
    }  # fmt: skip
    assert {"anna": expected} == patches(fleet, before)


def test_a_browser_gets_what_it_has_not_seen() -> None:
    """Only the phones, and of them the keys, that have changed since."""
    fleet = Fleet()
    tell(fleet, "availability", b"online")
    tell(fleet, "availability", b"online", device="ben")
    seen = fleet.version
    tell(fleet, "availability", b"offline")
    assert {"anna": {"availability": "offline"}} == patches(fleet, seen)
    seen = fleet.version
    tell(fleet, "availability", b"offline")
    assert {} == patches(fleet, seen)


def test_a_phone_that_is_forgotten() -> None:
    """An empty availability takes it away; one that comes again is told as a whole."""
    fleet = Fleet()
    tell(fleet, "availability", b"online")
    seen = fleet.version
    tell(fleet, "availability", b"")
    assert ({}, ["anna"]) == fleet.patches(seen)
    seen = fleet.version
    assert ({}, []) == fleet.patches(seen)
    tell(fleet, "availability", b"online")
    assert ({"anna": {"availability": "online"}}, []) == (
        patches(fleet, seen), fleet.patches(seen)[1],
    )  # fmt: skip


def test_empty_messages_of_phones_that_are_not_there() -> None:
    """What takes back what was retained makes no phone."""
    fleet = Fleet()
    for leaf in ("availability", "activity", "info", "calibration"):
        tell(fleet, leaf, b"")
    assert {} == fleet.phones


@pytest.mark.parametrize(
    ("leaf", "payload"),
    [
        ("activity", b"WALKING"),
        ("activity", b'{"activity": 1, "since": 0, "probability": 1}'),
        ("activity", b'{"activity": "WALKING", "since": 1e300, "probability": 1}'),
        ("activity", b'{"activity": "WALKING", "since": -1, "probability": 1}'),
        ("activity", b'{"activity": "WALKING", "since": 0, "probability": 9}'),
        ("activity", b'{"activity": "", "since": 0, "probability": 1}'),
        ("availability", b"\xff"),
        ("info", b'{"warnings": "low-rate"}'),
        ("info", b'{"advice": {"low-rate": "walk"}}'),
        ("info", b'{"frame": 5}'),
        ("info", b'{"rates_hz": [50]}'),
        ("info", b'{"rejected": "much"}'),
        ("episode", b'{"activity": "WALKING", "start": 0, "end": 1e300, "probability": 1}'),
        ("info", b"[]"),
        ("info", b'{"rates_hz": {"motion": 50}, "x": '),
        ("info", b'{"device": "\xff"}'),
        ("prediction", b"{}"),
        ("episode", b'{"activity": "WALKING"}'),
        ("label", b"\xff"),
        ("calibration", b'{"v": 1}'),
        ("info", b"[" * 100_000),
        ("activity", b" " * (MOST_BYTES + 1)),
    ],
)
def test_messages_that_do_not_fit(leaf: str, payload: bytes) -> None:
    """They change nothing, and make no phone."""
    fleet = Fleet()
    with pytest.raises(MessageError):
        tell(fleet, leaf, payload)
    assert (0, {}) == (fleet.version, fleet.phones)


@pytest.mark.parametrize("part", ["start", "end", "probability", "probabilities"])
def test_predictions_that_do_not_fit(part: str) -> None:
    """Numbers that no window can have change nothing."""
    fleet = Fleet()
    number = {"WALKING": 1e300} if part == "probabilities" else 1e300
    with pytest.raises(MessageError):
        tell(fleet, "prediction", prediction() | {part: number})
    assert (0, {}) == (fleet.version, fleet.phones)


@pytest.mark.parametrize(
    "payload",
    [b"[]", b'{"troubles": "some"}', b'{"latency_ms": 5}', b'{"latency_ms": {"p50": "x"}}'],
)
def test_loads_that_do_not_fit(payload: bytes) -> None:
    """That of before stays."""
    fleet = Fleet()
    fleet.set_load(b'{"troubles": ["a"], "more": [1]}')
    with pytest.raises(MessageError):
        fleet.set_load(payload)
    assert b'{"troubles": ["a"], "more": [1]}' == bytes(fleet.load)


def test_names_that_no_phone_can_have() -> None:
    """They are refused as everywhere."""
    with pytest.raises(MessageError):
        tell(Fleet(), "availability", b"online", device="$x")


def test_the_activities_are_those_of_the_models() -> None:
    """They are learnt from predictions, in their order; another model's are added."""
    fleet = Fleet()
    assert list(ACTIVITIES) == fleet.activities
    tell(fleet, "prediction", prediction(activity="ROWING", CYCLING=0.0, ROWING=0.0))
    assert ["CYCLING", "ROWING"] == fleet.activities
    tell(fleet, "prediction", prediction(activity="WALKING", WALKING=0.0, ROWING=0.0))
    assert ["CYCLING", "ROWING", "WALKING"] == fleet.activities


def test_truth_is_told_where_there_are_labels() -> None:
    """Windows, those that were right, and the confusion matrix."""
    fleet = Fleet()
    tell(fleet, "label", {"label": "SITTING", "time": NOW})
    tell(fleet, "prediction", prediction(NOW, "SITTING", SITTING=0, WALKING=0))
    tell(fleet, "prediction", prediction(NOW + 1.28, "WALKING", SITTING=0, WALKING=0))
    truth = patches(fleet)["anna"]["truth"]
    assert {"windows": 2, "right": 1, "confusion": [[1, 1], [0, 0]]} == truth


def test_details_of_an_opened_phone() -> None:
    """Probabilities, episodes and calibration; then what is new."""
    fleet = Fleet()
    tell(fleet, "prediction", prediction(NOW, "SITTING", SITTING=0, WALKING=0))
    episode = {"activity": "SITTING", "start": 1.0, "end": 2.0, "probability": 0.5}
    tell(fleet, "episode", {"device": "anna", **episode})
    first = json.loads(msgspec.json.encode(fleet.details("anna", 0)))
    expected = {
        "probabilities": [[NOW, NOW + 2.54, [0.9, 0.0]]], "episodes": [episode],
        "calibration": None,
    }  # fmt: skip
    assert expected == first
    seen = fleet.version
    assert {} == fleet.details("anna", seen)
    calibration = {"v": 1, "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    tell(fleet, "calibration", calibration)
    details = json.loads(msgspec.json.encode(fleet.details("anna", seen)))
    assert {"calibration": calibration} == details
    seen = fleet.version
    tell(fleet, "calibration", b"")
    assert {"calibration": msgspec.Raw(b"null")} == fleet.details("anna", seen)


def test_a_clock_that_is_set_back() -> None:
    """Probabilities of times to come are forgotten: they would hide those of now."""
    fleet = Fleet()
    tell(fleet, "availability", b"online")
    for start in (NOW - 10, NOW + 3600, NOW + 3602, NOW):
        tell(fleet, "prediction", prediction(start))
    details = json.loads(msgspec.json.encode(fleet.details("anna", 0)))
    assert [NOW - 10, NOW] == [start for start, _, _ in details["probabilities"]]


def test_phones_of_which_nothing_came_over_a_new_connection() -> None:
    """The broker has forgotten them meanwhile, and so does the fleet."""
    fleet = Fleet()
    fleet.set_link(1, is_up=True)
    tell(fleet, "availability", b"online")
    tell(fleet, "availability", b"online", device="ben")
    fleet.set_link(2, is_up=True)
    tell(fleet, "availability", b"online")
    fleet.forget_unseen()
    assert ["anna"] == list(fleet.phones)


def test_labels_and_calibrations_make_no_phone() -> None:
    """They lie about of phones long gone; when the phone comes, they are known."""
    fleet = Fleet()
    calibration = {"v": 1, "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    tell(fleet, "calibration", calibration)
    tell(fleet, "label", {"label": "SITTING", "time": NOW})
    tell(fleet, "episode", {"activity": "SITTING", "start": 1, "end": 2, "probability": 1})
    assert {} == fleet.phones
    tell(fleet, "prediction", prediction(NOW, "SITTING"))
    assert 1 == patches(fleet)["anna"]["truth"]["right"]
    for _ in range(2):  # also once it has been forgotten
        assert calibration == json.loads(fleet.phones["anna"].calibration)
        tell(fleet, "availability", b"")
        assert {} == fleet.phones
        tell(fleet, "availability", b"online")


def test_a_phone_that_was_only_ever_rejected() -> None:
    """It has an info alone, and goes with that; any other stays without its info."""
    fleet = Fleet()
    tell(fleet, "info", {"device": "anna", "warnings": ["rejected"]})
    tell(fleet, "info", b"")
    assert {} == fleet.phones
    tell(fleet, "availability", b"online")
    tell(fleet, "info", b"")
    assert ["anna"] == list(fleet.phones)


def test_phones_are_bounded() -> None:
    """Whoever invents names fills no memory; how many messages were left out is counted."""
    fleet = Fleet()
    for number in range(MOST_PHONES + 5):
        tell(fleet, "availability", b"online", device=f"phone-{number}")
    assert (MOST_PHONES, 5) == (len(fleet.phones), fleet.n_left_out)
