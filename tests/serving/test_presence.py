from typing import Any, Literal

import pytest

from pipeline.formats import FORMATS
from pipeline.messages import Publication
from pipeline.readings import Delivery
from pipeline.recognition.results import Change
from pipeline.serving.phone import Phone
from pipeline.serving.phone_names import PhoneNames
from pipeline.serving.presence import Presence
from pipeline.serving.rules import Rules
from pipeline.subscriptions import Route

ACTIVITIES = ("WALKING", "SITTING")


class _Recognizer:
    """Knows of no problem of any phone."""

    def problems(self, device: str) -> tuple[str, ...]:
        return ()


class _Phones(dict[str, Phone]):
    """Phones without signals."""

    recognizer = _Recognizer()
    names = PhoneNames(10, is_admitted=lambda _: True)


class Wearer:
    """One phone's wearer, of whom har-stream knows what the test says."""

    def __init__(self, *, waits_s: float = 1000.0) -> None:
        """Let har-stream begin, and the phone send ``waits_s`` later."""
        self.outgoing: list[Publication] = []
        route = Route(FORMATS["native"], "p", "har/p/samples")
        self.phone = Phone(route, admitted=0.0, last_message=0.0)
        phones: Any = _Phones(p=self.phone)
        rules = Rules(
            max_devices=10,
            max_ahead_s=86_400.0,
            max_behind_s=60.0,
            offline_after_s=10.0,
            forget_after_s=3600.0,
            heartbeat_s=10.0,
        )
        self.presence = Presence(rules, phones, ACTIVITIES, self.outgoing)
        self.presence.note_connection(0.0)
        self.comes(waits_s)

    def comes(self, now: float) -> None:
        """Let the phone come online."""
        readings: Any = [type("Part", (), {"device": "p"})]
        self.presence.note_delivery(Delivery(readings, now), is_live=True, now=now)

    def does(self, activity: str) -> None:
        """Let another activity be recognised."""
        self.presence.note_change("p", Change(0, activity, self.phone.received_s, 0.9))

    def begun(self) -> list[str]:
        """Return the activities that began."""
        return [one.payload.decode() for one in self.outgoing if one.topic == "har/p/begins"]


def test_activities_begin() -> None:
    """Each begins when the one before was another; what is no activity does not begin."""
    wearer = Wearer()
    for activity in ("WALKING", "SITTING", "transition", "WALKING", "unknown", "WALKING"):
        wearer.does(activity)
    assert ["WALKING", "SITTING", "WALKING", "WALKING"] == wearer.begun()
    assert not [one for one in wearer.outgoing if one.topic == "har/p/begins" and one.retain]
    topics = [one.topic for one in wearer.outgoing]
    assert topics.index("har/p/activity") < topics.index("har/p/begins")


def test_heartbeats_begin_nothing() -> None:
    """An activity that is published again goes on; so does one that is surer by now."""
    wearer = Wearer()
    wearer.does("WALKING")
    for now in (1e9, 2e9):
        wearer.phone.last_classified = now
        wearer.presence.keep_up("p", now)
    wearer.does("WALKING")
    published = [one for one in wearer.outgoing if one.topic == "har/p/activity"]
    assert (4, ["WALKING"]) == (len(published), wearer.begun())


def test_what_may_have_begun_before() -> None:
    """The first activity of a phone that sent when har-stream began is none that begins."""
    wearer = Wearer(waits_s=3.0)
    for activity in ("transition", "WALKING", "SITTING"):
        wearer.does(activity)
    assert ["SITTING"] == wearer.begun()


def test_a_phone_that_comes_again() -> None:
    """What it does then begins, though it was the same before it was offline."""
    wearer = Wearer()
    wearer.does("WALKING")
    wearer.phone.online = wearer.phone.is_live = False
    wearer.comes(1e6)
    wearer.does("WALKING")
    assert ["WALKING", "WALKING"] == wearer.begun()


@pytest.mark.parametrize("restored", ["WALKING", "SITTING"])
def test_a_saved_state(restored: Literal["WALKING", "SITTING"]) -> None:
    """Over a restart of har-stream an activity goes on, or another has begun."""
    wearer = Wearer()
    wearer.does("WALKING")
    before = wearer.phone.published_activity
    again = Wearer()
    again.phone.published_activity = before
    again.does(restored)
    assert (["SITTING"] if restored == "SITTING" else []) == again.begun()
