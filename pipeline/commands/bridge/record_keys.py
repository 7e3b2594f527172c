"""The key and the headers of a message's record, by which a device's records keep their order.

Rules: a record's key is the device that the message is of, be it samples, a calibration, options or
a label. Where phones share a topic, only the payload names the device. What names none, or several,
or cannot be read, goes under its topic: who rejects messages, and counts them, is the recognizer.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.kafka_records import RETAINED_HEADER, TOPIC_HEADER, YES
from pipeline.messages import Message
from pipeline.readings import is_device
from pipeline.subscriptions import Route, Subscription, route

INSTRUCTION_TOPICS: Final = ("har/+/calibration", "har/+/options", "har/+/label")
"""Topic filters of what is not samples, but has its place among them"""
_INSTRUCTION: Final = re.compile(r"har/(?P<device>[^/]+)/(?:calibration|options|label)")
MOST_TOPICS: Final = 20_000
"""Topics of which the key is kept at hand"""

Headers = list[tuple[str, str | bytes | None]]
"""As confluent_kafka takes them; all of ours are bytes"""


class Keyed(NamedTuple):
    """What goes to Kafka beside a payload."""

    key: bytes | None
    """None if only the payload says"""
    headers: Headers
    route: Route | None
    """By which the payload is read, if it is needed"""


class RecordKeys:
    """Finds the key of each message."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        """Begin; the first subscription that matches a topic decides."""
        self._subscriptions = subscriptions
        self._keyed = lru_cache(MOST_TOPICS)(self._of_topic)

    def of(self, message: Message) -> tuple[bytes, Headers]:
        """Return the key of a message's record, and its headers."""
        key, headers, sent_by = self._keyed(message.topic, message.retained)
        if key is None:
            key = _device_in(message, sent_by).encode()
        return key, headers

    def _of_topic(self, topic: str, is_retained: bool) -> Keyed:
        headers: Headers = [(TOPIC_HEADER, topic.encode())]
        if is_retained:
            headers.append((RETAINED_HEADER, YES))
        instruction = _INSTRUCTION.fullmatch(topic)
        sent_by = None if instruction else route(self._subscriptions, topic)
        if instruction is not None:
            device = instruction["device"]
        elif sent_by is None:
            device = topic
        elif sent_by.device is None:
            return Keyed(None, headers, sent_by)
        else:
            device = sent_by.device
        return Keyed((device if is_device(device) else topic).encode(), headers, None)


def _device_in(message: Message, sent_by: Route | None) -> str:
    """Return the only device that a message names, else its topic."""
    if sent_by is None:
        return message.topic
    try:
        devices = {part.device for part in sent_by.decode(message.payload)}
    except Exception:  # whatever is wrong, the recognizer counts it
        return message.topic
    return devices.pop() if len(devices) == 1 else message.topic
