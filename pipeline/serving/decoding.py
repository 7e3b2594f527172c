"""A tick's messages, decoded: those of phones that only go on together, all others one by one.

Rules:

* Decoding changes nothing, so it can be done before any of the messages takes effect.
* A phone *only goes on* if it is online and all its messages of the tick are plain ones of now,
  as its last one was: then all that changes with them are its samples and the times of its last
  message. Those are in one block, in their order.
* What says anything else of a phone, or might, is decoded by itself, and then so is all of that
  phone. Whether messages are decoded together makes no difference to any result.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import BlockDelivery
from pipeline.formats import FORMATS, Format
from pipeline.messages import Message
from pipeline.readings import MAX_PAYLOAD_BYTES, Label, MessageError, Readings
from pipeline.serving.phones import Phones
from pipeline.serving.routes import INSTRUCTION, sample_route
from pipeline.serving.rules import Rules
from pipeline.subscriptions import Route, Subscription

FEWEST_TOGETHER: Final = 8
"""Fewer messages are decoded sooner one by one"""


class Single(NamedTuple):
    """A message that is decoded by itself."""

    message: Message
    sent_by: Route | None
    """None if it brings no samples"""
    content: Sequence[Readings | Label] | Exception
    """What it holds, or why that could not be told"""

    @property
    def devices(self) -> list[str]:
        """Names of the phones that it is about, as far as it names them."""
        if self.sent_by is None:
            instruction = INSTRUCTION.fullmatch(self.message.topic)
            return [] if instruction is None else [instruction["device"]]
        if self.sent_by.device is not None:
            return [self.sent_by.device]
        content = [] if isinstance(self.content, Exception) else self.content
        return [part.device for part in content]


class Together(NamedTuple):
    """Messages of phones that only go on."""

    format: Format
    delivered: BlockDelivery
    messages: Sequence[Message]
    routes: Sequence[Route]
    ahead_s: NDArray[np.float64]
    """``(n,)``: how far each message's newest sample is ahead of when the message came"""

    def chosen(self, which: NDArray[np.bool_]) -> "Together":
        """Return those messages where ``which`` ``(n,)`` is true."""
        indices = np.flatnonzero(which).tolist()
        return Together(
            self.format,
            self.delivered.chosen(which),
            [self.messages[i] for i in indices],
            [self.routes[i] for i in indices],
            self.ahead_s[which],
        )

    def singles(self, which: NDArray[np.bool_]) -> dict[int, Single]:
        """Return those messages by themselves, by their index in the tick."""
        block, devices = self.delivered.block, self.delivered.devices
        return {
            int(block.places[i]): Single(
                self.messages[i], self.routes[i], [block.readings(i, devices[i])]
            )
            for i in np.flatnonzero(which).tolist()
        }


class DecodedTick(NamedTuple):
    """The messages of a tick. Those together come first; each phone's are in one of both."""

    together: list[Together]
    singles: dict[int, Single]
    """By their index in the tick, ascending"""
    failures: dict[str, Exception]
    """Errors of ours that kept messages from being decoded together, by the format's topic"""


class Decoder:
    """Decodes messages by their topics."""

    def __init__(
        self, rules: Rules, subscriptions: Sequence[Subscription], *, phones: Phones
    ) -> None:
        """Take the topics and formats of samples; of ``phones`` nothing is changed."""
        self._rules = rules
        self.route = lru_cache(rules.max_devices)(partial(sample_route, subscriptions))
        """From a topic to the route of its messages, None if they bring no samples"""
        self._phones = phones

    def single(self, message: Message) -> Single:
        """Return a message by itself, or with the error that it led to."""
        sent_by = None
        try:
            sent_by = self.route(message.topic)
            if message.oversize:
                limit = f"at most {MAX_PAYLOAD_BYTES}"
                if message.oversize <= MAX_PAYLOAD_BYTES:
                    limit = "--max-packet is set to take less"
                raise MessageError("size", f"{message.oversize} bytes; {limit}")
            content = [] if sent_by is None else sent_by.decode(message.payload)
        except Exception as error:  # an error of ours must not end the other phones
            return Single(message, sent_by, error)
        return Single(message, sent_by, content)

    def tick(self, messages: Sequence[Message], epoch: float) -> DecodedTick:
        """Return a tick's messages; ``epoch`` is the 0 of their clock in epoch seconds."""
        blocks: list[Together] = []
        failures: dict[str, Exception] = {}
        if len(messages) >= FEWEST_TOGETHER:
            for format, candidates in self._candidates(messages).items():
                try:
                    blocks += self._decoded_together(format, candidates, epoch)
                except Exception as error:  # whatever it is: each is decoded by itself then
                    failures[format.topic] = error
        in_blocks = {place for one in blocks for place in one.delivered.block.places.tolist()}
        singles = {
            place: self.single(message)
            for place, message in enumerate(messages)
            if place not in in_blocks
        }
        apart = {device for one in singles.values() for device in one.devices}
        apart |= _in_several([one.delivered.devices for one in blocks])
        for one in blocks:
            apart |= self._that_change(one)
        together = []
        for one in blocks:
            if apart.isdisjoint(one.delivered.devices):
                together.append(one)
                continue
            stays = np.array([device not in apart for device in one.delivered.devices])
            singles |= one.singles(~stays)
            if stays.any():
                together.append(one.chosen(stays))
        return DecodedTick(together, dict(sorted(singles.items())), failures)

    def _candidates(
        self, messages: Sequence[Message]
    ) -> dict[Format, list[tuple[int, Message, Route]]]:
        """Return the messages of phones that may only go on, by format."""
        candidates: defaultdict[str, list[tuple[int, Message, Route]]] = defaultdict(list)
        route_of, phone_of = self.route, self._phones.get
        longest_s = min(self._rules.offline_after_s, self._rules.forget_after_s)
        for place, message in enumerate(messages):
            route = route_of(message.topic)
            if route is None or route.device is None or message.oversize or message.retained:
                continue
            phone = phone_of(route.device)
            if (
                phone is not None
                and phone.is_plain
                and phone.is_live
                and phone.online
                and message.received - phone.last_live <= longest_s
            ):
                candidates[route.format.name].append((place, message, route))
        return {
            FORMATS[name]: some
            for name, some in candidates.items()
            if FORMATS[name].decode_together is not None and len(some) >= FEWEST_TOGETHER
        }

    def _decoded_together(
        self, format: Format, candidates: Sequence[tuple[int, Message, Route]], epoch: float
    ) -> list[Together]:
        """Return those of some messages that are plain."""
        assert format.decode_together is not None
        blocks = format.decode_together([message.payload for _, message, _ in candidates])
        found = []
        for block in blocks:
            chosen = [candidates[i] for i in block.places.tolist()]
            received = epoch + np.array([message.received for _, message, _ in chosen])
            found.append(
                Together(
                    format,
                    BlockDelivery(
                        replace(block, places=np.array([place for place, _, _ in chosen])),
                        [route.device or "" for _, _, route in chosen],
                        received,
                    ),
                    [message for _, message, _ in chosen],
                    [route for _, _, route in chosen],
                    block.times.max(axis=1) - received,
                )
            )
        return found

    def _that_change(self, one: Together) -> set[str]:
        """Return the phones of which messages change more, because of when they are or say."""
        ahead_s = one.ahead_s
        of_now = (ahead_s <= self._rules.max_ahead_s) & (ahead_s >= -self._rules.max_behind_s)
        devices, block = one.delivered.devices, one.delivered.block
        change = {devices[i] for i in np.flatnonzero(~of_now).tolist()}
        placements = self._phones.placements
        if any(block.conventions) or any(block.worn_at) or placements.statements.any:
            change |= {
                device
                for device, convention, place in zip(
                    devices, block.conventions, block.worn_at, strict=True
                )
                if placements.tells_news(device, convention, place)
            }
        return change


def _in_several(groups: Sequence[Sequence[str]]) -> set[str]:
    """Return what is in more than one of several groups."""
    seen: set[str] = set()
    in_several: set[str] = set()
    for group in groups:
        in_several |= seen.intersection(group)
        seen.update(group)
    return in_several
