"""What is due every second whatever comes: heartbeats, infos, load, and phones that fell silent.

How long a phone has been silent is known to `silence`, which counts in what waits unread. That a
topic had messages dropped shows that somebody has sent some: where phones share it, perhaps any.
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.commands.program_info import LOAD_TOPIC, ProgramInfo
from pipeline.commands.stream import info, results
from pipeline.commands.stream.deliveries import Deliveries
from pipeline.commands.stream.durability import Durability
from pipeline.commands.stream.intake import Intake
from pipeline.commands.stream.own_clock import OwnClock
from pipeline.commands.stream.phones import Phone, Phones
from pipeline.commands.stream.presence import UNKNOWN_AFTER_S, Presence
from pipeline.commands.stream.refusals import Refusals
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.stream.silence import Silence
from pipeline.commands.stream.workload import Load, Losses
from pipeline.messages import Publication
from pipeline.mqtt.connection import Connection
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer

HOUSEKEEPING_S: Final = 1.0
"""How often it is called"""
SURVEY_S: Final = 3.0
"""Wait so long after a phone's first message before missing sensors are reported."""
NEW_S: Final = 30.0
"""A phone is new for so long after its first message: its info is looked at every second."""
INFO_S: Final = 30.0
"""How often a phone's info is looked at later, if all is well."""
LIVE_AGAIN_S: Final = 3.0
"""Samples of a backlog are no trouble between live ones that come at least so often."""
FAULT_S: Final = 600.0
"""A failure of har-stream's own stays in a phone's info for so long."""


class Housekeeping:
    """Looks at all phones, and at the program itself."""

    def __init__(
        self,
        settings: StreamSettings,
        connection: Connection,
        program: ProgramInfo,
        *,
        recognizer: Recognizer,
        placements: Placements,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        refusals: Refusals,
        intake: Intake,
        load: Load,
        clock: OwnClock,
        durability: Durability | None,
        outgoing: list[Publication],
    ) -> None:
        """Begin; what is to be published is put at the end of ``outgoing``."""
        self._settings = settings
        self._connection = connection
        self._program = program
        self._recognizer = recognizer
        self._placements = placements
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._refusals = refusals
        self._intake = intake
        self._load = load
        self._clock = clock
        self._durability = durability
        self._outgoing = outgoing
        self._silence = Silence()
        self._crowded_out = Losses("messages at QoS 0, the oldest of who sent most")
        self._is_introduced = False
        """``har/info`` was published over this connection"""

    def keep(self, now: float) -> None:
        """Do what is due, whatever waits; to be called every second."""
        dropped = self._connection.take_dropped()
        self._crowded_out.add(dropped, now)
        self._publish_load(now)
        if not self._connection.ready.is_set():
            self._silence.disconnect()
            self._is_introduced = False
            return
        self.introduce()
        self._silence.update(
            now,
            held_back=self._connection.was_held_back(),
            waiting=self._intake.by_route(self._connection.oldest_waiting()),
        )
        self._clock.check(time.time())
        self._look_at_phones(self._intake.by_route(dict.fromkeys(dropped, now)), now)
        self._publish_refusals(now)

    def introduce(self) -> None:
        """Publish what others must know of this program, once over each connection.

        A broker that was started anew may have forgotten what it retained.
        """
        if not self._is_introduced:
            self._outgoing.append(self._program.publication)
            self._is_introduced = True

    def _look_at_phones(self, last_dropped: dict[str, float], now: float) -> None:
        """Find the silent phones; publish what is due of the others.

        Args:
            last_dropped: when a message was dropped last, by `Route.topic`.
            now: the time in monotonic seconds.
        """
        silent, forgotten = [], []
        for device, phone in self._phones.items():
            topic = phone.route.topic
            dropped = last_dropped.get(topic, 0.0)
            phone.last_message = max(phone.last_message, dropped)
            if self._silence.seconds(topic, phone.last_message) > self._settings.forget_after:
                forgotten.append(device)
            if phone.online:
                last_live = max(phone.last_live, dropped)
                if self._silence.seconds(topic, last_live) > self._settings.offline_after:
                    silent.append(device)
                else:
                    self._presence.keep_up(device, now)
            if now >= phone.info_due and now - phone.last_message <= INFO_S:
                try:
                    self._publish_info(device, phone, now)
                except Exception as error:  # of ours; it is not to end the other phones
                    self._deliveries.fail(topic, device, error)
                    phone.info_due = now + INFO_S
        self._end(silent)
        self._deliveries.forget(forgotten)

    def _end(self, silent: Sequence[str]) -> None:
        """Let phones that have fallen silent go offline."""
        for device in silent:  # what is recognised of it now is not what it does now
            self._phones[device].online = self._phones[device].is_live = False
        self._deliveries.finish(silent)
        self._outgoing += [results.availability(device, online=False) for device in silent]

    def _publish_info(self, device: str, phone: Phone, now: float) -> None:
        """Publish what is known of a phone, if it is news."""
        recognizer = self._recognizer
        rates_hz = recognizer.rates_hz(device)
        settled = now - phone.admitted >= SURVEY_S  # before, a sensor may be yet to come
        lacks = recognizer.lacks(device) if settled else []
        problems = list(recognizer.problems(device))
        if phone.last_message - phone.last_live > LIVE_AGAIN_S:
            problems.append("old-samples")
        if now - phone.last_failure < FAULT_S:
            problems.append("fault")
        refused = self._refusals.of(device)
        if problems or lacks or refused:
            phone.last_problem = now
        elif phone.last_live - max(phone.last_classified, phone.last_problem) > UNKNOWN_AFTER_S:
            problems.append("gaps")
        publication = info.publication(
            device,
            topic=phone.route.topic,
            format=phone.route.format.name,
            placement=self._placements.of(device),
            rates_hz=rates_hz,
            clocks_apart_s=recognizer.clocks_apart_s(device),
            problems=problems,
            lacks=lacks,
            refused=refused,
        )
        if publication != phone.info:
            phone.info = publication
            self._outgoing.append(publication)
        is_well = rates_hz and not (problems or lacks or refused)
        is_known = is_well and now - phone.admitted > NEW_S
        phone.info_due = now + (INFO_S if is_known else HOUSEKEEPING_S)

    def _publish_refusals(self, now: float) -> None:
        """Publish of phones that are not admitted why nothing of their messages is used."""
        for device, refused in self._refusals.news(now):
            if self._phones.get(device) is None:
                self._outgoing.append(info.of_refused(device, refused))
        for device in self._refusals.expire(now):
            phone = self._phones.get(device)
            if phone is None:
                self._outgoing += results.cleared(device, activity=False, info=True)[1:]
            else:
                phone.info_due = 0.0

    def _publish_load(self, now: float) -> None:
        """Publish how much waits, how old results are, and what troubles the program."""
        waiting = self._connection.waiting
        self._load.watch(waiting)
        troubles = self._troubles()
        is_news = self._connection.show_status("degraded" if troubles else "online")
        report = self._load.report(now, at_once=is_news)
        if report is None:
            return
        report |= {
            "phones": len(self._phones),
            "waiting": waiting,
            "unconfirmed": len(self._connection.unconfirmed),
            "dropped": self._crowded_out.total,
            "rejected": self._intake.rejections.total,
        }
        if self._durability is not None:
            report["unsaved"] = self._durability.unsaved
        if self._connection.refused:
            report["refused"] = self._connection.refused
        report["troubles"] = troubles
        self._connection.publish(LOAD_TOPIC, msgspec.json.encode(report), retain=True)

    def _troubles(self) -> list[str]:
        """Return what whoever runs this program should mend, a sentence each."""
        troubles = []
        if self._durability is not None and self._durability.trouble is not None:
            troubles.append(self._durability.trouble)
        if self._connection.refused:
            topics = ", ".join(self._connection.refused)
            troubles.append(f"the broker does not let us read {topics}")
        if self._clock.is_known_wrong:
            troubles.append("this machine's clock is wrong")
        return troubles
