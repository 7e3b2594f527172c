import json
import threading
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy import Engine

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.deletion import forget
from pipeline.commands.history.todays import Todays
from pipeline.commands.history.writing import RowWriter
from pipeline.messages import Message, Publication
from pipeline.readings import MessageError
from tests.commands.history.published import MONDAY, episode, message, rows_of

NOON = MONDAY + 12 * 3600
DAY_S = 86_400.0


class _Connection:
    """A connection that is there, and keeps what is published."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.ready.set()
        self.published: list[Publication] = []
        self.n_connections = 1

    def publish_all(self, publications: list[Publication]) -> None:
        self.published += publications


class Published:
    """What is published of phones, with a database."""

    def __init__(self, address: DatabaseAddress, engine: Engine) -> None:
        """Begin without phones."""
        self.connection: Any = _Connection()
        self.todays = Todays(address, self.connection, zone=UTC)
        self.engine = engine
        self._rows = RowWriter(engine)

    def keep(self, *messages: Message, seen: bool = True) -> None:
        """Let episodes be committed, by this program or by another."""
        rows = rows_of(*messages)
        self._rows.write(rows)
        if seen:
            self.todays.note(rows)

    def hear(self, leaf: str, payload: dict[str, object] | bytes, at: float = NOON) -> None:
        """Let a message of the phone's come."""
        self.todays.take(message(f"har/phone-7/{leaf}", payload), at)

    def look(self, now: float, time_s: float = NOON) -> list[tuple[str, Any]]:
        """Return what is published now: topics and contents."""
        self.connection.published.clear()
        self.todays.keep(now, time_s)
        return [
            (one.topic, json.loads(one.payload) if one.payload else None)
            for one in self.connection.published
        ]

    def minutes(self, now: float, time_s: float = NOON) -> list[dict[str, float]]:
        """Return the minutes that are published now, of each message."""
        return [
            content["minutes"] for topic, content in self.look(now, time_s) if "har/" in topic[:4]
        ]


@pytest.fixture
def published(address: DatabaseAddress, engine: Engine) -> Iterator[Published]:
    """What is published with a database of which only the tables are there."""
    published = Published(address, engine)
    yield published
    published.todays.close()


def test_at_most_once_a_minute(published: Published) -> None:
    """At once, and what comes within a minute together behind it; nothing without a change."""
    published.keep(episode(start=NOON - 600, end=NOON - 540))
    assert [{"WALKING": 1.0}] == published.minutes(1000.0)
    for k in range(1, 4):
        published.keep(episode(start=NOON - 600 + 60 * k, end=NOON - 540 + 60 * k))
        assert [] == published.minutes(1000.0 + 19 * k)
    assert [{"WALKING": 4.0}] == published.minutes(1061.0)
    assert [] == published.minutes(2000.0)


def test_what_is_in_the_database(published: Published) -> None:
    """A phone's day is there at the start, and so are the activities of its last days."""
    published.keep(
        episode(start=NOON - 3 * DAY_S, end=NOON - 2.9 * DAY_S, activity="RUNNING"),
        episode(start=NOON - 600, end=NOON - 300),
        episode("gone", NOON - 30 * DAY_S, NOON - 30 * DAY_S + 60),
        seen=False,
    )
    shown = published.look(1000.0)
    assert [
        "homeassistant/device/har-history_gone/config",
        "har/gone/today",
        "homeassistant/device/har-history_phone-7/config",
        "har/phone-7/today",
    ] == [topic for topic, _ in shown]
    assert (None, None) == (shown[0][1], shown[1][1])
    assert {"RUNNING", "WALKING"} == set(shown[2][1]["components"])
    assert {"RUNNING": 0.0, "WALKING": 5.0} == shown[3][1]["minutes"]


def test_a_new_day(published: Published) -> None:
    """It begins with no minutes, and without what was deleted meanwhile."""
    published.keep(episode(start=NOON, end=NOON + 60))
    assert [{"WALKING": 1.0}] == published.minutes(1000.0)
    ((_, content),) = published.look(2000.0, NOON + DAY_S)
    assert ("2026-11-24", {"WALKING": 0.0}) == (content["date"], content["minutes"])


def test_what_goes_on(published: Published) -> None:
    """It counts while it is heard of; what the broker had kept may be of any time."""
    activity = {"activity": "SITTING", "since": NOON - 300}
    kept = message("har/phone-7/activity", activity)
    published.todays.take(Message(kept.topic, kept.payload, 0.0, retained=True), NOON)
    assert [] == published.minutes(1000.0)
    published.hear("activity", activity)
    assert [{"SITTING": 5.0}] == published.minutes(1002.0)
    published.hear("activity", activity, NOON + 60)
    assert [{"SITTING": 6.0}] == published.minutes(1100.0)
    published.hear("activity", b"")  # it is forgotten


TAKEN_AWAY: list[tuple[str, Any]] = [
    ("homeassistant/device/har-history_phone-7/config", None),
    ("har/phone-7/today", None),
]


def test_a_phone_that_is_forgotten(published: Published) -> None:
    """Its day is taken away within seconds, with what it did; another's is as before."""
    published.keep(episode(start=NOON - 60, end=NOON), episode("b", NOON - 120, NOON))
    published.hear("activity", {"activity": "SITTING", "since": NOON})
    published.look(1000.0)
    assert 1 == forget(published.engine, "phone-7")
    shown = published.look(1011.0)
    assert TAKEN_AWAY == [one for one in shown if "phone-7" in one[0]]
    assert [{"WALKING": 2.0}] == [content["minutes"] for topic, content in shown if "b/t" in topic]
    assert [] == published.look(1100.0)
    published.hear("activity", {"activity": "SITTING", "since": NOON}, NOON + 60)  # it still sends
    assert [{"SITTING": 1.0}] == published.minutes(1200.0)


def test_what_was_published_of_phones_that_are_gone(published: Published) -> None:
    """A phone that was forgotten, or deleted by its age, meanwhile is taken away at the start."""
    kept = message("har/phone-7/today", {"minutes": {"WALKING": 3.0}})
    published.todays.take(Message(kept.topic, kept.payload, 0.0, retained=True), NOON)
    assert TAKEN_AWAY == published.look(1000.0)
    published.hear("today", b"")  # as the broker passes it on
    assert [] == published.look(1100.0)


def test_a_broker_that_has_lost_what_it_retained(published: Published) -> None:
    """With each connection all is published again, though nothing has changed."""
    published.keep(episode(start=NOON - 60, end=NOON))
    first = published.look(1000.0)
    assert [] == published.look(1001.0)
    published.connection.n_connections = 2
    assert first == published.look(1002.0)
    assert [] == published.look(1003.0)


def test_names(published: Published) -> None:
    """A phone is announced by its name, and again only when that or its activities change."""
    published.hear("options", {"name": "Anna's"})
    published.keep(episode(start=NOON - 60, end=NOON))
    (_, announced), _ = published.look(1000.0)
    assert "Anna's" == announced["device"]["name"]
    published.keep(episode(start=NOON, end=NOON + 60))
    assert ["har/phone-7/today"] == [topic for topic, _ in published.look(1100.0)]
    published.hear("options", b"")
    (_, announced), _ = published.look(1200.0)
    assert "phone-7" == announced["device"]["name"]


def test_without_a_connection(published: Published) -> None:
    """Nothing is published then, and later only the latest."""
    published.connection.ready.clear()
    published.keep(episode(start=NOON - 60, end=NOON))
    assert [] == published.look(1000.0)
    published.connection.ready.set()
    assert [{"WALKING": 1.0}] == published.minutes(1100.0)


@pytest.mark.parametrize(
    ("leaf", "payload", "reason"),
    [
        ("activity", b"{}", "field"),
        ("activity", b'{"activity": "W", "since": NaN}', "json"),
        ("activity", b'{"activity": "W", "since": 1e300}', "time"),
        ("activity", b'{"activity": "W\\u0000", "since": 0}', "field"),
        ("activity", b" " * 10_000, "size"),
        ("options", b'{"name": ""}', "options"),
    ],
)
def test_bad_messages(published: Published, leaf: str, payload: bytes, reason: str) -> None:
    """They are rejected, with a reason of a small set, and change nothing."""
    with pytest.raises(MessageError) as raised:
        published.hear(leaf, payload)
    assert reason == raised.value.reason
    assert [] == published.look(1000.0)
