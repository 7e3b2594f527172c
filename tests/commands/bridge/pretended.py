"""Both brokers of har-bridge, pretended: they do what a test says, one step at a time."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from pipeline.messages import Message, Receipt

MIDS: Final = 100
"""Packet identifiers, fewer than there are, so that they are used again soon"""

Report = Callable[[KafkaError | None, object], None]


class PretendedMqtt:
    """A broker of MQTT that keeps a session, and the connection of its client."""

    def __init__(self, *, receive_maximum: int) -> None:
        """Begin connected, with nothing to send."""
        self.most_waiting = receive_maximum
        self.acknowledged: list[bytes] = []
        """Payloads of messages that are"""
        self.is_deaf = False
        """Acknowledgements are lost, until the connection is cut"""
        self._queued: deque[tuple[str, bytes]] = deque()
        self._in_flight: dict[int, tuple[str, bytes]] = {}
        self._sent: list[Message] = []
        self._n_connections = 1.0
        self._mids = count()

    def queue(self, topic: str, payload: bytes) -> None:
        """Take a message for the client."""
        self._queued.append((topic, payload))
        self._send()

    def cut(self) -> None:
        """End the connection and make another: what is not acknowledged is sent again."""
        self.is_deaf = False
        self._n_connections += 1
        self._sent = [self._message(mid, dup=True) for mid in self._in_flight]
        self._send()

    def forget(self) -> None:
        """Lose the session, as a broker that keeps none does when it is killed."""
        self._in_flight.clear()
        self._queued.clear()
        self._mids = count()
        self.cut()

    def take(self, *, timeout_s: float, gather_s: float) -> list[Message]:
        """Return what has come to the client."""
        taken, self._sent = self._sent, []
        return taken

    def take_dropped(self) -> dict[str, int]:
        """Return that nothing was dropped."""
        return {}

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Take acknowledgements, but of this connection alone."""
        for mid, received in receipts:
            if received == self._n_connections and not self.is_deaf:
                self.acknowledged.append(self._in_flight.pop(mid)[1])
        self._send()

    @property
    def is_done(self) -> bool:
        """Whether all is acknowledged."""
        return not self._queued and not self._in_flight

    def _send(self) -> None:
        while self._queued and len(self._in_flight) < self.most_waiting:
            mid = next(self._mids) % MIDS + 1
            if mid not in self._in_flight:
                self._in_flight[mid] = self._queued.popleft()
                self._sent.append(self._message(mid, dup=False))

    def _message(self, mid: int, *, dup: bool) -> Message:
        topic, payload = self._in_flight[mid]
        return Message(topic, payload, self._n_connections, mid, dup)


class PretendedKafka:
    """A topic of Kafka, and the producers that write into it."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[tuple[bytes, bytes]] = []
        """Keys and payloads, in their order"""
        self.producers: list[PretendedProducer] = []
        self.is_away = False

    def make_producer(self) -> "PretendedProducer":
        """Return another producer.

        Raises:
            KafkaException: Kafka is away.
        """
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.producers.append(PretendedProducer(self.records))
        return self.producers[-1]


class PretendedProducer:
    """A producer whose records arrive when a test says so."""

    most_bytes: Final = 1_000

    def __init__(self, records: list[tuple[bytes, bytes]]) -> None:
        """Begin with nothing on its way."""
        self._records = records
        self._on_their_way: deque[tuple[bytes, bytes, Report]] = deque()
        self._reports: list[tuple[Report, KafkaError | None]] = []

    def list_topics(self, topic: str, timeout_s: float) -> ClusterMetadata:
        """Return that it has three partitions."""
        cluster, of_topic = ClusterMetadata(), TopicMetadata()
        of_topic.partitions = {number: PartitionMetadata() for number in range(3)}
        cluster.topics = {topic: of_topic}
        return cluster

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes = b"",
        *,
        headers: object,
        on_delivery: Report = lambda error, record: None,
        partition: int = -1,
    ) -> None:
        """Take a record.

        Raises:
            KafkaException: it is too large.
        """
        if len(value) > self.most_bytes:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if partition >= 0:
            key = b"into %d" % partition
        self._on_their_way.append((key, value, on_delivery))

    def arrive(self, n: int, *, is_reported: bool = True) -> None:
        """Let some records arrive; unless ``is_reported`` it looks here as if they had failed."""
        for _ in range(min(n, len(self._on_their_way))):
            key, value, report = self._on_their_way.popleft()
            self._records.append((key, value))
            self._reports.append((report, None if is_reported else KafkaError(KafkaError._FATAL)))

    def refuse(self, code: int) -> None:
        """Let the next record be refused."""
        if self._on_their_way:
            self._reports.append((self._on_their_way.popleft()[2], KafkaError(code)))

    def poll(self, timeout_s: float) -> None:
        """Report."""
        reports, self._reports = self._reports, []
        for report, error in reports:
            report(error, None)

    def purge(self) -> None:
        """Give up what is on its way."""
        while self._on_their_way:
            self.refuse(KafkaError._PURGE_QUEUE)

    def flush(self, timeout_s: float) -> None:
        """Report."""
        self.poll(timeout_s)
