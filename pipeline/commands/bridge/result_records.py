"""Records that are results, and what is published of each; a foreign record is published nowhere.

A record may come from anybody who can write into the topic. It is a result if its header names
the topic ``har/<device>/<leaf>`` of a result, and its key is that device.
"""

from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from pipeline.commands.bridge.counts import Flaw
from pipeline.kafka_records import (
    ORIGIN_HEADER,
    RESULT_LEAVES,
    RETAIN_HEADER,
    TOPIC_HEADER,
    YES,
    Origin,
    origin_of,
)
from pipeline.messages import Publication
from pipeline.readings import is_device

MOST_TOPICS: Final = 60_000
"""Topics that are known to be good: six leaves of the most phones that one har-stream takes"""
UNREPEATED: Final = frozenset({"prediction", "episode"})
"""Leaves of which no two results are alike, as each names its device and start"""

Headers = list[tuple[str, bytes | str | None]]


class KafkaRecord(Protocol):
    """What is read of a record, as confluent_kafka's ``Message`` gives it."""

    def key(self) -> bytes | str | None:
        """Return its key."""

    def value(self) -> bytes | str | None:
        """Return its payload."""

    def headers(self) -> Headers | None:
        """Return its headers."""


class FlawError(Exception):
    """A record is no result; who writes into the topic can mend it."""

    def __init__(self, flaw: Flaw, explanation: str) -> None:
        """Keep the flaw's word and the explanation for the log."""
        super().__init__(explanation)
        self.flaw = flaw


class Result(NamedTuple):
    """A record that is a result."""

    publication: Publication
    origin: Origin | None
    """Where it comes among the results of its bucket, if it says so"""
    is_unrepeated: bool
    """Whether one that is alike in topic and payload can only be a repeat"""


def result_of(record: KafkaRecord, *, most_bytes: int) -> Result:
    """Return the result that a record is; ``most_bytes`` may its payload and topic have.

    Raises:
        FlawError: it is none.
    """
    named: bytes | str | None = None
    retain, origin = False, None
    for name, text in record.headers() or ():
        if name == TOPIC_HEADER:
            named = text
        elif name == RETAIN_HEADER:
            retain = text == YES
        elif name == ORIGIN_HEADER:
            origin = text
    key, payload = record.key(), record.value()
    if not isinstance(named, bytes):
        raise FlawError("topic", "it has no header topic")
    if not isinstance(key, bytes):
        raise FlawError("key", "it has no key; that of a result is its device")
    topic, leaf = _checked_topic(named, key)
    if not isinstance(payload, bytes):
        raise FlawError("value", "it has no value; an empty payload is one of no bytes")
    if len(payload) + len(named) > most_bytes:
        raise FlawError("size", f"{len(payload)} bytes; --max-packet lets {most_bytes} pass")
    return Result(
        Publication(topic, payload, retain),
        None if origin is None else _checked_origin(origin),
        leaf in UNREPEATED,
    )


@lru_cache(MOST_TOPICS)
def _checked_topic(named: bytes, key: bytes) -> tuple[str, str]:
    """Return the topic of a result, and its last level.

    Raises:
        FlawError: it is none, or of another device than the key says.
    """
    try:
        topic = named.decode()
    except UnicodeDecodeError:
        raise FlawError("topic", "its header topic is not in UTF-8") from None
    levels = topic.split("/")
    if len(levels) != 3 or levels[0] != "har" or levels[2] not in RESULT_LEAVES:
        raise FlawError("topic", f"{topic[:100]!r} is no topic of a result")
    if not is_device(levels[1]):
        raise FlawError("device", f"no phone can be called {levels[1][:100]!r}")
    if levels[1].encode() != key:
        raise FlawError("key", f"its key is {key[:100]!r}, but its topic {topic[:100]!r}")
    return topic, levels[2]


def _checked_origin(header: bytes | str) -> Origin:
    """Return the origin that a header states.

    Raises:
        FlawError: it states none.
    """
    try:
        return origin_of(header if isinstance(header, bytes) else header.encode())
    except ValueError as error:
        raise FlawError("origin", str(error)) from None
