"""From MQTT through Kafka and Spark and back, with nothing but the installed commands."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark", reason="needs the extra spark: make test-scale")
pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.disturbed_recordings import FORGET_S, LEAVES, exchanged, of_data_sets
from tests.scale.har_spark import HarSpark
from tests.scale.kafka import Kafka

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = [pytest.mark.scale, pytest.mark.broker]


def test_the_cluster_and_har_stream_agree(
    data_dir: Path,
    job: HarSpark,
    kafka: Kafka,
    own_mosquitto: "Mosquitto",
    lasting_mosquitto: "Mosquitto",
    start_command: "Start",
) -> None:
    """Phones and readers cannot tell them apart: each result is the same, byte by byte.

    They are UCI HAR's test people and three raw recordings, with messages repeated, lost, late and
    broken, a phone forgotten and back, and a calibration in mid-stream.
    """
    sent = of_data_sets(data_dir)
    forget = ("--forget-after", str(FORGET_S))
    own_mosquitto.start()
    stream = start_command("har-stream", *own_mosquitto.flags, *forget)
    own_mosquitto.await_har_stream()
    expected = exchanged(sent, own_mosquitto)
    assert 0 == stream.end()
    assert {f"har/{device}/{leaf}" for device in sent.devices for leaf in LEAVES} == set(expected)

    lasting_mosquitto.start()
    topics = ("--samples-topic", job.samples, "--results-topic", job.results)
    bridge = start_command(
        "har-bridge", *lasting_mosquitto.flags, "--kafka", kafka.address, *topics
    )
    bridge.await_log("connected to")
    job.start("--model", "auto", *forget)
    job.await_commits(1)  # of the time alone
    found = exchanged(sent, lasting_mosquitto)
    assert expected.keys() == found.keys()
    for topic, payloads in expected.items():
        assert payloads == found[topic], topic
    assert 0 == bridge.end()
    assert 0 == job.end()
