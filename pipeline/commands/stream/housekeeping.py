"""The work that is due every second: heartbeats, infos, reports, and silent phones.

Of the phones a part is looked after at a time, so that no tick waits for all of them.

`silence` knows how long a phone has been silent, and takes account of messages that wait. Dropped
messages of a topic show that its phone has sent some; where phones share the topic, perhaps any.
"""

import math
import time
from typing import Final

from pipeline.commands.stream.left_announcements import LeftAnnouncements
from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.commands.stream.program_reports import ProgramReports
from pipeline.commands.stream.silence import Silence
from pipeline.mqtt.connection import Connection
from pipeline.serving.losses import Losses
from pipeline.serving.service import Service

HOUSEKEEPING_S: Final = 1.0
"""How often the program is checked, and each phone"""


class Housekeeping:
    """Checks the program itself, and all phones."""

    def __init__(
        self,
        connection: Connection,
        service: Service,
        *,
        silence: Silence,
        reports: ProgramReports,
        left_announcements: LeftAnnouncements,
        clock: MachineClock,
    ) -> None:
        """Begin; the phones are those of ``service``."""
        self._connection = connection
        self._service = service
        self._silence = silence
        self._reports = reports
        self._left_announcements = left_announcements
        self._clock = clock
        self._n_connections = 1
        """So many there were when the broker was told last what it is to retain"""
        self._phones_kept_at = -math.inf
        self._crowded_out = Losses("messages, the oldest of who sent most")

    @property
    def n_dropped(self) -> int:
        """How many messages were dropped since the start, for there were too many."""
        return self._crowded_out.total

    def keep(self, now: float) -> None:
        """Do what is due of the program; to be called every second."""
        service = self._service
        dropped = self._connection.take_dropped()
        self._crowded_out.add(dropped, now)
        service.deliveries.log_losses(now)
        self._reports.publish_load(now, dropped=dropped, n_dropped=self.n_dropped)
        if not self._connection.ready.is_set():
            self._silence.disconnect()
            self._reports.disconnect()
            self._left_announcements.disconnect()
            return
        self._reports.introduce()
        service.presence.note_connection(now)
        if self._n_connections != (n := self._connection.n_connections):
            self._n_connections = n
            service.presence.renew()
        last_dropped = service.receiver.by_route(dict.fromkeys(dropped, now))
        if last_dropped:
            for _, phone in service.phones.items():
                if phone.route.topic in last_dropped:
                    phone.last_message = max(phone.last_message, now)
                    if phone.route.device is not None:
                        phone.last_dropped, phone.info_due = now, 0.0
        self._silence.update(
            now,
            held_back=self._connection.was_held_back(),
            waiting=service.receiver.by_route(self._connection.oldest_waiting()),
            dropped=last_dropped,
        )
        self._clock.check(time.time())
        for device in self._left_announcements.take_forgotten(now):
            service.presence.clear_left(device)
        service.infos.publish_rejections(now)

    def keep_phones(self, now: float) -> None:
        """Do what is due of as many phones as have their turn; to be called often."""
        part = min((now - self._phones_kept_at) / HOUSEKEEPING_S, 1.0)
        self._phones_kept_at = now
        if self._connection.ready.is_set():
            self._service.upkeep.keep_part(part)
