"""What tests write into topics of Kafka, and read from them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from pipeline.program_topics import TIME_TOPIC

TIMEOUT_S: Final = 30.0


class Entry(NamedTuple):
    """One record of a topic."""

    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    partition: int
    offset: int
    time_s: float
    """The record's timestamp, epoch seconds"""


class Outgoing(NamedTuple):
    """A record to write."""

    key: bytes
    value: bytes
    headers: Mapping[str, bytes]
    time_s: float | None = None
    """The record's timestamp, epoch seconds; the clock's if not given"""


def write(address: str, topic: str, records: Iterable[Outgoing]) -> None:
    """Write records in their order, and return when Kafka has them."""
    failures: list[object] = []

    def note(error: object, message: Message) -> None:
        if error is not None:
            failures.append(error)

    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": address,
        "enable.idempotence": True,
        "linger.ms": 20,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",  # Kafka's own: Java producers take the same partition
        "log_level": 0,
    }
    producer = Producer(settings)
    for record in records:
        while True:
            try:
                producer.produce(
                    topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers.items()),
                    timestamp=0 if record.time_s is None else round(record.time_s * 1000),
                    on_delivery=note,
                )
                break
            except BufferError:  # Kafka has to take some first
                producer.poll(1.0)
        producer.poll(0)
    assert 0 == producer.flush(TIMEOUT_S), "Kafka does not take the records"
    assert [] == failures


class Reader:
    """Reads a topic from its beginning; used in a ``with`` statement.

    Records that say only what time it is are left out.
    """

    def __init__(self, address: str, topic: str, *, committed_only: bool = True) -> None:
        """Begin before the first record of each partition that there is."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": "tests",
                "enable.auto.commit": False,
                "isolation.level": "read_committed" if committed_only else "read_uncommitted",
                "log_level": 0,
            }
        )
        self._topic = topic
        partitions = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        self._at = {partition: 0 for partition in partitions}
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in self._at])

    def __enter__(self) -> "Reader":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._consumer.close()

    def rest(self) -> list[Entry]:
        """Return what was written since the last call, up to now."""
        ends = {
            partition: self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=TIMEOUT_S
            )[1]
            for partition in self._at
        }
        return self._until(lambda _: all(self._at[place] >= ends[place] for place in ends))

    def await_entries(self, n_entries: int, *, timeout_s: float = TIMEOUT_S) -> list[Entry]:
        """Return at least so many further records, as soon as they are there."""
        return self._until(lambda entries: len(entries) >= n_entries, timeout_s=timeout_s)

    def _until(
        self, is_enough: Callable[[list[Entry]], bool], *, timeout_s: float = TIMEOUT_S
    ) -> list[Entry]:
        entries: list[Entry] = []
        deadline = time.monotonic() + timeout_s
        while not is_enough(entries):
            assert time.monotonic() < deadline, f"{len(entries)} records only"
            for message in self._consumer.consume(1000, timeout=0.2):
                if (error := message.error()) is not None:
                    if error.retriable():
                        continue
                    raise KafkaException(error)
                entry = _entry(message)
                if entry.headers.get("topic") != TIME_TOPIC.encode():
                    entries.append(entry)
            for place in self._consumer.position(
                [TopicPartition(self._topic, partition) for partition in self._at]
            ):
                self._at[place.partition] = max(place.offset, self._at[place.partition])
        return entries


def read(address: str, topic: str) -> Sequence[Entry]:
    """Return all that a topic holds now, each partition in order."""
    with Reader(address, topic) as reader:
        return reader.rest()


def _entry(message: Message) -> Entry:
    key, value, headers = message.key(), message.value(), message.headers() or []
    assert not isinstance(key, str)
    assert isinstance(value, bytes)
    return Entry(
        key,
        value,
        {name: content for name, content in dict(headers).items() if isinstance(content, bytes)},
        int(message.partition() or 0),
        int(message.offset() or 0),
        message.timestamp()[1] / 1000,
    )
