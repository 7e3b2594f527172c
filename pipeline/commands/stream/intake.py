"""Messages in: what each one is, whether it can be used, and from whom it is.

Rules: a message is taken or refused whole. What is refused is counted by reason, logged now and
then, and told to the phone's owner; it changes nothing else. A mistake of har-stream's costs the
message that led to it, never the other phones.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Final

from pipeline.calibration_message import decode_calibration
from pipeline.commands.program_info import PROGRAM_TOPICS
from pipeline.commands.stream import homeassistant
from pipeline.commands.stream.deliveries import Deliveries
from pipeline.commands.stream.own_clock import OwnClock
from pipeline.commands.stream.phones import Phones
from pipeline.commands.stream.presence import Presence
from pipeline.commands.stream.refusals import Refusals
from pipeline.commands.stream.settings import StreamSettings
from pipeline.commands.stream.workload import Rejections
from pipeline.messages import Message
from pipeline.readings import MAX_PAYLOAD_BYTES, Delivery, MessageError, Readings, is_device
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.subscriptions import Route, Subscription, route

logger = logging.getLogger(__name__)

CALIBRATION_TOPIC: Final = "har/+/calibration"
CALIBRATION: Final = re.compile("har/(?P<device>[^/]+)/calibration")


class AheadError(MessageError):
    """Samples are of the future by this machine's clock; one of both clocks is wrong."""


class Intake:
    """Takes messages one by one."""

    def __init__(
        self,
        settings: StreamSettings,
        subscriptions: Sequence[Subscription],
        *,
        recognizer: Recognizer,
        placements: Placements,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        refusals: Refusals,
        clock: OwnClock,
    ) -> None:
        """Begin; samples go to ``deliveries``, what is refused to ``refusals``."""
        self._settings = settings
        self._route = lru_cache(settings.max_devices)(partial(_sample_route, subscriptions))
        self._recognizer = recognizer
        self._placements = placements
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._refusals = refusals
        self._clock = clock
        self.rejections = Rejections()
        """Messages that could not be used"""

    def take(self, message: Message, epoch: float) -> bool:
        """Let a message take effect; count and log what cannot be used.

        Args:
            message: what came.
            epoch: the monotonic clock's 0 in epoch seconds.

        Returns:
            whether that is settled: if not it was refused, but perhaps by our own clock's fault.
        """
        sent_by = None
        try:
            sent_by = self._route(message.topic)
            if message.oversize:
                raise MessageError("size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
            if sent_by is None:
                self._obey(message)
            else:
                self._deliver(message, sent_by, epoch)
        except MessageError as error:
            self._refuse(message, sent_by, error)
            return not (isinstance(error, AheadError) and message.mid)
        except Exception as error:  # of ours; it is not to end the other phones
            device = None if sent_by is None else sent_by.device
            self._deliveries.fail(message.topic, device, error)
        return True

    def by_route(self, times_s: Mapping[str, float]) -> dict[str, float]:
        """Return the earliest of each topic's times by `Route.topic`, as phones are known by it."""
        earliest: dict[str, float] = {}
        for topic, time_s in times_s.items():
            sent_by = self._route(topic)
            if sent_by is not None:
                earliest[sent_by.topic] = min(time_s, earliest.get(sent_by.topic, time_s))
        return earliest

    def _deliver(self, message: Message, sent_by: Route, epoch: float) -> None:
        """Put a message's samples to those that wait for the recognizer.

        Raises:
            MessageError: they cannot be used.
        """
        content = sent_by.decode(message.payload)
        readings = [one for one in content if isinstance(one, Readings)]
        if not readings:
            return
        delivery = Delivery(readings, epoch + message.received)
        try:
            self._check_clock(delivery)
            self._admit(delivery.device, message, sent_by)
        except MessageError as error:
            error.device = delivery.device
            raise
        self._phones.note_message(delivery.device, sent_by, message.received)
        for reading in readings:
            if reading.convention is not None:
                if self._placements.prove(delivery.device, reading.convention):
                    self._deliveries.place(delivery.device)
        is_old = self._recognizer.age_s(delivery) > self._settings.max_behind
        is_live = not (is_old or message.retained)
        self._presence.note_delivery(delivery, is_live=is_live, now=message.received)
        self._deliveries.add(delivery)

    def _check_clock(self, delivery: Delivery) -> None:
        """Refuse samples of the future: every true one after them would be late.

        Unless it is this machine's clock that is wrong.
        """
        if delivery.readings[0].clock != "epoch":
            return
        ahead_s = delivery.newest - delivery.received
        if ahead_s <= self._settings.max_ahead:
            self._clock.is_confirmed |= abs(ahead_s) <= self._settings.max_behind
            return
        self._clock.check(delivery.received)
        if not self._clock.is_known_wrong:
            raise AheadError("time", f"{ahead_s:.0f} s ahead of this machine's clock")

    def _admit(self, device: str, message: Message, sent_by: Route) -> None:
        """Admit a phone unless it is; the longest silent phone may have to go for it.

        Raises:
            MessageError: there is no room.
        """
        if self._phones.get(device) is not None:
            return
        silent = self._phones.to_make_room(
            message.received, offline_after_s=self._settings.offline_after
        )
        if silent is not None:
            self._deliveries.forget([silent])
        self._phones.admit(device, sent_by, message.received)
        logger.info("%s: here, %s on %s", device, sent_by.format.name, message.topic)

    def _obey(self, message: Message) -> None:
        """Let a message take effect that brings no samples.

        Raises:
            MessageError: it cannot be used.
        """
        calibration = CALIBRATION.fullmatch(message.topic)
        if calibration is not None:
            self._calibrate(calibration["device"], message)
        elif message.topic == homeassistant.BIRTH_TOPIC and message.payload == b"online":
            self._presence.announce_all()

    def _calibrate(self, device: str, message: Message) -> None:
        rotation = decode_calibration(message.payload)
        self._placements.calibrate(device, rotation)
        if self._phones.get(device) is not None:
            logger.info(
                "%s: %s", device, "calibration taken back" if rotation is None else "calibrated"
            )
            self._deliveries.place(device)

    def _refuse(self, message: Message, sent_by: Route | None, error: MessageError) -> None:
        """Count and log a message that cannot be used, and let its phone's owner know."""
        self.rejections.add(message, error)
        device = error.device or (None if sent_by is None else sent_by.device)
        if device is None or sent_by is None or not is_device(device):
            return
        if self._refusals.add(
            device, error, topic=sent_by.topic, format=sent_by.format.name, now=message.received
        ):
            phone = self._phones.get(device)
            if phone is not None:
                phone.info_due = 0.0


def _sample_route(subscriptions: Sequence[Subscription], topic: str) -> Route | None:
    """Return what a topic says of a message, None if it brings no samples."""
    if topic in PROGRAM_TOPICS or CALIBRATION.fullmatch(topic):
        return None
    return route(subscriptions, topic)
