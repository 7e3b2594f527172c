from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("pyspark", reason="needs the extra spark: make test-scale")
pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.brokers import Broker
from tests.client import MqttClient
from tests.processes import Running
from tests.scale.har_spark import HarSpark
from tests.scale.kafka import Kafka
from tests.scale.samples import MODEL, phones, undisturbed
from tests.scale.topics import Entry, Outgoing, read, write

pytestmark = pytest.mark.scale

PREDICTION: Final = "har/+/prediction"


def predictions_of(samples: Sequence[Outgoing]) -> Counter[bytes]:
    """Return what one step predicts."""
    entries = [
        Entry(sample.key, sample.value, sample.headers, 0, offset, sample.time_s or 0.0)
        for offset, sample in enumerate(samples)
    ]
    results = undisturbed(entries).items()
    return Counter({payload: n for (_, leaf, payload), n in results if leaf == "prediction"})


def test_phones_go_on_from_one_machine(
    job: HarSpark,
    kafka: Kafka,
    broker: Broker,
    start_command: Callable[..., Running],
    tmp_path: Path,
) -> None:
    """Windows that har-stream had begun are finished on Spark, and none is lost or changed."""
    samples = phones(8, seconds=30)
    half = len(samples) // 2
    with MqttClient(broker, PREDICTION) as client:
        flags = ["--model", MODEL, "--state", str(tmp_path / "state"), *broker.flags]
        stream = start_command("har-stream", *flags)
        broker.await_har_stream()
        for sample in samples[:half]:
            client.publish(sample.headers["topic"].decode(), sample.value)
        n_here = predictions_of(samples[:half]).total()
        client.await_that(lambda: len(client.received) >= n_here, "windows are missing")
        assert 0 == stream.end()
        here = Counter(message.payload for message in client.received)
    write(kafka.address, job.samples, samples[half:])
    job.start("--from-state", str(tmp_path / "state"), "--records-a-trigger", "100")
    job.await_commits(-(-(len(samples) - half) // 100))
    assert 0 == job.end()
    there = Counter(
        entry.value
        for entry in read(kafka.address, job.results)
        if entry.headers["topic"].endswith(b"/prediction")
    )
    assert here.total() > 0
    assert there.total() > 0
    assert predictions_of(samples) == here + there
