import logging
from typing import Any

import pytest

from pipeline.commands.spark.batch_report import BatchReport


def progress(batch: int, *, n_records: int = 3, **numbers: int) -> dict[str, Any]:
    """Return Spark's progress of a batch, as far as it is read."""
    return {
        "batchId": batch,
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


def test_rejected_messages_are_told_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Counts of all reasons that there were are in one line."""
    BatchReport().note(progress(0, **{"rejected-json": 2, "rejected-time": 1}))
    assert "rejected 3 messages: json 2, time 1" in caplog.messages


def test_what_is_no_batch_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing came, there is nothing to tell."""
    report = BatchReport()
    report.note(progress(0, n_records=0))
    assert (0, []) == (report.n_batches, caplog.messages)
