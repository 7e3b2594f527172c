"""The real parts that the tests share, and their logs where a test fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scale.kafka import Kafka
from tests.scale.measured import MEASURED
from tests.scale.part import PARTS

if TYPE_CHECKING:
    from tests.scale.har_spark import HarSpark
    from tests.scale.spark import Spark


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A Kafka that all tests share; who kills it starts it again."""
    kafka = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Spark"]:
    """A Spark cluster that all tests share; who kills a worker starts it again."""
    from tests.scale.spark import Spark

    spark = Spark(tmp_path_factory.mktemp("spark"))
    try:
        spark.start()
        yield spark
    finally:
        spark.stop()


@pytest.fixture
def job(
    request: pytest.FixtureRequest, tmp_path: Path, kafka: Kafka, spark: "Spark"
) -> Iterator["HarSpark"]:
    """A har-spark on the cluster that has not been started; its topics are there and empty."""
    from tests.scale.har_spark import HarSpark

    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    job = HarSpark(tmp_path, kafka.address, spark.address, name=name)
    kafka.create_topic(job.samples, partitions=4)
    kafka.create_topic(job.results, partitions=3)
    yield job
    job.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Show the ends of the logs of all parts where a test fails."""
    report: pytest.TestReport = yield  # type: ignore[misc,assignment]
    if report.failed:
        report.sections += [(f"log of {part.name}", part.log) for part in PARTS]
    return report  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured."""
    for line in MEASURED:
        terminalreporter.write_line(f"measured: {line}")
