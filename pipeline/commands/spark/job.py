"""The job, as Spark is to run it: samples from Kafka, by buckets of phones, to results in Kafka.

A bucket is a hash of the record's key, which is the phone. Its state is one value; each batch reads
it, takes the batch's records through it and writes it again, all by Spark's own means: offsets and
state are committed together, results are written at least once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pyspark.sql import DataFrame, GroupedData, SparkSession
from pyspark.sql.functions import expr
from pyspark.sql.streaming.query import StreamingQuery

from pipeline.commands.spark.batch_report import NAME, NUMBERS
from pipeline.commands.spark.bucket import RESULTS, Bucket
from pipeline.commands.spark.settings import SparkSettings
from pipeline.kafka_records import (
    ORIGIN_HEADER,
    RETAIN_HEADER,
    RETAINED_HEADER,
    TOPIC_HEADER,
    YES,
)
from pipeline.program_topics import TIME_TOPIC

_YES: Final = f"X'{YES.hex()}'"
"""In SQL"""


def start(
    spark: SparkSession,
    settings: SparkSettings,
    bucket: Bucket,
    kafka: Mapping[str, str],
    initial: Sequence[bytes] | None = None,
) -> StreamingQuery:
    """Start the job and return it.

    Args:
        spark: the session.
        settings: of the command.
        bucket: what to do with a bucket's records.
        kafka: properties of the connection to Kafka.
        initial: state of each bucket with which a new checkpoint location begins.
    """
    labels = labels_of(spark, settings.buckets)
    options = {f"kafka.{name}": value for name, value in kafka.items()}
    samples = (
        spark.readStream.format("kafka")
        .options(**options)
        .option("subscribe", settings.samples_topic)
        .option("startingOffsets", settings.begin)
        .option("maxOffsetsPerTrigger", settings.records_a_trigger)
        .option("includeHeaders", True)
        .load()
    )
    results = (
        by_bucket(samples, labels)
        .groupBy("bucket")
        .transformWithStateInPandas(
            bucket,
            RESULTS,
            outputMode="Append",
            timeMode="None",
            initialState=None if initial is None else _initial(spark, labels, initial),
        )
    )
    return (
        as_records(with_numbers(results))
        .writeStream.format("kafka")
        .options(**options)
        .option("topic", settings.results_topic)
        .option("checkpointLocation", settings.checkpoint_location)
        .outputMode("append")
        .trigger(processingTime=f"{settings.trigger} seconds")
        .queryName("har-spark")
        .start()
    )


def _initial(spark: SparkSession, labels: Sequence[int], states: Sequence[bytes]) -> GroupedData:
    rows = list(zip(labels, states, strict=True))
    return spark.createDataFrame(rows, "bucket INT, state BINARY").groupBy("bucket")


def labels_of(spark: SparkSession, n_buckets: int) -> list[int]:
    """Return a label for each bucket, such that Spark has a task for each.

    It assigns a key to one of so many tasks by its hash; numbers from 0 would share some.
    """
    candidates = spark.range(64 * n_buckets).selectExpr(
        "CAST(id AS INT) AS label", f"pmod(hash(CAST(id AS INT)), {n_buckets}) AS task"
    )
    rows = candidates.groupBy("task").min("label").orderBy("task").collect()
    assert len(rows) == n_buckets
    return [int(row[1]) for row in rows]


def buckets_of(spark: SparkSession, devices: Sequence[str], n_buckets: int) -> dict[str, int]:
    """Return the number of each phone's bucket, by its name."""
    rows = spark.createDataFrame([(device,) for device in devices], "device STRING").selectExpr(
        "device", f"CAST({_number_of('CAST(device AS BINARY)', n_buckets)} AS INT)"
    )
    return dict(rows.collect())


def _number_of(key: str, n_buckets: int) -> str:
    """Return, in SQL, the number of the bucket of a record's key, from 0 on."""
    return f"pmod(xxhash64({key}), {n_buckets})"


def by_bucket(samples: DataFrame, labels: Sequence[int]) -> DataFrame:
    """Return Kafka's records with their buckets, and what a `Record` needs of each.

    A record that says what time it is in its partition is for all buckets.
    """
    every = f"array({', '.join(map(str, labels))})"
    own = f"{every}[CAST({_number_of('key', len(labels))} AS INT)]"
    return samples.selectExpr(
        "key",
        "partition",
        "offset",
        "unix_millis(timestamp) AS time_ms",
        f"make_valid_utf8(coalesce(CAST({_header(TOPIC_HEADER)} AS STRING), '')) AS topic",
        "coalesce(value, X'') AS payload",
        f"coalesce({_header(RETAINED_HEADER)} = {_YES}, false) AS retained",
    ).selectExpr(
        f"explode(IF(topic = '{TIME_TOPIC}', {every}, array({own}))) AS bucket",
        *("partition", "offset", "time_ms", "topic", "payload", "retained"),
    )


def _header(name: str) -> str:
    """Return, in SQL, the value of a record's first header of a name, null if it has none."""
    return f"get(filter(headers, header -> header.key = '{name}'), 0).value"


def with_numbers(results: DataFrame) -> DataFrame:
    """Return the results; the numbers among them are added up into the batch's progress."""
    sums = [expr(f"sum(CASE number WHEN '{name}' THEN n END) AS `{name}`") for name in NUMBERS]
    return results.observe(NAME, *sums).where("topic IS NOT NULL")


def as_records(results: DataFrame) -> DataFrame:
    """Return results as records for Kafka: by phone, with headers."""
    retain = f"CASE WHEN retain THEN named_struct('key', '{RETAIN_HEADER}', 'value', {_YES}) END"
    return results.selectExpr(
        "split_part(topic, '/', 2) AS key",
        "payload AS value",
        "filter(array("
        f"named_struct('key', '{TOPIC_HEADER}', 'value', CAST(topic AS BINARY)), "
        f"named_struct('key', '{ORIGIN_HEADER}', 'value', CAST(origin AS BINARY)), "
        f"{retain}), header -> header IS NOT NULL) AS headers",
    )
