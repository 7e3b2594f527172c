"""From Kafka to MQTT: a record counts as read once the broker has confirmed what it holds.

Strategy: records are read in the order of their partitions and published in that order; offsets are
committed behind them. Rules:

* An offset is committed when the broker has confirmed all that was published until its record was
  read: a broker confirms in the order of publication (MQTT 5, 4.6). What was not committed when the
  bridge was killed is published again.
* While the broker takes nothing, reading pauses, and Kafka keeps the rest.
* A record that is no result, or repeats one, is counted and passed over; its offset counts.
* A partition that another bridge of the group gets is its from there on, wherever ours stands.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.commands.bridge.counts import BridgeCounts
from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig
from pipeline.commands.bridge.reachability import Reachability
from pipeline.commands.bridge.repeats import Repeats
from pipeline.commands.bridge.result_records import FlawError, result_of
from pipeline.event_log import EventLog
from pipeline.log_intervals import LogIntervals
from pipeline.messages import Publication
from pipeline.mqtt.connection import Connection

logger = EventLog(__name__)

MOST_AT_ONCE: Final = 1_000
"""Records that are read at once"""
MOST_UNCONFIRMED: Final = 5_000
"""Results that may be on their way to the broker when more are read"""
COMMIT_EVERY_S: Final = 1.0
ATTEMPT_EVERY_S: Final = 1.0
"""Between two attempts to reach Kafka at the start"""
KNOWN_WITHIN_S: Final = 10.0
"""All of Kafka's nodes know a topic by then that was just created"""
LOG_INTERVAL_S: Final = 10.0
"""A flaw of records is logged at most this often"""


class ResultsToMqtt:
    """Carries results from a topic to a connection."""

    def __init__(
        self,
        connection: Connection,
        topic: str,
        *,
        make_consumer: Callable[[Callable[[KafkaError | None, object], None]], Consumer],
        most_bytes: int,
        counts: BridgeCounts,
        reachability: Reachability,
        config: KafkaConfig,
    ) -> None:
        """Begin without a consumer.

        ``make_consumer`` takes what hears of commits, and returns one whose topic is there, or
        raises `KafkaException` or `TimeoutError` while Kafka cannot be reached. ``most_bytes`` are
        of the largest result.
        """
        self._connection = connection
        self._topic = topic
        self._make_consumer = make_consumer
        self._most_bytes = most_bytes
        self._counts = counts
        self._reachability = reachability
        self._config = config
        self._consumer: Consumer | None = None
        self._known_by = 0.0
        self._next_attempt = 0.0
        self._repeats = Repeats()
        self._awaited: deque[tuple[int, dict[int, int]]] = deque()
        """Next offsets by partition, each with how many publications are to be done before"""
        self._confirmed: dict[int, int] = {}
        """Next offsets by partition, confirmed and not committed"""
        self._next_commit = 0.0
        self._paused: list[TopicPartition] = []
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)

    def turn(self, *, timeout_s: float) -> bool:
        """Publish what can be read within a time, and commit; return whether there was any.

        Raises:
            BridgeError: they cannot be read, and that does not pass by itself.
        """
        if self._consumer is None:
            self._begin()
        if self._consumer is None:
            return False
        self._keep_pace(self._consumer)
        records = self._consumer.consume(MOST_AT_ONCE, timeout=timeout_s)
        if records:
            self._publish(records)
        self._commit(self._consumer, at_once=False)
        return bool(records)

    def finish(self, *, timeout_s: float) -> None:
        """Wait for what is on its way to the broker, commit that, and leave."""
        if self._consumer is None:
            return
        self._connection.await_confirmations(0, timeout_s=timeout_s)
        self._commit(self._consumer, at_once=True)
        self._consumer.close()
        self._consumer = None

    def _begin(self) -> None:
        """Make the consumer, if Kafka can be reached."""
        if time.monotonic() < self._next_attempt:
            return
        try:
            consumer = self._make_consumer(self._hear_of_commit)
        except (KafkaException, TimeoutError) as exception:
            said = exception.args[0].str() if isinstance(exception, KafkaException) else ""
            self._reachability.lose("consumer", self._config.explain(said or "it does not answer"))
            self._next_attempt = time.monotonic() + ATTEMPT_EVERY_S
            return
        consumer.subscribe([self._topic], on_revoke=self._give_back, on_lost=self._lose)
        self._consumer = consumer
        self._known_by = time.monotonic() + KNOWN_WITHIN_S

    def _keep_pace(self, consumer: Consumer) -> None:
        """Pause reading while the broker has too much to confirm; a pause loses no partition."""
        too_much = self._connection.publications.unconfirmed > MOST_UNCONFIRMED
        if too_much and not self._paused:
            self._paused = consumer.assignment()
            consumer.pause(self._paused)
        elif not too_much and self._paused:
            still = {(one.topic, one.partition) for one in consumer.assignment()}
            consumer.resume([one for one in self._paused if (one.topic, one.partition) in still])
            self._paused = []

    def _publish(self, records: Sequence[Message]) -> None:
        """Publish records, and expect their confirmation."""
        publications: list[Publication] = []
        offsets: dict[int, int] = {}
        for record in records:
            error = record.error()
            if error is not None:
                self._hear(error)
                continue
            partition, offset = record.partition(), record.offset()
            assert partition is not None  # of one that was read
            assert offset is not None
            offsets[partition] = offset + 1
            try:
                result = result_of(record, most_bytes=self._most_bytes)  # type: ignore[arg-type]
            except FlawError as flaw:
                self._reject(partition, offset, flaw)
                continue
            if self._repeats.has_seen(result, partition):
                self._counts.repeated_results += 1
            else:
                publications.append(result.publication)
        if publications:
            self._connection.publish_all(publications)
            self._counts.results += len(publications)
        if offsets:
            self._awaited.append((self._connection.publications.made, offsets))

    def _commit(self, consumer: Consumer, *, at_once: bool) -> None:
        """Commit what the broker has confirmed, if it is time; ``at_once`` waits for Kafka."""
        counts = self._connection.publications
        n_done = counts.made - counts.unconfirmed
        while self._awaited and self._awaited[0][0] <= n_done:
            self._confirmed |= self._awaited.popleft()[1]
        if not self._confirmed or (time.monotonic() < self._next_commit and not at_once):
            return
        offsets = [
            TopicPartition(self._topic, partition, offset)
            for partition, offset in self._confirmed.items()
        ]
        try:
            if at_once:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as exception:  # then it is read again
            self._hear_of_commit(exception.args[0], offsets)
        self._confirmed = {}
        self._next_commit = time.monotonic() + COMMIT_EVERY_S

    def _hear_of_commit(self, error: KafkaError | None, offsets: object) -> None:
        if error is None:
            self._counts.commits += 1
            return
        # The next commit, of later offsets, stands for it too.
        logger.debug(
            "offsets-not-committed",
            "Kafka does not note how far results are published: %(reason)s",
            reason=self._config.explain(error.str()),
        )

    def _give_back(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Commit what is confirmed before another bridge gets the partitions."""
        self._commit(consumer, at_once=True)
        self._lose(consumer, partitions)

    def _lose(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Expect nothing more of partitions that are not ours any longer."""
        self._paused = []
        for one in partitions:
            self._confirmed.pop(one.partition, None)
            for _, offsets in self._awaited:
                offsets.pop(one.partition, None)

    def _hear(self, error: KafkaError) -> None:
        """Take an error of the consumer.

        Raises:
            BridgeError: it does not pass by itself.
        """
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and time.monotonic() < self._known_by:
            return
        why = self._config.explain(error.str())
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise BridgeError(f"results of the topic {self._topic} cannot be read: {why}")
        if self._log_intervals.are_over(str(error.code()), "", time.monotonic()):
            logger.error(
                "results-not-read",
                "results of the topic %(topic)s cannot be read: %(reason)s",
                topic=self._topic,
                reason=why,
            )

    def _reject(self, partition: int, offset: int, flaw: FlawError) -> None:
        """Count a record that is no result, and log it unless one like it was."""
        counts = self._counts.rejected_results
        counts[flaw.flaw] += 1
        if self._log_intervals.are_over(flaw.flaw, "", time.monotonic()):
            logger.warning(
                "record-no-result",
                "a record is no result (partition %(partition)d, offset %(offset)d; %(reason)s, "
                "%(n_so_far)d so far): %(error)s",
                partition=partition,
                offset=offset,
                reason=flaw.flaw,
                n_so_far=counts[flaw.flaw],
                error=flaw,
            )
