"""What is due of all phones now and then: heartbeats, infos, and the end of silent phones.

Who brings the messages knows for how long a phone has been silent: messages may still be on their
way. A phone that sends again after such a silence is ended before its message is taken, also where
nobody looked in between; so the results do not depend on how often somebody does.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import ceil
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

    def silent_s(self, phone: Phone, since: float, until: float) -> float:
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
        self._turn: Iterator[str] = iter(())
        """The phones whose turn is next in `keep_part`"""

    def keep(self) -> None:
        """Do what is due of all phones."""
        self._keep(list(self._phones))

    def keep_part(self, part: float) -> None:
        """Do what is due of a part of the phones, 0 to 1; all get their turn."""
        n_phones = ceil(part * len(self._phones))
        devices = list(islice(self._turn, n_phones))
        if len(devices) < n_phones:
            self._turn = iter(list(self._phones))
            devices += islice(self._turn, n_phones - len(devices))
        self._keep([device for device in dict.fromkeys(devices) if self._phones.get(device)])

    def end_silent(self) -> None:
        """End and forget the phones that have been silent for that long."""
        self._end_silent(list(self._phones))

    def before_message(self, device: str, now: float) -> None:
        """End or forget an admitted phone if it has been silent for that long.

        To be called before a message of it, or of a phone that needs its place, is taken.
        """
        phone = self._phones[device]
        if self._is_offline_at(phone, now):
            self._end([device])
        if self._is_forgotten_at(phone, now):
            self._forget([device])

    def _keep(self, devices: Sequence[str]) -> None:
        """Do what is due of some phones."""
        for device in devices:
            phone = self._phones[device]
            now = self._silence.now(phone)
            if phone.online and not self._is_offline_at(phone, now):
                self._presence.keep_up(device, now)
            try:
                self._infos.publish_due(device, phone, now)
            except Exception as error:  # an error of ours must not end the other phones
                self._deliveries.fail(phone.route.topic, device, error)
                phone.info_due = now + INFO_S
        self._end_silent(devices)

    def _end_silent(self, devices: Sequence[str]) -> None:
        """End and forget those of some phones that have been silent for that long."""
        phones = [(device, self._phones[device]) for device in devices]
        now = self._silence.now
        self._end([device for device, phone in phones if self._is_offline_at(phone, now(phone))])
        self._forget(
            [device for device, phone in phones if self._is_forgotten_at(phone, now(phone))]
        )

    def _is_offline_at(self, phone: Phone, now: float) -> bool:
        """Return whether an online phone has been silent for so long at a time."""
        longest_s = self._rules.offline_after_s
        if not phone.online or now - phone.last_live <= longest_s:  # the quick question first
            return False
        return self._silence.silent_s(phone, phone.last_live, now) > longest_s

    def _is_forgotten_at(self, phone: Phone, now: float) -> bool:
        longest_s = self._rules.forget_after_s
        if now - phone.last_message <= longest_s:
            return False
        return self._silence.silent_s(phone, phone.last_message, now) > longest_s

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
