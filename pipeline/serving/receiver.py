"""Messages in, a tick at a time: they are decoded, and take effect if they can be used.

Rules: a message is taken or rejected whole. A rejected message is counted by reason, logged now and
then, and named in the phone's info; it changes nothing else. An error of ours costs the message
that led to it, never the other phones.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Message
from pipeline.readings import Delivery, Label, MessageError, Readings
from pipeline.serving.decoding import Decoder, Single, Together
from pipeline.serving.deliveries import Deliveries
from pipeline.serving.instructions import Instructions
from pipeline.serving.phones import Phones
from pipeline.serving.presence import Presence
from pipeline.serving.rejections import Rejections
from pipeline.serving.rules import Rules
from pipeline.serving.upkeep import Upkeep
from pipeline.subscriptions import Route, Subscription

logger = EventLog(__name__)


class AheadError(MessageError):
    """Samples are of the future by the clock that dates messages; one of both clocks is wrong."""


class ReceiptClock(Protocol):
    """The clock by which messages are dated when they come; it may be wrong."""

    def confirm(self) -> None:
        """Note that a phone's samples agree with it."""

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Return whether it is certainly wrong when it shows a time, in epoch seconds."""


class Receiver:
    """Takes messages."""

    def __init__(
        self,
        rules: Rules,
        subscriptions: Sequence[Subscription],
        *,
        phones: Phones,
        presence: Presence,
        deliveries: Deliveries,
        rejections: Rejections,
        upkeep: Upkeep,
        clock: ReceiptClock,
        take_other: Callable[[Message], None],
    ) -> None:
        """Begin; samples go to ``deliveries``, messages that cannot be used to ``rejections``.

        ``take_other`` gets the messages that are about no phone.
        """
        self._rules = rules
        self._decoder = Decoder(rules, subscriptions, phones=phones)
        self._recognizer = phones.recognizer
        self._placements = phones.placements
        self._phones = phones
        self._presence = presence
        self._deliveries = deliveries
        self._instructions = Instructions(phones, presence, deliveries)
        self._rejections = rejections
        self._upkeep = upkeep
        self._clock = clock
        self._take_other = take_other
        self.n_messages: Counter[str] = Counter()
        """Messages whose samples were taken, by format"""
        self.n_samples: Counter[str] = Counter()
        """Their samples, of each sensor"""

    def take(self, message: Message, epoch: float) -> MessageError | None:
        """Let a message take effect, or reject it; return why it was rejected.

        Args:
            message: the message.
            epoch: the 0 of the messages' clock in epoch seconds.
        """
        return self._take(self._decoder.single(message), epoch)

    def take_all(self, messages: Sequence[Message], epoch: float) -> dict[int, MessageError]:
        """Let messages take effect, or reject them; return why, by index, those were rejected.

        The results are those of `take` for one after the other.
        """
        tick = self._decoder.tick(messages, epoch)
        for topic, error in tick.failures.items():
            self._deliveries.fail(topic, None, error)
        for one in tick.together:
            self._take_together(one)
        errors = {place: self._take(single, epoch) for place, single in tick.singles.items()}
        return {place: error for place, error in errors.items() if error is not None}

    def by_route(self, times_s: Mapping[str, float]) -> dict[str, float]:
        """Return the earliest of the topics' times for each `Route.topic`."""
        earliest: dict[str, float] = {}
        for topic, time_s in times_s.items():
            sent_by = self._decoder.route(topic)
            if sent_by is not None:
                earliest[sent_by.topic] = min(time_s, earliest.get(sent_by.topic, time_s))
        return earliest

    def _take_together(self, one: Together) -> None:
        """Let messages of phones that only go on take effect."""
        delivered, last = one.delivered, one.messages[-1].received
        if (np.abs(one.ahead_s) <= self._rules.max_behind_s).any():
            self._clock.confirm()
        self._phones.note_going_on(one.messages, one.routes, delivered.received.tolist())
        self._deliveries.add_block(delivered, last)
        self.n_messages[one.format.name] += len(one.messages)
        self.n_samples[one.format.name] += delivered.block.times.size

    def _take(self, single: Single, epoch: float) -> MessageError | None:
        """Let a message take effect, or reject it; return why it was rejected."""
        message, sent_by, content = single
        try:
            if isinstance(content, Exception):
                raise content
            if sent_by is not None:
                self._deliver(message, sent_by, content, epoch)
            elif not self._instructions.obey(message):
                self._take_other(message)
        except MessageError as error:
            self._phones.expect_info(self._rejections.add(message, error, self._of(sent_by, error)))
            return error
        except Exception as error:  # an error of ours must not end the other phones
            device = None if sent_by is None else sent_by.device
            self._deliveries.fail(message.topic, device, error)
        return None

    def _deliver(
        self,
        message: Message,
        sent_by: Route,
        content: Sequence[Readings | Label],
        epoch: float,
    ) -> None:
        """Add a message's samples to those that wait for the recognizer.

        Raises:
            MessageError: they cannot be used.
        """
        readings = [part for part in content if isinstance(part, Readings)]
        if not readings:
            return
        delivery = Delivery(readings, epoch + message.received)
        device = delivery.device
        try:
            self._check_clock(delivery)
            self._admit(device, message, sent_by)
        except MessageError as error:
            error.device = device
            raise
        self._phones.note_message(device, sent_by, message, delivery)
        if self._placements.note(delivery, self._deliveries.has_newer):
            self._deliveries.place(device)
        is_old = self._recognizer.age_s(delivery) > self._rules.max_behind_s
        is_live = not (is_old or message.retained)
        self._presence.note_delivery(delivery, is_live=is_live, now=message.received)
        self._deliveries.add(delivery, message.received)
        self.n_messages[sent_by.format.name] += 1
        self.n_samples[sent_by.format.name] += sum([len(part.times) for part in readings])

    def _of(self, sent_by: Route | None, error: MessageError) -> Route | None:
        """Return the route of a message, or of the samples of the phone that it is about."""
        phone = self._phones.get(error.device)
        return phone.route if sent_by is None and phone is not None else sent_by

    def _check_clock(self, delivery: Delivery) -> None:
        """Reject samples of the future, after which all true ones would be late.

        They are taken if it is known that the clock that dates messages is wrong.

        Raises:
            AheadError: they are too far ahead.
        """
        if delivery.readings[0].clock != "epoch":
            return
        ahead_s = delivery.newest - delivery.received
        if ahead_s <= self._rules.max_ahead_s:
            if abs(ahead_s) <= self._rules.max_behind_s:
                self._clock.confirm()
        elif not self._clock.is_known_wrong_at(delivery.received):
            raise AheadError("time", f"{ahead_s:.0f} s ahead of this machine's clock")

    def _admit(self, device: str, message: Message, sent_by: Route) -> None:
        """Admit a phone unless it is; the longest silent phone may have to go for it.

        Raises:
            MessageError: there is no room.
        """
        if self._phones.get(device) is not None:
            self._upkeep.before_message(device, message.received)
            if self._phones.get(device) is not None:
                return
        elif self._phones.is_full:
            self._upkeep.before_message(next(iter(self._phones)), message.received)
        silent = self._phones.to_make_room(
            message.received, offline_after_s=self._rules.offline_after_s
        )
        if silent is not None:
            self._deliveries.forget([silent])
        self._phones.admit(device, sent_by, message.received)
        logger.info(
            "phone-admitted",
            "%(device)s: admitted, %(format)s on %(topic)s",
            device=device,
            format=sent_by.format.name,
            topic=message.topic,
        )
