"""From MQTT to Kafka: each message is acknowledged to the broker once Kafka has it.

Strategy: what has come is handed to Kafka's producer in the order of its arrival; the producer
reports each delivery, and then the message is acknowledged. Rules:

* What is not acknowledged is held here too, until it is. The broker sends no more than so much: the
  bound is its receive maximum. While Kafka is away, the broker keeps the rest.
* A message that the broker sends again, over a new connection, though it was handed over before, is
  known by its packet identifier and checksum, and goes to Kafka once. Only a bridge that was killed
  does not know it any more. Then what had not been acknowledged comes a second time, all of it and
  in its order, as far as Kafka has it already: each device's records go back some steps once.
* A record that Kafka does not take for what it is, such as one that is too large, is counted and
  acknowledged. If a record fails for anything else, the producer is given up, and another one gets
  all that is held, from the first on.
* Messages at QoS 0 the broker cannot keep: while too many are held, new ones are dropped.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final
from zlib import crc32

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.commands.bridge.counts import BridgeCounts, Refusal
from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig
from pipeline.commands.bridge.reachability import Reachability
from pipeline.commands.bridge.record_keys import Headers, RecordKeys
from pipeline.event_log import EventLog
from pipeline.kafka_records import TOPIC_HEADER
from pipeline.log_intervals import LogIntervals
from pipeline.messages import Message, Receipt
from pipeline.mqtt.connection import Connection
from pipeline.program_topics import TIME_TOPIC
from pipeline.readings import MAX_PAYLOAD_BYTES

logger = EventLog(__name__)

GATHER_S: Final = 0.005
LOG_INTERVAL_S: Final = 10.0
"""A reason for not taking messages is logged at most this often, for each topic"""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""Between two attempts to make a producer"""
PURGE_S: Final = 1.0
"""Within which a producer that is given up returns what it holds"""

METADATA_TIMEOUT_S: Final = 1.0
_TIME: Final[Headers] = [(TOPIC_HEADER, TIME_TOPIC.encode())]
"""Headers of a record that says what time it is"""

_OF_THE_RECORD: Final[dict[int, Refusal]] = {
    KafkaError.MSG_SIZE_TOO_LARGE: "size",
    KafkaError.RECORD_LIST_TOO_LARGE: "size",
    KafkaError._BAD_MSG: "record",
    KafkaError.INVALID_MSG: "record",
    KafkaError.INVALID_MSG_SIZE: "record",
    KafkaError.INVALID_RECORD: "record",
    KafkaError.INVALID_TIMESTAMP: "record",
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT: "record",
}
"""Errors that the same record would always have"""
_TAKEN_BACK: Final = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


class _Held:
    """A message that Kafka has not confirmed."""

    __slots__ = ("message", "number", "receipt")

    def __init__(self, number: int, message: Message) -> None:
        self.number = number
        self.message = message
        self.receipt = message.receipt


class SamplesToKafka:
    """Carries what phones send from a connection to a topic."""

    def __init__(
        self,
        connection: Connection,
        topic: str,
        *,
        make_producer: Callable[[], Producer],
        keys: RecordKeys,
        counts: BridgeCounts,
        reachability: Reachability,
        config: KafkaConfig,
    ) -> None:
        """Begin without a producer.

        ``make_producer`` returns one whose topic is there. It raises `KafkaException` or
        `TimeoutError` while Kafka cannot be reached, `BridgeError` if the topic cannot be had.
        """
        self._connection = connection
        self._topic = topic
        self._make_producer = make_producer
        self._keys = keys
        self._counts = counts
        self._reachability = reachability
        self._config = config
        self._producer: Producer | None = None
        self._n_partitions = 0  # not known yet
        self._failure: KafkaError | None = None
        """Why the producer is to be given up"""
        self._next_attempt, self._pause_s = 0.0, FIRST_PAUSE_S
        self._n_when_failed = sys.maxsize
        """Messages that Kafka had confirmed when a producer failed; the largest number if none has
        since Kafka took any"""
        self._held: dict[int, _Held] = {}
        """By a number that counts messages, in the order of arrival"""
        self._n_taken = 0
        self._latest: dict[int, tuple[int, int]] = {}
        """Checksum and number of the latest message with each packet identifier, also when Kafka
        has it: its acknowledgement may be lost"""
        self._acknowledgeable: list[Receipt] = []
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)

    @property
    def n_held(self) -> int:
        """Messages that are here, and that Kafka has not confirmed."""
        return len(self._held)

    def why_not_taken(self) -> str | None:
        """Return that Kafka takes no records, None if it does or none have come; on any thread."""
        if self._n_when_failed == sys.maxsize:
            return None
        return f"Kafka does not take records of the topic {self._topic}"

    def turn(self, *, timeout_s: float) -> bool:
        """Hand over what comes within a time, and acknowledge; return whether anything came.

        Raises:
            BridgeError: the topic cannot be had, and never could.
        """
        messages = self._connection.take(timeout_s=timeout_s, gather_s=GATHER_S)
        self._hear()  # of a failure before more follows what has failed
        self._keep_producer()
        for message in messages:
            self._take(message)
        self._hear()
        return bool(messages)

    def write_time(self) -> None:
        """Write what time it is into each partition, unless Kafka takes no records now."""
        if self._producer is None or self._failure is not None:
            return
        try:
            if not self._n_partitions:
                metadata = self._producer.list_topics(self._topic, METADATA_TIMEOUT_S)
                self._n_partitions = len(metadata.topics[self._topic].partitions)
            for partition in range(self._n_partitions):
                self._producer.produce(self._topic, b"", partition=partition, headers=_TIME)
        except (KafkaException, BufferError):
            return  # the next time will do

    def finish(self, *, timeout_s: float) -> None:
        """Wait for what is on its way; what Kafka has not confirmed in time the broker keeps."""
        if self._producer is not None:
            self._producer.flush(timeout_s)
            self._hear()

    def _hear(self) -> None:
        """Take what Kafka reports, and acknowledge what it has."""
        if self._producer is not None:
            self._producer.poll(0)
        if self._counts.samples > self._n_when_failed:
            self._recover()
        if self._acknowledgeable:
            self._connection.acknowledge(self._acknowledgeable)
            self._acknowledgeable = []
        dropped = self._connection.take_dropped()
        if dropped:
            self._drop(dropped.total(), next(iter(dropped)))

    def _take(self, message: Message) -> None:
        """Hand a message over, unless it cannot be, or is on its way already."""
        mid = message.mid
        if message.oversize:
            self._refuse(message, "size", f"{message.oversize} bytes; at most {MAX_PAYLOAD_BYTES}")
            self._acknowledgeable.append(message.receipt)
            return
        if mid:
            checksum = crc32(message.payload, crc32(message.topic.encode()))
            known, number = self._latest.get(mid, (None, 0))
            if message.dup and checksum == known:
                self._take_again(message, number)
                return
            self._latest[mid] = checksum, self._n_taken
        elif len(self._held) >= self._connection.most_waiting:
            self._drop(1, message.topic)
            return
        held = self._held[self._n_taken] = _Held(self._n_taken, message)
        self._n_taken += 1
        self._send(held)

    def _take_again(self, message: Message, number: int) -> None:
        """Take a message that came before over another connection, by its number."""
        self._counts.repeated_samples += 1
        held = self._held.get(number)
        if held is None:  # Kafka has it
            self._acknowledgeable.append(message.receipt)
        else:
            held.receipt = message.receipt

    def _send(self, held: _Held) -> None:
        if self._producer is None or self._failure is not None:
            return  # all that is held goes to the next one
        message = held.message
        key, headers = self._keys.of(message)
        try:
            self._producer.produce(
                self._topic,
                message.payload,
                key,
                headers=headers,
                on_delivery=partial(self._report, held),
            )
        except KafkaException as exception:
            self._report(held, exception.args[0], None)
        except BufferError:  # there is room for all that the broker may send
            self._failure = KafkaError(KafkaError._QUEUE_FULL)

    def _report(self, held: _Held, error: KafkaError | None, record: object) -> None:
        """Take the report on a record."""
        if error is None:
            self._counts.samples += 1
            self._release(held)
        elif error.code() in _OF_THE_RECORD:
            self._refuse(
                held.message, _OF_THE_RECORD[error.code()], self._config.explain(error.str())
            )
            self._release(held)
        elif error.code() not in _TAKEN_BACK and self._failure is None:
            self._failure = error

    def _release(self, held: _Held) -> None:
        """Hold a message no longer, and let it be acknowledged."""
        del self._held[held.number]
        if held.message.mid:
            self._acknowledgeable.append(held.receipt)

    def _keep_producer(self) -> None:
        """Give the producer up if it has failed, and make one if there is none."""
        if self._failure is not None:
            self._give_up(self._failure)
        if self._producer is not None or time.monotonic() < self._next_attempt:
            return
        self._next_attempt = time.monotonic() + self._pause_s
        try:
            self._producer = self._make_producer()
        except (KafkaException, TimeoutError) as exception:
            self._reachability.lose("producer", self._config.explain(_reason(exception)))
            return
        except BridgeError:
            if not self._counts.producers:
                raise
            return  # the topic was there before, and may be again
        self._counts.producers += 1
        self._n_partitions = 0
        for held in list(self._held.values()):
            self._send(held)

    def _give_up(self, failure: KafkaError) -> None:
        """Take back from the producer what it holds; the next one is made after a pause."""
        if self._n_when_failed == sys.maxsize:
            logger.error(
                "producer-failed",
                "Kafka does not take records of the topic %(topic)s: %(reason)s; trying again, and "
                "the broker keeps what comes",
                topic=self._topic,
                reason=self._config.explain(failure.str()),
            )
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(PURGE_S)
        self._producer, self._failure = None, None
        self._n_when_failed = self._counts.samples
        self._next_attempt = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _recover(self) -> None:
        """Note that Kafka takes records again."""
        self._n_when_failed, self._pause_s = sys.maxsize, FIRST_PAUSE_S
        logger.info(
            "producer-recovered",
            "Kafka takes records of the topic %(topic)s again",
            topic=self._topic,
        )

    def _refuse(self, message: Message, refusal: Refusal, why: str) -> None:
        """Count a message that does not go to Kafka, and log it unless one like it was."""
        counts = self._counts.refused_samples
        counts[refusal] += 1
        if self._log_intervals.are_over(refusal, message.topic, time.monotonic()):
            logger.warning(
                "message-not-taken",
                "a message on %(topic).100r does not go to Kafka (%(reason)s, %(n_so_far)d so far):"
                " %(error)s",
                topic=message.topic,
                reason=refusal,
                n_so_far=counts[refusal],
                error=why,
            )

    def _drop(self, n_dropped: int, topic: str) -> None:
        """Count messages at QoS 0 that are lost, and log it now and then."""
        self._counts.dropped_samples += n_dropped
        if self._log_intervals.are_over("dropped", "", time.monotonic()):
            logger.warning(
                "messages-lost",
                "dropped messages at QoS 0, which the broker cannot keep (%(n_so_far)d so far, one "
                "on %(topic).100r): Kafka does not take them fast enough; phones should use QoS 1",
                n_so_far=self._counts.dropped_samples,
                topic=topic,
            )


def _reason(exception: KafkaException | TimeoutError) -> str:
    if isinstance(exception, KafkaException):
        return str(exception.args[0].str())
    return "it does not answer"
