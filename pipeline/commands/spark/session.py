"""The Spark session of har-spark: how the engine is set up, and what stops it from starting."""

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pyspark
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipeline.commands.spark.errors import SparkJobError
from pipeline.commands.spark.java_errors import java_reason
from pipeline.commands.spark.settings import SparkSettings

CONNECTOR: Final = f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}"
ENGINE: Final = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    # What a batch has changed is written, and now and then all.
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # Each batch writes all of a bucket's state: of 100 batches, as usual, it would be very much.
    "spark.sql.streaming.minBatchesToRetain": "10",
    "spark.ui.showConsoleProgress": "false",
}
"""How the engine works; ``--conf`` has the last word"""


def session(settings: SparkSettings) -> SparkSession:
    """Return a session, in the JVM of spark-submit or in one that is started now.

    Raises:
        SparkJobError: Java or the connector is missing, or the master cannot be reached.
    """
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # pyspark.java_gateway's own mark
    conf = ENGINE | {
        "spark.sql.shuffle.partitions": str(settings.buckets),
        "spark.log.level": "INFO" if settings.log_level == "debug" else "ERROR",
        "spark.log.structuredLogging.enabled": str(settings.log_format == "json").lower(),
    }
    if not is_submitted:
        _check_java()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of the executors
        conf["spark.master"] = "local[*]"
        conf |= (
            {"spark.jars.packages": CONNECTOR} if settings.jars is None else _jars(settings.jars)
        )
    if settings.master is not None:
        conf["spark.master"] = settings.master
    conf |= dict(assignment.split("=", 1) for assignment in settings.conf)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        return SparkSession.builder.appName("har-spark").config(map=conf).getOrCreate()
    except (PySparkException, Py4JError) as error:
        reason = java_reason(error) if isinstance(error, Py4JJavaError) else str(error)
        if "JAVA_GATEWAY_EXITED" in reason:  # Java has said why
            reason = "Java ended: see above, and --master, --conf"
            if not is_submitted and settings.jars is None:
                reason += f"; or {CONNECTOR} could not be fetched from Maven: see --jars"
            raise SparkJobError(f"Spark cannot be started: {reason}") from error
        raise SparkJobError(f"Spark cannot be started: {reason}; its own log is above") from error


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if home and not (Path(home) / "bin" / "java").is_file():
        raise SparkJobError(f"Spark needs Java 17 or 21: JAVA_HOME is {home}, where it is not")
    if not home and shutil.which("java") is None:
        raise SparkJobError("Spark needs Java 17 or 21: there is no java on the path")


def _jars(folder: Path) -> dict[str, str]:
    jars = sorted(str(jar.resolve()) for jar in folder.glob("*.jar"))
    if not any("spark-sql-kafka" in jar for jar in jars):
        raise SparkJobError(
            f"jars = '{folder}': holds no spark-sql-kafka-0-10: put {CONNECTOR} and what it needs "
            "there, or leave --jars out and Spark fetches it"
        )
    return {"spark.jars": ",".join(jars)}
