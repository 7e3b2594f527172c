"""What is due of all phones now and then: heartbeats, infos, and the end of silent phones.

Who brings the messages knows for how long a phone has been silent: messages may still be on their
way. A phone that sends again after such a silence is ended before its message is taken, also where
nobody looked in between; so the results do not depend on how often somebody does.
"""

import math
from collections.abc import Sequence
from typing import Protocol

from pipeline.serving.deliveries import Deliveries
from pipeline.serving.phone import Phone
from pipeline.serving.phone_infos import INFO_S, PhoneInfos
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence
from pipeline.serving.rules import Rules


class PhoneSilence(Protocol):
    """Knows for how long phones have been silent."""

    def now(self, phone: Phone) -> float:
        """Return the time up to which a phone's messages have come, or would have."""

    def silent_s(self, phone: Phone, since: float, until: float = math.inf) -> float:
        """Return for how long a phone has sent nothing, if it did last at the time ``since``.

        What may be known of the time after ``until`` does not count.
        """


class Upkeep:
    """Looks after all phones."""

    def __init__(
        self,
        rules: Rules,
        *,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        infos: PhoneInfos,
        silence: PhoneSilence,
    ) -> None:
        """Begin."""
        self._rules = rules
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._infos = infos
        self._silence = silence

    def keep(self) -> None:
        """Do what is due of all phones."""
        for device, phone in self._phones.items():
            now = self._silence.now(phone)
            if phone.online and not self._is_offline(phone):
                self._presence.keep_up(device, now)
            try:
                self._infos.publish_due(device, phone, now)
            except Exception as error:  # an error of ours must not end the other phones
                self._deliveries.fail(phone.route.topic, device, error)
                phone.info_due = now + INFO_S
        self.end_silent()

    def end_silent(self) -> None:
        """End and forget the phones that have been silent for that long."""
        phones = list(self._phones.items())
        self._end([device for device, phone in phones if phone.online and self._is_offline(phone)])
        self._forget([device for device, phone in phones if self._is_forgotten(phone)])

    def before_message(self, device: str, now: float) -> None:
        """End or forget an admitted phone if it has been silent for that long.

        To be called before a message of it, or of a phone that needs its place, is taken.
        """
        phone = self._phones[device]
        is_long = now - phone.last_live > self._rules.offline_after_s  # the quick question first
        if is_long and phone.online and self._is_offline(phone, now):
            self._end([device])
        is_long = now - phone.last_message > self._rules.forget_after_s
        if is_long and self._is_forgotten(phone, now):
            self._forget([device])

    def _is_offline(self, phone: Phone, until: float = math.inf) -> bool:
        silent_s = self._silence.silent_s(phone, phone.last_live, until)
        return silent_s > self._rules.offline_after_s

    def _is_forgotten(self, phone: Phone, until: float = math.inf) -> bool:
        silent_s = self._silence.silent_s(phone, phone.last_message, until)
        return silent_s > self._rules.forget_after_s

    def _end(self, silent: Sequence[str]) -> None:
        """Let phones that have fallen silent go offline."""
        for device in silent:  # what is recognised now is over
            self._phones[device].online = self._phones[device].is_live = False
        self._deliveries.finish(silent)
        self._presence.end(silent)

    def _forget(self, silent: Sequence[str]) -> None:
        """Forget phones, which go offline before if they have not: as if somebody had looked."""
        self._end([device for device in silent if self._phones[device].online])
        self._deliveries.forget(silent)
