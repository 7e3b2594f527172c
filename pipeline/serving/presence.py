"""Which phones are online, and the activity now of each.

Rules: a phone is online from its first live message until its live messages stop for long enough
(`upkeep` says when). While it is online, its activity is published when it changes, and again
as a heartbeat; what else the broker retains, again when it was away, as one that was started
anew may have forgotten it. A backlog shows what was done, not what is being done: it is published
as predictions and episodes only. Where windows fail to come for a while, the activity is unknown.

An activity begins when it is published and the one before was another; a heartbeat does not begin
it again. What a phone does that was sending when har-stream began may have begun long before, so
its first activity does not begin either.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Publication
from pipeline.readings import Delivery
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS
from pipeline.recognition.preparation.troubles import TROUBLES
from pipeline.recognition.results import Change
from pipeline.serving.outputs import homeassistant, phone_topics
from pipeline.serving.phone import Phone
from pipeline.serving.phones import Phones
from pipeline.serving.rules import Rules
from pipeline.vocabulary import UNKNOWN

logger = EventLog(__name__)

WITHOUT_WINDOWS_S: Final = 10.0
"""An online phone's activity is unknown after so long without a settled window: the filters
take 3.2 s to settle, a window has 2.56 s, and so much may lie between two."""


RETURNED: Final = "returned"
"""A phone came online again, and nothing is known of it yet"""
WITHOUT_WINDOWS: Final = "without-windows"
"""No windows came for a while"""
UNLIKE: Final = "unlike"
"""Its samples are like no activity, and no problem of them is known"""
UNKNOWN_CAUSES: Final = (RETURNED, WITHOUT_WINDOWS, UNLIKE, *PROBLEMS, *TROUBLES)
"""Why an activity is unknown; of several problems the first counts"""


class Presence:
    """Publishes availability and activity of all phones."""

    def __init__(
        self,
        rules: Rules,
        phones: Phones,
        activities: Sequence[str],
        outgoing: list[Publication],
    ) -> None:
        """Begin; what is to be published is put at the end of ``outgoing``."""
        self._rules = rules
        self._phones = phones
        self._activities = activities
        self._outgoing = outgoing
        self._outdated: set[str] = set()
        """Phones whose published activity may be outdated"""
        self.n_unknowns: Counter[str] = Counter()
        """How often a phone's activity became unknown, by cause of `UNKNOWN_CAUSES`"""
        self.connected: float | None = None
        """When messages could come first"""

    def note_connection(self, now: float) -> None:
        """Note that messages can come."""
        if self.connected is None:
            self.connected = now

    def note_delivery(self, delivery: Delivery, *, is_live: bool, now: float) -> None:
        """Note that an admitted phone sent samples, and whether they are of now."""
        device = delivery.device
        phone = self._phones[device]
        if is_live != phone.is_live:
            phone.is_live, phone.info_due = is_live, 0.0
            self._outdated.add(device)
        if not is_live:
            return
        phone.last_live = now
        if not phone.online:
            phone.online, phone.last_classified = True, now
            self._outgoing.append(phone_topics.availability(device, online=True))
            if phone.published_activity is not None:  # from before it went offline
                self._publish_unknown(device, phone, delivery.received, RETURNED, now)
            elif self.connected is None or now - self.connected < self._rules.offline_after_s:
                phone.was_there = True
            self.announce(device)

    def note_window(self, device: str, until: float) -> None:
        """Note that a settled window, which ends at ``until`` in epoch seconds, was classified."""
        phone = self._phones[device]
        phone.last_classified, phone.classified_until = phone.last_message, until
        if phone.published_activity is not phone.activity:
            self._outdated.add(device)

    def note_change(self, device: str, change: Change) -> None:
        """Publish a phone's new activity if it is live."""
        phone = self._phones[device]
        phone.activity = phone_topics.activity(device, change)
        if change.activity == UNKNOWN:
            problems = self._phones.recognizer.problems(device)
            self.n_unknowns[problems[0] if problems else UNLIKE] += 1
        if phone.is_live and phone.received_s - change.since <= self._rules.max_behind_s:
            logger.info(
                "activity-changed",
                "%(device)s: %(activity)s (%(probability).2f)",
                device=device,
                activity=change.activity,
                probability=change.probability,
            )
            self._publish_activity(device, phone, phone.activity, phone.last_message)
        else:
            self._outdated.add(device)

    def replace_outdated(self) -> None:
        """Publish activities that became those of now."""
        for device in self._outdated:
            phone = self._phones.get(device)
            if phone is None or phone.activity is None:
                continue
            if phone.activity == phone.published_activity:
                continue
            behind_s = phone.received_s - phone.classified_until
            if phone.is_live and behind_s <= self._rules.max_behind_s:
                self._publish_activity(device, phone, phone.activity, phone.last_message)
        self._outdated.clear()

    def keep_up(self, device: str, now: float) -> None:
        """Publish an online phone's activity again when it is due, or that it became unknown."""
        phone = self._phones[device]
        published = phone.published_activity
        if published is not None and now - phone.activity_published >= self._rules.heartbeat_s:
            self._publish_activity(device, phone, published, now)
        if phone.last_live - phone.last_classified <= WITHOUT_WINDOWS_S or not phone.is_live:
            return
        if phone.unknown is None or phone.published_activity is not phone.unknown:
            logger.info("windows-ended", "%(device)s: unknown, no windows", device=device)
            online_s = phone.last_message - phone.last_classified
            since = phone.classified_until or phone.received_s - online_s
            self._publish_unknown(device, phone, since, WITHOUT_WINDOWS, now)
            phone.info_due = 0.0

    def renew(self) -> None:
        """Publish again what the broker is to retain of all phones, but for their activities."""
        for device, phone in self._phones.items():
            if phone.info is not None:
                self._outgoing.append(phone.info)
            if phone.last_live != -np.inf:
                self._outgoing.append(phone_topics.availability(device, online=phone.online))
                self.announce(device)

    def announce_all(self) -> None:
        """Announce to Home Assistant all phones that have been live, if that is asked for."""
        for device in self._phones:
            self.announce(device)

    def announce(self, device: str) -> None:
        """Announce a phone to Home Assistant if it has been live and that is asked for."""
        if not self._rules.announces or self._phones[device].last_live == -np.inf:
            return
        self._outgoing.append(
            homeassistant.discovery(
                device,
                self._activities,
                name=self._phones.names.of(device),
                heartbeat_s=self._rules.heartbeat_s,
            )
        )

    def end(self, devices: Sequence[str]) -> None:
        """Publish that these phones, which have fallen silent, are offline."""
        self._outgoing += [phone_topics.availability(device, online=False) for device in devices]

    def clear(self, device: str, phone: Phone) -> None:
        """Clear what the broker retains of a phone that is forgotten."""
        self._outgoing += phone_topics.cleared(
            device, activity=phone.published_activity is not None, info=phone.info_checksum != 0
        )
        if self._rules.announces:
            self._outgoing.append(homeassistant.removal(device))

    def clear_left(self, device: str) -> None:
        """Clear what the broker retains of a phone that an earlier har-stream announced."""
        logger.info(
            "announcement-cleared",
            "%(device)s: was announced to Home Assistant, and has not come again",
            device=device,
        )
        self._outgoing += phone_topics.cleared(device, activity=True, info=True)
        self._outgoing.append(homeassistant.removal(device))

    def _publish_activity(
        self, device: str, phone: Phone, activity: Publication, now: float
    ) -> None:
        self._outgoing.append(activity)
        before, phone.published_activity = phone.published_activity, activity
        phone.activity_published = now
        if activity is before:
            return
        name = phone_topics.activity_in(activity)
        if name not in self._activities:
            return
        if before is None or name != phone_topics.activity_in(before):
            if not phone.was_there:
                self._outgoing.append(phone_topics.begins(device, name))
            phone.was_there = False

    def _publish_unknown(
        self, device: str, phone: Phone, since: float, cause: str, now: float
    ) -> None:
        self.n_unknowns[cause] += 1
        phone.unknown = phone_topics.unknown(device, since)
        self._publish_activity(device, phone, phone.unknown, now)
