"""The work that is due every second: heartbeats, infos, reports, and silent phones.

`silence` knows how long a phone has been silent, and takes account of messages that wait. Dropped
messages of a topic show that its phone has sent some; where phones share the topic, perhaps any.
"""

import time
from collections.abc import Sequence
from typing import Final

from pipeline.commands.stream.deliveries import Deliveries
from pipeline.commands.stream.left_announcements import LeftAnnouncements
from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.commands.stream.outputs import phone_topics
from pipeline.commands.stream.outputs.program_topics import ProgramReports
from pipeline.commands.stream.phone_infos import INFO_S, PhoneInfos
from pipeline.commands.stream.phones import Phones
from pipeline.commands.stream.presence import Presence
from pipeline.commands.stream.receiver import Receiver
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.stream.silence import Silence
from pipeline.commands.stream.workload import Losses
from pipeline.messages import Publication
from pipeline.mqtt.connection import Connection

HOUSEKEEPING_S: Final = 1.0
"""How often it is called"""


class Housekeeping:
    """Checks all phones, and the program itself."""

    def __init__(
        self,
        settings: StreamSettings,
        connection: Connection,
        *,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        receiver: Receiver,
        infos: PhoneInfos,
        reports: ProgramReports,
        left_announcements: LeftAnnouncements,
        clock: MachineClock,
        outgoing: list[Publication],
    ) -> None:
        """Begin; what is to be published of phones is put at the end of ``outgoing``."""
        self._settings = settings
        self._connection = connection
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._receiver = receiver
        self._infos = infos
        self._reports = reports
        self._left_announcements = left_announcements
        self._clock = clock
        self._outgoing = outgoing
        self._n_connections = 1
        """So many there were when the broker was told last what it is to retain"""
        self._silence = Silence()
        self._crowded_out = Losses("messages at QoS 0, the oldest of who sent most")

    @property
    def n_dropped(self) -> int:
        """How many messages at QoS 0 were dropped since the start, for there were too many."""
        return self._crowded_out.total

    def keep(self, now: float) -> None:
        """Do what is due; to be called every second."""
        dropped = self._connection.take_dropped()
        self._crowded_out.add(dropped, now)
        self._reports.publish_load(now, n_dropped=self.n_dropped)
        if not self._connection.ready.is_set():
            self._silence.disconnect()
            self._reports.disconnect()
            self._left_announcements.disconnect()
            return
        self._reports.introduce()
        self._presence.note_connection(now)
        if self._n_connections != (n := self._connection.n_connections):
            self._n_connections = n
            self._presence.renew()
        self._silence.update(
            now,
            held_back=self._connection.was_held_back(),
            waiting=self._receiver.by_route(self._connection.oldest_waiting()),
        )
        self._clock.check(time.time())
        self._check_phones(self._receiver.by_route(dict.fromkeys(dropped, now)), now)
        self._infos.publish_rejections(now)

    def _check_phones(self, last_dropped: dict[str, float], now: float) -> None:
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
            try:
                self._infos.publish_due(device, phone, now)
            except Exception as error:  # an error of ours must not end the other phones
                self._deliveries.fail(topic, device, error)
                phone.info_due = now + INFO_S
        self._end(silent)
        self._deliveries.forget(forgotten)
        for device in self._left_announcements.take_forgotten(now):
            self._presence.clear_left(device)

    def _end(self, silent: Sequence[str]) -> None:
        """Let phones that have fallen silent go offline."""
        for device in silent:  # what is recognised now is over
            self._phones[device].online = self._phones[device].is_live = False
        self._deliveries.finish(silent)
        self._outgoing += [phone_topics.availability(device, online=False) for device in silent]
