import logging
from typing import Any

import pytest

from pipeline.commands.spark import batch_report
from pipeline.commands.spark.batch_report import BatchReport
from pipeline.commands.spark.metrics import spark_families


def progress(batch: int, *, n_records: int = 3, **numbers: int) -> dict[str, Any]:
    """Return Spark's progress of a batch, as far as it is read."""
    return {
        "batchId": batch,
        "timestamp": f"2026-01-01T00:00:{batch:02}Z",
        "numInputRows": n_records,
        "durationMs": {"triggerExecution": 1500},
        "sources": [
            {
                "endOffset": {"har.samples": {"0": 10}},
                "latestOffset": {"har.samples": {"0": 12, "1": 4}},
            }
        ],
        "observedMetrics": {"numbers": {"records": n_records, "rejected-json": None} | numbers},
    }


def test_each_batch_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A batch is told with what it held and what still waits, though it is looked at often."""
    report = BatchReport()
    with caplog.at_level(logging.INFO):
        for batch in (0, 0, 1, 1):
            report.note(progress(batch, phones=2, windows=1, results=5))
    assert 2 == report.n_batches
    assert [
        f"batch {batch}: 3 records of 2 phones gave 1 windows and 5 results in 1.50 s; "
        "6 records wait"
        for batch in (0, 1)
    ] == caplog.messages


def test_a_batch_that_is_done_again() -> None:
    """Of a batch that was planned before a restart, Spark does not say what waits behind it."""
    report = BatchReport()
    again = progress(4, windows=1)
    again["sources"][0]["latestOffset"] = None
    report.note(again)
    assert (1, 0) == (report.n_batches, report.n_waiting)


def test_counts_grow_and_what_is_now_is_that_of_the_last_batch() -> None:
    """Records of all batches are added up; the state is the last one's."""
    report = BatchReport()
    for batch in range(3):
        report.note(progress(batch, phones=2 + batch, windows=1))
    values = {
        sample.name: sample.value
        for family in spark_families(report)
        for sample in family.samples
        if not sample.labels
    }
    assert {
        "har_spark_records_total": 9,
        "har_spark_windows_total": 3,
        "har_spark_results_total": 0,
        "har_spark_failures_total": 0,
        "har_spark_batch_seconds_count": 3,
        "har_spark_batch_seconds_sum": 4.5,
        "har_spark_waiting_records": 6,
        "har_spark_phones": 4,
        "har_spark_state_bytes": 0,
    } == values


def test_long_without_news_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """While Spark tells of itself the job is ready, also where nothing comes; else it is not."""
    now = [1000.0]
    monkeypatch.setattr(batch_report.time, "monotonic", lambda: now[0])
    report = BatchReport()
    for batch in range(3):
        now[0] += 60.0
        report.note(progress(batch, n_records=0))
        assert report.why_late() is None
    now[0] += 60.0
    report.note(progress(2, n_records=0))
    now[0] += 61.0
    assert "no batch has ended for 121 s" == report.why_late()


def test_rejected_messages_are_told_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Counts of all reasons that there were are in one line."""
    BatchReport().note(progress(0, **{"rejected-json": 2, "rejected-time": 1}))
    assert "rejected 3 messages: json 2, time 1" in caplog.messages


def test_what_is_no_batch_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing came, there is nothing to tell."""
    report = BatchReport()
    report.note(progress(0, n_records=0))
    assert (0, []) == (report.n_batches, caplog.messages)
