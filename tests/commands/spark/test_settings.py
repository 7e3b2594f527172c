from collections.abc import Callable

import pytest

from pipeline.commands.spark.settings import SparkSettings
from pipeline.serving.rules import Rules

pytestmark = pytest.mark.usefixtures("own_settings")


def test_what_must_be_given(refused_settings: Callable[..., str]) -> None:
    """Kafka and the checkpoint location are needed, and nothing else."""
    said = refused_settings(SparkSettings, "har-spark")
    assert (
        "har-spark: --kafka or HAR_KAFKA is needed\n"
        "har-spark: --checkpoint-location or HAR_CHECKPOINT_LOCATION is needed\n"
    ) == said
    settings = SparkSettings(kafka="a:9092,b:9092", checkpoint_location="s3a://bucket/har")
    assert ("har.samples", "har.results") == (settings.samples_topic, settings.results_topic)


@pytest.mark.parametrize("address", ["", "kafka", "kafka:", ":9092", "kafka:9092,", "kafka:port"])
def test_addresses_of_kafka(refused_settings: Callable[..., str], address: str) -> None:
    """Each address has a host and a port."""
    said = refused_settings(
        SparkSettings, "har-spark", "--kafka", address, "--checkpoint-location", "here"
    )
    assert "is to be HOST:PORT, or several of them separated by commas" in said


@pytest.mark.parametrize("text", ["executor.cores=1", "spark.executor.cores", "="])
def test_configuration_of_spark(refused_settings: Callable[..., str], text: str) -> None:
    """Spark's own settings have a name that begins with spark., and a value."""
    flags = ["--kafka", "kafka:9092", "--checkpoint-location", "here", "--conf", text]
    assert "is not NAME=VALUE" in refused_settings(SparkSettings, "har-spark", *flags)


@pytest.mark.parametrize("text", ["inf", "nan", "-1", "soon"])
def test_the_trigger_is_a_time(refused_settings: Callable[..., str], text: str) -> None:
    """Spark waits for so many seconds, and not for ever."""
    flags = ["--kafka", "kafka:9092", "--checkpoint-location", "here", "--trigger", text]
    assert f"trigger = {text!r}" in refused_settings(SparkSettings, "har-spark", *flags)


def test_phones_are_served_by_the_rules_of_har_stream() -> None:
    """What is not set is as with har-stream."""
    settings = SparkSettings(kafka="kafka:9092", checkpoint_location="here", max_behind=60.0)
    assert (
        Rules(
            max_devices=10_000,
            max_ahead_s=86_400.0,
            max_behind_s=60.0,
            offline_after_s=10.0,
            forget_after_s=3600.0,
            heartbeat_s=10.0,
        )
        == settings.rules()
    )
