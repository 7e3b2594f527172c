"""Kafka's clients as the bridge needs them: what its promises rest on, in librdkafka's terms.

Rules:

* The producer is idempotent, and a record waits for Kafka for however long: so each partition
  holds records in the order in which they were handed over, and none is given up.
* Its partitioner is that of Java's producers, so that a device has one partition, whoever writes.
* The consumer commits nothing by itself. After a crash others of its group, or the next one, have
  its partitions as soon as Kafka misses it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from pipeline.commands.bridge.kafka_config import KafkaConfig
from pipeline.commands.bridge.reachability import STATISTICS_MS, Reachability
from pipeline.commands.bridge.settings import BridgeSettings
from pipeline.event_log import EventLog

logger = EventLog(__name__)

LINGER_MS: Final = 5
"""How long a record waits for others to be sent with"""
BATCH_BYTES: Final = 1 << 18
"""Of records that are sent together; more would share the fate of one that is refused"""
USUAL_MOST_BYTES: Final = 1_048_588
"""Of a record, by Kafka's own default (max.message.bytes)"""
SESSION_TIMEOUT_MS: Final = 10_000
"""A consumer that is silent for so long loses its partitions to others of its group"""
RECONNECT_MS: Final = 1_000
"""Between two attempts to connect, at most: whoever starts Kafka again waits for us"""

Properties = dict[str, Any]


class KafkaClients:
    """Makes clients of one Kafka."""

    def __init__(self, settings: BridgeSettings, config: KafkaConfig) -> None:
        """Take how to reach it."""
        self._settings = settings
        self._config = config
        self._admin: AdminClient | None = None
        self.reachability = Reachability(",".join(settings.kafka))
        """Whether those that were made reach it"""

    def producer(self, *, most_bytes: int | None) -> Producer:
        """Return a producer of records of ``most_bytes`` at most, None if that is not known.

        Raises:
            BridgeError: it cannot be made with the properties of the file.
        """
        is_known = most_bytes is not None
        most_bytes = USUAL_MOST_BYTES if most_bytes is None else most_bytes
        room = 2 * self._settings.max_waiting + 1_000
        own = {
            "enable.idempotence": True,
            # With it, none follows one that has failed; but then each that is too large, and is
            # not known to be, would end the producer.
            "enable.gapless.guarantee": is_known,
            "acks": "all",
            "message.timeout.ms": 0,  # never
            "partitioner": "murmur2_random",
            "message.max.bytes": most_bytes,
            "batch.size": min(BATCH_BYTES, most_bytes),
            "queue.buffering.max.messages": room,
            "queue.buffering.max.kbytes": 0x7FFF_FFFF,
        }
        usual = {"compression.type": "lz4", "linger.ms": LINGER_MS}
        made: Producer = self._made(Producer, "producer", usual, own)
        return made

    def consumer(self, on_commit: Callable[[KafkaError | None, object], None]) -> Consumer:
        """Return a consumer of the group, with no topic yet.

        Raises:
            BridgeError: it cannot be made with the properties of the file.
        """
        own = {
            "group.id": self._settings.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "on_commit": on_commit,
        }
        usual = {"auto.offset.reset": "earliest", "session.timeout.ms": SESSION_TIMEOUT_MS}
        made: Consumer = self._made(Consumer, "consumer", usual, own)
        return made

    def admin(self) -> AdminClient:
        """Return what asks for topics and creates them, always the same: it stays connected.

        Raises:
            BridgeError: it cannot be made with the properties of the file.
        """
        if self._admin is None:
            self._admin = self._made(AdminClient, None, {}, {})
        return self._admin

    def _made(
        self, kind: Callable[..., Any], name: str | None, usual: Properties, own: Properties
    ) -> Any:  # noqa: ANN401  # of the given kind
        properties: Properties = {"reconnect.backoff.max.ms": RECONNECT_MS, **usual}
        properties |= self._config.properties
        properties |= own
        properties |= {
            "bootstrap.servers": ",".join(self._settings.kafka),
            "client.id": self._settings.client_id,
            "error_cb": partial(self._hear, name),
        }
        if name is not None:
            self.reachability.add(name)
            properties |= {
                "statistics.interval.ms": STATISTICS_MS,
                "stats_cb": self.reachability.on_statistics(name),
            }
        try:
            return kind(properties, logger=_ClientLog(self._config))
        except (KafkaException, ValueError, TypeError) as error:
            raise self._config.refusal(error) from None

    def _hear(self, client: str | None, error: KafkaError) -> None:
        """Take what a client says of Kafka as a whole; of records it says nothing here."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and client is not None:
            self.reachability.suspect(client, self._config.explain(error.str()))
        elif error.code() in _OF_THE_LOGIN:
            self.reachability.refuse_login(self._config.explain(error.str()))


_OF_THE_LOGIN: Final = (
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError.SASL_AUTHENTICATION_FAILED,
)


class _ClientLog:
    """Takes the lines that librdkafka itself logs, for whoever looks for a fault."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config

    def log(self, level: int, text: str, *arguments: object) -> None:
        logger.debug(
            "kafka-client",
            "%(line)s",
            line=self._config.explain(text % arguments if arguments else text),
        )
