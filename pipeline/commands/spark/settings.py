"""Settings of har-spark."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveInt

from pipeline.commands.log_settings import LogLevelSettings
from pipeline.commands.monitoring.settings import MonitoringSettings
from pipeline.commands.serving_settings import ServingSettings
from pipeline.kafka_records import RESULTS_TOPIC, SAMPLES_TOPIC


def _addresses(kafka: str) -> str:
    for address in kafka.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise ValueError("is to be HOST:PORT, or several of them separated by commas")
    return kafka


def _assignments(texts: list[str]) -> list[str]:
    for text in texts:
        name, equals, _ = text.partition("=")
        if not (equals and name.startswith("spark.")):
            raise ValueError(f"{text!r} is not NAME=VALUE with a name such as spark.executor.cores")
    return texts


Begin = Literal["earliest", "latest"]


class SparkSettings(ServingSettings, MonitoringSettings, LogLevelSettings):
    """Recognise phones on Apache Spark: samples from a topic of Kafka, results to another."""

    kafka: Annotated[str, AfterValidator(_addresses)] = Field(
        description="HOST:PORT of Kafka, or several separated by commas"
    )
    kafka_config: Path | None = Field(
        None, description="properties of the connection to Kafka (TLS, SASL), as its clients' are"
    )
    samples_topic: str = Field(SAMPLES_TOPIC, min_length=1, description="topic with samples")
    results_topic: str = Field(RESULTS_TOPIC, min_length=1, description="topic for results")
    checkpoint_location: str = Field(
        min_length=1,
        description="folder for state and progress, which driver and executors share: a path, or "
        "s3a://, hdfs://",
    )
    begin: Begin = Field(
        "earliest", description="where in the samples a new checkpoint location begins"
    )
    from_state: Path | None = Field(
        None, description="a new checkpoint location begins with this --state of a har-stream"
    )
    buckets: PositiveInt = Field(
        4, description="parts of all phones; 1 to 2 a core, for the checkpoint location's life"
    )
    threads: PositiveInt = Field(1, description="batches of windows classified at the same time")
    trigger: NonNegativeFloat = Field(
        2.0,
        allow_inf_nan=False,
        description="seconds from one batch to the next; 0: when the last is done",
    )
    records_a_trigger: PositiveInt = Field(
        60_000, description="most samples' records in a batch; more wait in Kafka"
    )
    master: str | None = Field(
        None, description="Spark's master; that of spark-submit if not given, or else local[*]"
    )
    jars: Path | None = Field(
        None, description="folder with Spark's connector to Kafka; from Maven if not given"
    )
    conf: Annotated[list[str], AfterValidator(_assignments)] = Field(
        [], description="NAME=VALUE of Spark's own configuration; may be repeated"
    )
    max_devices: PositiveInt = Field(10_000, description="most phones at once in a bucket")
