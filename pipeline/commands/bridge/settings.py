"""Settings of har-bridge."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from pipeline.commands.listening import listening
from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.kafka_records import RESULTS_TOPIC, SAMPLES_TOPIC
from pipeline.settings import BrokerSettings, CommaSeparated

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""Of a topic in Kafka (its class Topic); names of groups are kept to it too"""


def _checked_name(text: str) -> str:
    if not _NAME.fullmatch(text) or text in (".", ".."):
        raise ValueError("is to be letters, digits, '.', '_' and '-', 249 at most")
    return text


def _checked_servers(servers: list[str]) -> list[str]:
    if not servers:
        raise ValueError("is to be HOST:PORT, such as localhost:9092")
    for server in servers:
        try:
            listening(server)
        except ValueError:
            raise ValueError(
                f"is to be HOST:PORT, such as localhost:9092, not {server!r}"
            ) from None
    return servers


KafkaName = Annotated[str, AfterValidator(_checked_name)]


class BridgeSettings(MonitoringSettings, BrokerSettings, LogLevelSettings):
    """Take samples from MQTT to Kafka, and results from Kafka to MQTT."""

    kafka: Annotated[CommaSeparated, AfterValidator(_checked_servers)] = Field(
        description="HOST:PORT of Kafka; of several brokers, separated by commas, one has to answer"
    )
    kafka_config: Path | None = Field(
        None, description="file of NAME=VALUE lines: librdkafka's properties for TLS and SASL"
    )
    samples_topic: KafkaName = Field(SAMPLES_TOPIC, description="Kafka's topic of samples")
    results_topic: KafkaName = Field(RESULTS_TOPIC, description="Kafka's topic of results")
    partitions: PositiveInt = Field(
        24, description="partitions of a topic that is missing, and is created"
    )
    group: KafkaName = Field(
        "har-bridge", description="Kafka's consumer group, which knows how far results were read"
    )
    client_id: KafkaName = Field(
        "har-bridge",
        description="name of this bridge, by which the broker knows its session again; each that "
        "takes samples needs one of its own",
    )
    only: Literal["samples", "results"] | None = Field(
        None, description="samples to Kafka alone, or results to MQTT alone; both if not given"
    )
    subscribe: CommaSeparated = Field(
        [], description="TOPIC=FORMAT to read besides har/+/samples=native; may be repeated"
    )
    default_subscriptions: bool = Field(
        True, description="also read browser/+, sensor-logger/+, sensorspot/+/# and phyphox/+"
    )
    session_expiry: int = Field(
        604_800,
        ge=1,
        le=0xFFFF_FFFF,
        description="seconds for which the broker keeps messages while this is not running",
    )
    max_waiting: int = Field(
        20_000,
        ge=1,
        le=0xFFFF,
        description="messages that may be here without Kafka having them; the broker keeps more",
    )
    retry: bool = Field(True, description="keep trying while broker or Kafka cannot be reached")

    @model_validator(mode="after")
    def _durable(self) -> Self:
        """Speak the version of MQTT by which nothing is lost.

        Raises:
            ValueError: another one is asked for.
        """
        if self.protocol != "5" and "protocol" in self.model_fields_set:
            raise ValueError(
                f"protocol = {self.protocol!r}: har-bridge needs 5, by which the broker keeps what "
                "Kafka does not have yet"
            )
        self.protocol = "5"
        return self

    @property
    def takes_samples(self) -> bool:
        """Whether samples go from MQTT to Kafka."""
        return self.only != "results"

    @property
    def takes_results(self) -> bool:
        """Whether results go from Kafka to MQTT."""
        return self.only != "samples"
