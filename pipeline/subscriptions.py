"""Which topics are read, and in which format: ``TOPIC=FORMAT``.

The first ``+`` of a topic filter stands for the device's name; a filter without ``+`` leaves the
name to the payload.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.formats import FORMATS, Format
from pipeline.readings import Label, Readings, check_device, check_payload

DEFAULTS: Final = (
    "browser/+=browser",
    "sensor-logger/+=sensor-logger",
    "sensorspot/+/#=sensorspot",
    "phyphox/+=phyphox",
)
"""Read without being asked: the usual topics of apps whose phones have one each."""
NATIVE: Final = "har/+/samples=native"
"""Always read"""


class SubscriptionError(ValueError):
    """A subscription is not ``TOPIC=FORMAT``; the user can correct it."""


@dataclass(frozen=True)
class Subscription:
    """A topic filter and the format of its messages."""

    filter: str
    format: Format
    pattern: re.Pattern[str] = field(repr=False)
    """Matches the filter's topics; its group, if any, is the device"""


@dataclass(frozen=True)
class Route:
    """The format, device and topic filter of a message, by its topic."""

    format: Format
    device: str | None
    """The device's name, None if the payload names it"""
    topic: str
    """The topic filter under which all of the device's messages come"""

    def decode(self, payload: bytes) -> Sequence[Readings | Label]:
        """Return what a message holds.

        Raises:
            MessageError: it is too long or holds too much, or does not fit the format; or the
                topic's device has a name that cannot be used.
        """
        if self.device is not None:
            check_device(self.device)
        check_payload(payload)
        return self.format.decode(payload, self.device)


def parse(text: str) -> Subscription:
    """Return the subscription that ``TOPIC=FORMAT`` describes.

    Raises:
        SubscriptionError: there is no such format, or the topic filter is none.
    """
    topic, equals, name = text.rpartition("=")
    if not equals or not topic:
        raise SubscriptionError(
            f"{text!r} is not TOPIC=FORMAT, such as 'sensor-logger=sensor-logger'"
        )
    if name not in FORMATS:
        raise SubscriptionError(f"no format {name!r} in {text!r}: there are {', '.join(FORMATS)}")
    levels = topic.split("/")
    if levels[0] == "$share":
        raise SubscriptionError(
            f"{topic!r} is shared: a phone's messages must all come here, for its windows' sake"
        )
    wrong = [
        level
        for i, level in enumerate(levels)
        if ("+" in level and level != "+")
        or ("#" in level and (level, i) != ("#", len(levels) - 1))
    ]
    if wrong:
        raise SubscriptionError(
            f"{topic!r} is no topic filter: + stands for a whole level, # for all that follow"
        )
    return Subscription(topic, FORMATS[name], _pattern(levels))


def unasked(given: Sequence[str], *, with_defaults: bool) -> list[str]:
    """Return the topic filters that are subscribed to though nobody named them."""
    named = {text.rpartition("=")[0] for text in given}
    filters = [text.rpartition("=")[0] for text in DEFAULTS if with_defaults]
    return [topic for topic in filters if topic not in named]


def subscriptions_of(given: Sequence[str], *, with_defaults: bool) -> list[Subscription]:
    """Return the subscriptions that ``TOPIC=FORMAT`` describe, and those that need not be named.

    The first that matches a topic decides its format, so those given come first.

    Raises:
        SubscriptionError: one is not ``TOPIC=FORMAT``.
    """
    texts = [*given, *(DEFAULTS if with_defaults else ()), NATIVE]
    by_filter: dict[str, Subscription] = {}
    for subscription in map(parse, texts):
        by_filter.setdefault(subscription.filter, subscription)
    return list(by_filter.values())


def _pattern(levels: Sequence[str]) -> re.Pattern[str]:
    parts: list[str] = []
    named = False
    for level in levels:
        if level == "#":
            # ``a/#`` matches ``a`` too (MQTT 5, 4.7.1.2)
            return re.compile("/".join(parts) + ("(?:/.*)?" if parts else ".*"), re.DOTALL)
        if level == "+":
            parts.append("[^/]*" if named else "(?P<device>[^/]*)")
            named = True
        else:
            parts.append(re.escape(level))
    return re.compile("/".join(parts), re.DOTALL)


def route(subscriptions: Sequence[Subscription], topic: str) -> Route | None:
    """Return the route by the first subscription that matches the topic, None if none does."""
    for subscription in subscriptions:
        match = subscription.pattern.fullmatch(topic)
        if match is not None:
            device = match.groupdict().get("device")
            of_device = (
                subscription.filter
                if device is None
                else subscription.filter.replace("+", device, 1)
            )
            return Route(subscription.format, device, of_device)
    return None
