"""The topics in Kafka: created where they are missing, and looked at where they are there."""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig
from pipeline.event_log import EventLog
from pipeline.settings import MAX_PACKET_BYTES

logger = EventLog(__name__)

LISTING_S: Final = 1.0
"""How long the list of topics is waited for at a time; meanwhile nothing else is done"""
ANSWER_S: Final = 5.0
"""Within which a Kafka that is there answers"""

_TIMES: Final = "message.timestamp.type"
_MOST: Final = "max.message.bytes"
OF_SAMPLES: Final[Mapping[str, str]] = {
    # So no producer's clock can make times go back.
    _TIMES: "LogAppendTime",
    # All that the bridge takes.
    _MOST: str(MAX_PACKET_BYTES),
}
"""Properties with which the topic of samples is created"""
OF_RESULTS: Final[Mapping[str, str]] = {}
"""And that of results"""

_FORBIDDEN: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
)
"""Refusals that do not pass by themselves"""


class Topic(NamedTuple):
    """A topic that is needed."""

    name: str
    partitions: int
    """If it is created"""
    properties: Mapping[str, str]
    """If it is created"""


def names(admin: AdminClient, *, timeout_s: float) -> Container[str]:
    """Return the topics that there are.

    Raises:
        KafkaException: Kafka does not answer in time.
    """
    try:
        return admin.list_topics(timeout=timeout_s).topics
    finally:
        admin.poll(0)  # lets it say why it has no connection


def ensure(admin: AdminClient, topic: Topic, config: KafkaConfig) -> int | None:
    """Create a topic unless it is there; return how many bytes a record of it may have.

    None if we may not know.

    Raises:
        BridgeError: it is missing, and may not be created.
        KafkaException: Kafka does not answer; it may later.
    """
    # All are asked for: a broker may create one that it is asked for by name, as it likes.
    if topic.name not in names(admin, timeout_s=LISTING_S):
        _create(admin, topic, config)
        found = dict(topic.properties)
    else:
        found = _properties(admin, topic.name)
    wanted = topic.properties.get(_TIMES)
    if wanted is not None and found.get(_TIMES, wanted) != wanted:
        logger.warning(
            "topic-times",
            "the topic %(topic)s has times of its producers, any of whose clocks may be wrong: "
            "set %(property)s=%(wanted)s by kafka-configs.sh --alter",
            topic=topic.name,
            property=_TIMES,
            wanted=wanted,
        )
    return int(found[_MOST]) if _MOST in found else None


def _create(admin: AdminClient, topic: Topic, config: KafkaConfig) -> None:
    new = NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=-1,  # Kafka's own default
        config=dict(topic.properties),
    )
    (created,) = admin.create_topics([new], operation_timeout=ANSWER_S).values()
    try:
        created.result(2 * ANSWER_S)
    except KafkaException as exception:
        error = exception.args[0]
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if error.code() in _FORBIDDEN:
            how = "".join(f" --config {name}={text}" for name, text in topic.properties.items())
            raise BridgeError(
                f"the topic {topic.name} is missing, or we may not describe it, and Kafka does not "
                f"let us create it ({config.explain(error.str())}): kafka-topics.sh --create "
                f"--topic {topic.name} --partitions {topic.partitions}{how}"
            ) from None
        raise
    logger.info(
        "topic-created",
        "created the topic %(topic)s with %(n_partitions)d partitions",
        topic=topic.name,
        n_partitions=topic.partitions,
    )


def _properties(admin: AdminClient, name: str) -> dict[str, str]:
    """Return a topic's properties, none if we may not ask for them."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    (asked,) = admin.describe_configs([resource], request_timeout=ANSWER_S).values()
    try:
        return {key: entry.value for key, entry in asked.result(2 * ANSWER_S).items()}
    except KafkaException as exception:
        logger.debug(
            "topic-unknown",
            "the properties of the topic %(topic)s cannot be had: %(reason)s",
            topic=name,
            reason=exception.args[0].str(),
        )
        return {}
