"""The metrics of har-history: what it keeps, what it cannot, and how the database does."""

from collections.abc import Iterator

from pipeline.commands.history.counts import HistoryCounts
from pipeline.commands.monitoring.broker import broker_families
from pipeline.commands.monitoring.families import Family, counter, gauge, summary
from pipeline.mqtt.connection import Connection
from pipeline.readings import REASONS


def history_families(counts: HistoryCounts, connection: Connection) -> Iterator[Family]:
    """Yield all of them, as of now."""
    yield from broker_families(connection)
    yield counter(
        "har_history_rows_total",
        "Rows that were committed, those that came again among them, by table",
        {"predictions": counts.predictions, "episodes": counts.episodes},
        "table",
    )
    yield counter(
        "har_history_rejected_messages_total",
        "Messages that could not be kept, by reason",
        {reason: counts.rejected.get(reason, 0) for reason in REASONS},
        "reason",
    )
    yield summary(
        "har_history_commit_seconds", "Time that each commit took", counts.batches, counts.batch_s
    )
    yield counter(
        "har_history_failed_commits_total",
        "Attempts to commit that failed because the database was away",
        counts.failed_batches,
    )
    yield counter(
        "har_history_deleted_rows_total", "Rows that were deleted by their age", counts.deleted
    )
    yield gauge(
        "har_history_database_up",
        "1 if the last attempt to use the database succeeded, else 0",
        int(counts.is_database_up),
    )
