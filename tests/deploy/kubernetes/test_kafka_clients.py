"""The files by which har-bridge and har-spark reach Kafka, at one that demands certificates."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from pipeline.commands.bridge.kafka_config import KafkaConfig
from tests.deploy.kubernetes.manifests import of_kind
from tests.deploy.kubernetes.secure_kafka import SecureKafka
from tests.deploy.secure_broker import DEPLOY
from tests.scale.jars import jars

WITHIN: Final = "/run/secrets/har"
TOPIC: Final = "har.samples"
READS: Final = """
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from pipeline.commands.spark.settings import SparkSettings
from pipeline.commands.spark.topics import connection

address, properties, jars, topic = sys.argv[1:]
spark = SparkSession.builder.master("local[1]").config("spark.jars", jars).getOrCreate()
settings = SparkSettings.model_construct(kafka=address, kafka_config=Path(properties))
options = {f"kafka.{name}": value for name, value in connection(spark, settings).items()}
records = spark.read.format("kafka").options(**options).option("subscribe", topic).load()
print("records:", [bytes(row.value) for row in records.select("value").collect()])
spark.stop()
"""

pytestmark = pytest.mark.scale


@pytest.fixture
def properties(secrets: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that returns a command's file, which finds the certificates here."""

    def of(name: str) -> Path:
        text = (DEPLOY / "kubernetes" / f"{name}.properties").read_text()
        assert WITHIN in text
        file = tmp_path / f"{name}.properties"
        file.write_text(text.replace(WITHIN, str(secrets)))
        return file

    return of


def test_har_bridge_is_let_in(secure_kafka: SecureKafka, properties: Callable[[str], Path]) -> None:
    """Its client shows the certificate, and believes in that of Kafka; without it is not let in."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    config = KafkaConfig(properties("har-bridge")).properties
    own = {"bootstrap.servers": secure_kafka.secure_address, "log_level": 0}
    found = AdminClient({**config, **own}).list_topics(timeout=20).topics
    assert set(of_kind("KafkaTopic")) <= set(found)
    shown = ("ssl.certificate.location", "ssl.key.location")
    nobody = {name: value for name, value in config.items() if name not in shown}
    with pytest.raises(KafkaException):
        AdminClient({**nobody, **own}).list_topics(timeout=3)


def test_har_spark_is_let_in(secure_kafka: SecureKafka, properties: Callable[[str], Path]) -> None:
    """Driver and executors read the certificates from where Kubernetes puts them."""
    secure_kafka.produce(TOPIC, "phone-1", b"a sample")
    listed = ",".join(str(jar) for jar in jars("spark").glob("*.jar"))
    done = subprocess.run(
        [sys.executable, "-c", READS, secure_kafka.secure_address, properties("har-spark"),
         listed, TOPIC],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "b'a sample'" in done.stdout, done.stderr[-4000:]
    assert "PRIVATE KEY" not in done.stdout + done.stderr
