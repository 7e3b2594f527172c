"""The job's topics in Kafka: whether both are there, asked by the client that Spark has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.java_errors import java_reason
from pipeline.commands.spark.session import CONNECTOR
from pipeline.commands.spark.settings import SparkSettings

ANSWER_TIMEOUT_S: Final = 20


def connection(spark: SparkSession, settings: SparkSettings) -> dict[str, str]:
    """Return the properties of the connection to Kafka, of its file and the settings.

    Raises:
        SparkJobError: the file cannot be read, or holds something else.
    """
    properties = spark._jvm.java.util.Properties()
    if settings.kafka_config is not None:
        text = _text(settings.kafka_config)
        try:
            properties.load(spark._jvm.java.io.StringReader(text))
        except IllegalArgumentException as error:  # of a \u that no four digits follow
            raise SparkJobError(f"kafka-config = '{settings.kafka_config}': {error}") from error
    named = {str(name): str(properties.get(name)) for name in properties.stringPropertyNames()}
    return named | {"bootstrap.servers": settings.kafka}


def check_topics(spark: SparkSession, settings: SparkSettings, kafka: Mapping[str, str]) -> None:
    """Return if both topics are there.

    Raises:
        SparkJobError: one is not, or Kafka does not answer, or its client is missing.
    """
    jvm: Any = spark._jvm
    properties = jvm.java.util.Properties()
    for name, value in kafka.items():
        properties.put(name, value)
    try:
        client = jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    except Py4JJavaError as error:
        raise SparkJobError(f"Kafka at {settings.kafka}: {java_reason(error)}") from error
    except (Py4JError, TypeError) as error:  # py4j takes a missing class for a package
        raise SparkJobError(f"Spark has no connector to Kafka: give it {CONNECTOR}") from error
    try:
        names = jvm.java.util.ArrayList()
        for topic in (settings.samples_topic, settings.results_topic):
            names.add(topic)
        for topic, answer in client.describeTopics(names).topicNameValues().items():
            _await(jvm, answer, topic, settings)
    finally:
        client.close(jvm.java.time.Duration.ZERO)


def _await(jvm: Any, answer: Any, topic: str, settings: SparkSettings) -> None:  # noqa: ANN401 # Java's
    address = settings.kafka
    try:
        answer.get(ANSWER_TIMEOUT_S, jvm.java.util.concurrent.TimeUnit.SECONDS)
    except Py4JJavaError as error:
        reason = java_reason(error)
        if "UnknownTopicOrPartition" in reason:
            is_dated = topic == settings.samples_topic  # by Kafka: no clock of a writer counts
            config = " --config message.timestamp.type=LogAppendTime" if is_dated else ""
            raise SparkJobError(
                f"Kafka at {address} has no topic {topic}: har-bridge creates it, or "
                f"kafka-topics.sh --create --topic {topic}{config}"
            ) from error
        if "Timeout" in reason:
            raise SparkJobError(
                f"Kafka does not answer at {address} within {ANSWER_TIMEOUT_S} s"
            ) from error
        raise SparkJobError(f"Kafka at {address}, topic {topic}: {reason}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="iso-8859-1")  # as java.util.Properties are
    except OSError as error:
        raise SparkJobError(f"kafka-config = '{file}': {error.strerror}") from error
