"""The metrics of har-spark: what its batches held, how long they took, and what still waits."""

from collections.abc import Iterator

from pipeline.commands.monitoring.families import Family, counter, gauge, summary
from pipeline.commands.spark.batch_report import BatchReport
from pipeline.readings import REASONS


def spark_families(report: BatchReport) -> Iterator[Family]:
    """Yield all of them, as of now."""
    totals = report.totals
    yield counter("har_spark_records_total", "Records of Kafka that were read", totals["records"])
    yield counter("har_spark_windows_total", "Windows that were classified", totals["windows"])
    yield counter("har_spark_results_total", "Results that went to Kafka", totals["results"])
    yield counter(
        "har_spark_rejected_messages_total",
        "Messages that could not be used, by reason",
        {reason: totals[f"rejected-{reason}"] for reason in REASONS},
        "reason",
    )
    yield counter(
        "har_spark_failures_total",
        "Messages and phones that an error of har-stream's own kept from being processed",
        totals["failures"],
    )
    yield summary(
        "har_spark_batch_seconds", "Time that each batch took", report.n_batches, report.batches_s
    )
    yield gauge(
        "har_spark_waiting_records",
        "Records that Kafka had behind the last batch when it was planned",
        report.n_waiting,
    )
    yield gauge("har_spark_phones", "Phones in the last batch's buckets", report.n_phones)
    yield gauge("har_spark_state_bytes", "State that the last batch wrote anew", report.state_bytes)
