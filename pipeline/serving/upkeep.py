"""What is due of all phones now and then: heartbeats, infos, and the end of silent phones.

Who brings the messages knows for how long a phone has been silent: messages may still be on their
way. A phone that sends again after such a silence is ended before its message is taken, also where
nobody looked in between; so the results do not depend on how often somebody does.
"""

from collections.abc import Sequence
from typing import Protocol

from pipeline.serving.deliveries import Deliveries
from pipeline.serving.phone_infos import INFO_S, PhoneInfos
from pipeline.serving.phones import Phone, Phones
from pipeline.serving.presence import Presence
from pipeline.serving.rules import Rules


class PhoneSilence(Protocol):
    """Knows for how long phones have been silent."""

    def now(self, phone: Phone) -> float:
        """Return the time up to which a phone's messages have come, or would have."""

    def silent_s(self, phone: Phone, since: float) -> float:
        """Return for how long a phone has sent nothing, if it did last at the time ``since``."""


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
        silent, forgotten = [], []
        for device, phone in self._phones.items():
            if self._is_forgotten(phone):
                forgotten.append(device)
            now = self._silence.now(phone)
            if phone.online:
                if self._is_offline(phone):
                    silent.append(device)
                else:
                    self._presence.keep_up(device, now)
            try:
                self._infos.publish_due(device, phone, now)
            except Exception as error:  # an error of ours must not end the other phones
                self._deliveries.fail(phone.route.topic, device, error)
                phone.info_due = now + INFO_S
        self._end(silent)
        self._deliveries.forget(forgotten)

    def before_message(self, device: str, now: float) -> None:
        """End or forget an admitted phone that sends again, if it was silent for that long."""
        phone = self._phones[device]
        if now - phone.last_message <= self._shortest_s:
            return
        if phone.online and self._is_offline(phone):
            self._end([device])
        if self._is_forgotten(phone):
            self._deliveries.forget([device])

    @property
    def _shortest_s(self) -> float:
        return min(self._rules.offline_after_s, self._rules.forget_after_s)

    def _is_offline(self, phone: Phone) -> bool:
        return self._silence.silent_s(phone, phone.last_live) > self._rules.offline_after_s

    def _is_forgotten(self, phone: Phone) -> bool:
        return self._silence.silent_s(phone, phone.last_message) > self._rules.forget_after_s

    def _end(self, silent: Sequence[str]) -> None:
        """Let phones that have fallen silent go offline."""
        for device in silent:  # what is recognised now is over
            self._phones[device].online = self._phones[device].is_live = False
        self._deliveries.finish(silent)
        self._presence.end(silent)
