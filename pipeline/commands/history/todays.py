"""The present day of all phones: published for Home Assistant, and whoever else wants it.

Rules: a phone's day is published at most once a minute, when something has changed, when a new day
begins, and with each connection, as the broker may have lost what it retained. What of it is in the
database is read once, and again when a phone was forgotten; from then on it is what is committed.
While there is no connection nothing is published, as only the latest matters. What the broker
retains of a phone that is no longer in the database is taken away, whoever published it.
"""

import re
import time
from collections.abc import Iterable
from datetime import tzinfo
from typing import Final

import msgspec

from pipeline.commands.history.address import DatabaseAddress, HistoryError
from pipeline.commands.history.day_of_phone import (
    REMEMBERED_DAYS,
    DayOfPhone,
    Ongoing,
    today_topic,
)
from pipeline.commands.history.days import Day, today
from pipeline.commands.history.reading import History, KeptEpisode
from pipeline.commands.history.records import EpisodeRow, Row, check_name, seconds
from pipeline.commands.history.today_sensors import discovery, removal
from pipeline.event_log import EventLog
from pipeline.messages import Message, Publication
from pipeline.mqtt.connection import Connection
from pipeline.options_message import decode_options
from pipeline.readings import LATEST_TIME_S, MessageError, check_device, reading_json

logger = EventLog(__name__)

TODAY_TOPICS: Final = ("har/+/activity", "har/+/options", "har/+/today")
"""What is read besides predictions and episodes"""
PUBLISH_S: Final = 60.0
"""A phone's day is published at most so often"""
LOOK_S: Final = 1.0
"""How often it is looked at what is due"""
SHARE_S: Final = 0.2
"""Of that time, at most so much is spent reading days and publishing them"""
FORGOTTEN_S: Final = 10.0
"""How often it is looked whether a phone was forgotten"""
RETRY_S: Final = 10.0
"""After the database could not be read"""
MOST_PHONES: Final = 10_000
MOST_BYTES: Final = 8_192
"""Of a payload"""
MOST_ACTIVITIES: Final = 64
"""Of a phone"""
_TOPIC: Final = re.compile(r"har/(?P<device>[^/]*)/(?P<kind>activity|options|today)")


class _Activity(msgspec.Struct):
    activity: str
    since: float


class Todays:
    """The present day of all phones."""

    def __init__(
        self, address: DatabaseAddress, connection: Connection, *, zone: tzinfo | None
    ) -> None:
        """Begin; ``zone`` is that of the days, None for this machine's."""
        self._address = address
        self._connection = connection
        self._zone = zone
        self._history: History | None = None
        self._day: Day | None = None
        self._phones: dict[str, DayOfPhone] = {}
        self._unread: set[str] = set()
        """Of them, those of which the database has not been read"""
        self._due: dict[str, float] = {}
        """When a phone is to be published, in monotonic seconds"""
        self._published: dict[str, float] = {}
        """When it was"""
        self._names: dict[str, str | None] = {}
        self._announced: dict[str, Publication] = {}
        self._next_look = 0.0
        self._n_connections = 0
        """When all was published last"""
        self._forgotten: str | None = None
        """What the database said when it was looked for forgotten phones last"""
        self._next_forgotten = 0.0

    def take(self, message: Message, time_s: float) -> None:
        """Take a message on one of `TODAY_TOPICS`; ``time_s`` is now in epoch seconds.

        Raises:
            MessageError: it cannot be used.
        """
        topic = _TOPIC.fullmatch(message.topic)
        device = "" if topic is None else topic["device"]
        check_device(device)
        n_bytes = message.oversize or len(message.payload)
        if n_bytes > MOST_BYTES:
            raise MessageError("size", f"{n_bytes} bytes; at most {MOST_BYTES}")
        if message.topic.endswith("/today"):
            if message.payload and message.retained:  # published before this program began
                self._know(device)
        elif message.topic.endswith("/options"):
            name = decode_options(message.payload)
            if name is None:
                self._names.pop(device, None)
            elif device in self._names or len(self._names) < MOST_PHONES:
                self._names[device] = name
            if device in self._phones:
                self._expect(device)
        elif message.payload and not message.retained:  # the next heartbeat says what is now
            with reading_json():
                now = msgspec.json.decode(message.payload, type=_Activity)
            check_name(now.activity)
            if not 0 <= now.since < LATEST_TIME_S:
                raise MessageError("time", f"{now.since:g} is no time in seconds since 1970")
            if (day := self._day_of(device, now.activity)) is not None:
                day.goes_on(Ongoing(now.activity, now.since, time_s))
                self._expect(device)

    def note(self, rows: Iterable[Row]) -> None:
        """Note rows that were committed."""
        for row in rows:
            if not isinstance(row, EpisodeRow):
                continue
            if (day := self._day_of(row.device, row.activity)) is not None:
                start, end = seconds(row.start), seconds(row.end)
                day.add([KeptEpisode(row.device, start, end, row.activity, row.probability)])
                self._expect(row.device)

    def keep(self, now: float, time_s: float) -> None:
        """Publish what is due; ``now`` is in monotonic, ``time_s`` in epoch seconds."""
        if now < self._next_look or not self._connection.ready.is_set():
            return
        self._next_look = now + LOOK_S
        try:
            self._publish_due(now, time_s)
        except HistoryError as error:
            logger.warning(
                "today-not-published",
                "minutes of today are not published for now: %(error)s",
                error=error,
            )
            self._next_look = now + RETRY_S

    def close(self) -> None:
        """Give up the connection to the database."""
        if self._history is not None:
            self._history.close()

    def _publish_due(self, now: float, time_s: float) -> None:
        day = today(self._zone, time_s)
        if self._history is None:
            self._history = History(self._address)
        if day != self._day:
            self._begin(day, self._history.devices_with_episodes(), now)
        self._look_for_forgotten(self._history, day, now)
        if self._n_connections != (n := self._connection.n_connections):
            self._n_connections = n
            self._announced.clear()
            self._due = dict.fromkeys(self._phones, now)
        begun = time.monotonic()
        for device, due in [*self._due.items()]:
            if due > now:
                continue
            self._publish(self._history, device, day)
            self._published[device] = now
            self._due.pop(device, None)
            if time.monotonic() - begun > SHARE_S:
                break

    def _begin(self, day: Day, devices: Iterable[str], now: float) -> None:
        """Begin a day, of which all is read anew: a phone may have been deleted meanwhile."""
        self._day = day
        names = list(dict.fromkeys([*self._phones, *devices]))[:MOST_PHONES]
        ongoing = {device: phone.ongoing for device, phone in self._phones.items()}
        self._phones = {device: DayOfPhone(device, ongoing.get(device)) for device in names}
        self._unread = set(names)
        self._due = dict.fromkeys(names, now)

    def _look_for_forgotten(self, history: History, day: Day, now: float) -> None:
        """Begin the day anew if a phone was forgotten, and with it what it was doing."""
        if now < self._next_forgotten:
            return
        self._next_forgotten = now + FORGOTTEN_S
        before, self._forgotten = self._forgotten, history.forgotten()
        if before == self._forgotten:
            return
        devices = history.devices_with_episodes()
        for device in self._phones.keys() - set(devices):
            if self._phones[device].has_had_episodes:
                self._phones[device] = DayOfPhone(device)
        self._begin(day, devices, now)

    def _publish(self, history: History, device: str, day: Day) -> None:
        """Publish a phone's day, or take it away where there is none any more."""
        phone = self._phones[device]
        if device in self._unread:
            lately = day.after(-REMEMBERED_DAYS).begin
            phone.add(history.episodes(device, lately, day.end))
            self._unread.discard(device)
        if phone.is_over(day):
            for kept in (self._phones, self._published, self._announced):
                kept.pop(device, None)
            taken_away = Publication(today_topic(device), b"", retain=True)
            self._connection.publish_all([removal(device), taken_away])
            return
        announced = discovery(device, phone.activities, name=self._names.get(device))
        outgoing = [phone.publication(day)]
        if announced != self._announced.get(device):
            self._announced[device] = announced
            outgoing.insert(0, announced)
        self._connection.publish_all(outgoing)

    def _day_of(self, device: str, activity: str) -> DayOfPhone | None:
        """Return a phone's day, None if there is no room for the phone or activity."""
        self._know(device)
        day = self._phones.get(device)
        if day is None or activity in day.activities or len(day.activities) < MOST_ACTIVITIES:
            return day
        return None

    def _know(self, device: str) -> None:
        """Read a phone's day, and publish it, if it is not known and there is room."""
        if device not in self._phones and len(self._phones) < MOST_PHONES:
            self._phones[device] = DayOfPhone(device)
            self._unread.add(device)
            self._expect(device)

    def _expect(self, device: str) -> None:
        """Note that a phone's day has changed."""
        last = self._published.get(device)
        self._due.setdefault(device, 0.0 if last is None else last + PUBLISH_S)


def is_of_today(topic: str) -> bool:
    """Return whether a topic is one of `TODAY_TOPICS`."""
    return _TOPIC.fullmatch(topic) is not None
