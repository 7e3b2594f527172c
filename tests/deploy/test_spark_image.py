"""The image of har-spark: what Spark on Kubernetes starts in it, run without a container engine."""

from pathlib import Path
from typing import Final

import pytest

from tests.brokers import HOST, find_free_port
from tests.deploy.image import Builder, Container

PROGRAM: Final = "/opt/har-stream/bin/har-spark.py"
"""har-spark, by the name that Spark takes"""
OF_AN_EXECUTOR: Final = {
    "SPARK_JAVA_OPT_0": "-Dspark.rpc.numRetries=0",
    "SPARK_JAVA_OPT_1": "-Dspark.network.timeout=5s",
    "SPARK_EXECUTOR_MEMORY": "256m",
    "SPARK_EXECUTOR_ID": "1",
    "SPARK_EXECUTOR_CORES": "1",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": HOST,
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "har-spark-exec-1",
}
READS_FROM_KAFKA: Final = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
samples = spark.readStream.format("kafka").option("kafka.bootstrap.servers", "127.0.0.1:9")
print(samples.option("subscribe", "har.samples").load().columns)
print(spark.range(3).rdd.map(lambda row: row.id).collect())
"""

pytestmark = pytest.mark.operation


def ran(
    builder: Builder, folder: Path, *arguments: str, files: dict[str, Path], **environment: str
) -> tuple[int, str]:
    """Return how a container of the image ended, and what it wrote."""
    image = builder.image("spark")
    hosts = folder / "hosts"
    hosts.write_text(f"{HOST} localhost {Path('/etc/hostname').read_text()}")
    container = Container(
        image,
        environment={"SPARK_DRIVER_BIND_ADDRESS": HOST, "SPARK_LOCAL_IP": HOST, **environment},
        files={"/etc/hosts": hosts, **files},
        volumes={},
    )
    log = folder / "log"
    code = container.start([*image.entrypoint, *arguments], log).wait()
    return code, log.read_text()


def test_it_has_what_the_job_needs_and_nothing_else(builder: Builder) -> None:
    """It has Spark, Java, the connector and the program, and no tool by which it was built."""
    image = builder.image("spark")
    wanted = ("har-spark", "har-spark.py", "java", "pyspark", "onnxruntime", "tini")
    assert {*wanted} == image.having(*wanted, "mvn", "gcc", "cc", "pip", "pip3", "hatchling")
    jars = {jar.name for jar in (image.root / "opt").rglob("pyspark/jars/*.jar")}
    assert {
        "spark-sql-kafka-0-10_2.13-4.2.0.jar",
        "spark-kubernetes_2.13-4.2.0.jar",
        "kafka-clients-3.9.2.jar",
    } <= jars


def test_a_driver_runs_har_spark(builder: Builder, tmp_path: Path) -> None:
    """Spark submits the program by the name that the manifest has."""
    code, log = ran(
        builder, tmp_path, "driver", "--master", "local[1]", PROGRAM, "--version", files={}
    )
    assert (0, True) == (code, "0.1.0" in log), log[-4000:]


def test_a_driver_reads_from_kafka_and_computes_in_python(builder: Builder, tmp_path: Path) -> None:
    """The connector is found, and Java finds the Python that the image has."""
    script = tmp_path / "script.py"
    script.write_text(READS_FROM_KAFKA)
    code, log = ran(
        builder, tmp_path, "driver", "--master", "local[1]", "/script.py",
        files={"/script.py": script},
    )  # fmt: skip
    assert 0 == code, log[-4000:]
    assert "'key', 'value', 'topic'" in log
    assert "[0, 1, 2]" in log


def test_an_executor_calls_its_driver(builder: Builder, tmp_path: Path) -> None:
    """It has all classes and options that it needs to call; here nobody answers."""
    url = f"spark://CoarseGrainedScheduler@{HOST}:{find_free_port()}"
    code, log = ran(builder, tmp_path, "executor", files={}, SPARK_DRIVER_URL=url, **OF_AN_EXECUTOR)
    assert (True, True) == (code != 0, "Connection refused" in log), log[-4000:]


def test_what_spark_would_not_say_is_refused(builder: Builder, tmp_path: Path) -> None:
    """The image is for Spark on Kubernetes, and says so."""
    code, log = ran(builder, tmp_path, "bash", files={})
    assert 2 == code
    assert "driver or executor, not 'bash'" in log
