"""What har-spark's operator can mend is told in one line, without a stack trace of Java."""

from pathlib import Path
from typing import Final

import msgspec
import pytest

pytest.importorskip("pyspark", reason="needs the extra spark: make test-scale")
pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from pipeline.models.classifier import Classifier, find_model, find_models
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.state.checkpoint import StateFolder
from tests.brokers import HOST, find_free_port
from tests.scale.har_spark import N_BUCKETS, HarSpark
from tests.scale.kafka import Kafka
from tests.scale.samples import MODEL

pytestmark = pytest.mark.scale

TERMS: Final = {
    "hop": 64,
    "filter_start": "steady",
    "lateness": 0.2,
    "buckets": N_BUCKETS,
    "run": "1a2b3c4d",
}
"""Those of a checkpoint location that was begun before, but for model and topic"""


@pytest.fixture
def local_job(request: pytest.FixtureRequest, tmp_path: Path, kafka: Kafka) -> HarSpark:
    """A har-spark with threads in place of a cluster, whose topics are there."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    job = HarSpark(tmp_path, kafka.address, name=name)
    kafka.create_topic(job.samples, partitions=1)
    kafka.create_topic(job.results, partitions=1)
    return job


def refusal(job: HarSpark, *flags: str, **environment: str) -> str:
    """Return the line with which har-spark ends."""
    ended = job.run_to_its_end(*flags, **environment)
    assert 1 == ended.returncode
    assert "\tat " not in ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


def test_without_java(tmp_path: Path) -> None:
    """Spark needs Java, and where it was looked for is told."""
    job = HarSpark(tmp_path, "kafka:9092")
    nowhere = str(tmp_path)
    assert "there is no java on the path" in refusal(job, PATH=nowhere, JAVA_HOME="")
    assert f"JAVA_HOME is {nowhere}" in refusal(job, PATH=nowhere, JAVA_HOME=nowhere)


def test_without_the_connector(tmp_path: Path) -> None:
    """The connector of this very version of Spark is named."""
    job = HarSpark(tmp_path, "kafka:9092")
    said = refusal(job, "--jars", str(tmp_path))
    assert "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0" in said


def test_java_that_does_not_start(tmp_path: Path) -> None:
    """It is told to look at what Java has said, and which settings may have led to it."""
    job = HarSpark(tmp_path, "kafka:9092")
    said = refusal(job, "--conf", "spark.driver.memory=12x")
    assert "har-spark: Spark cannot be started: Java ended: see above, and --master, --conf" == said


def test_properties_that_are_none(tmp_path: Path) -> None:
    """A file that Java cannot read as properties is named."""
    config = tmp_path / "kafka.properties"
    config.write_text("sasl.jaas.config=\\u12\n")
    said = refusal(HarSpark(tmp_path, "kafka:9092"), "--kafka-config", str(config))
    assert f"kafka-config = '{config}': Malformed" in said


def test_without_kafka(tmp_path: Path) -> None:
    """Where nobody answers at Kafka's address, that address is told."""
    address = f"{HOST}:{find_free_port()}"
    assert f"does not answer at {address}" in refusal(HarSpark(tmp_path, address))


def test_without_a_topic(tmp_path: Path, kafka: Kafka) -> None:
    """A missing topic is named; Kafka is to date the samples."""
    job = HarSpark(tmp_path, kafka.address, name="missing")
    kafka.create_topic(job.results, partitions=1)
    said = refusal(job)
    assert "has no topic missing.samples" in said
    assert said.endswith("--topic missing.samples --config message.timestamp.type=LogAppendTime")


def test_a_location_of_another_model(local_job: HarSpark) -> None:
    """A checkpoint of another model is not used, and it is told how to begin anew."""
    terms = TERMS | {"models": ["lstm@00000000"], "samples_topic": local_job.samples}
    local_job.location.mkdir()
    (local_job.location / "har-spark.json").write_bytes(msgspec.json.encode(terms))
    said = refusal(local_job)
    assert "was begun with models lstm@00000000, and this har-spark has cnn-lstm@" in said
    assert "name a new --checkpoint-location" in said


def test_a_location_without_its_offsets(local_job: HarSpark) -> None:
    """A checkpoint of which Spark's own progress is gone is not gone on with."""
    models = tuple(
        Classifier(path, threads=1, batch_size=1).identity for path in find_models(MODEL)
    )
    terms = TERMS | {"models": models, "samples_topic": local_job.samples}
    (local_job.location / "commits").mkdir(parents=True)
    (local_job.location / "commits" / "3").write_text("v1\n{}")
    (local_job.location / "har-spark.json").write_bytes(msgspec.json.encode(terms))
    said = refusal(local_job)
    assert "its offsets are missing: put all of it back" in said


def test_a_damaged_location(local_job: HarSpark) -> None:
    """Where Spark cannot read its own files, the last line tells what to do about it.

    Spark has logged a stack trace of its own by then.
    """
    local_job.location.mkdir()
    (local_job.location / "metadata").write_text('{"id":"')
    ended = local_job.run_to_its_end()
    assert 1 == ended.returncode
    assert "Traceback" not in ended.stderr
    assert "missing or damaged: put all of it back" in ended.stderr.splitlines()[-1]


def test_a_location_of_another_job(local_job: HarSpark) -> None:
    """The checkpoint of a job that is no har-spark is left alone."""
    (local_job.location / "offsets").mkdir(parents=True)
    assert "is the checkpoint of another job" in refusal(local_job)


def test_a_state_of_another_model(local_job: HarSpark, tmp_path: Path) -> None:
    """A har-stream's state with another model is not used; it is told what to do."""
    other = Classifier(find_model("lstm"), threads=1, batch_size=1)
    with StateFolder(tmp_path / "state") as folder:
        folder.save(
            {
                "time": 0.0,
                "core": Recognizer(other, hop=64).state(),
                "phones": [],
                "placements": Placements().state(),
                "names": {},
                "unconfirmed": [],
            }
        )
    said = refusal(local_job, "--from-state", str(tmp_path / "state"))
    assert f"it was made with the model {other.identity}" in said
    assert f"has the model {MODEL}@" in said
    assert "begin anew: leave --from-state out" in said
