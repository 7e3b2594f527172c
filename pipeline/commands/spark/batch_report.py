"""What har-spark logs of each batch: how much was in it, and how far behind it is."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.event_log import EventLog
from pipeline.readings import REASONS

logger = EventLog(__name__)

NAME: Final = "numbers"
"""Under which Spark reports them"""


class BatchReport:
    """The batches that were done since the start."""

    def __init__(self) -> None:
        """Begin before the first."""
        self.n_batches = 0
        self.last_batch = -1

    def note(self, batch: Mapping[str, Any]) -> None:
        """Log a batch unless it is the last one again; ``batch`` is Spark's progress."""
        if batch["batchId"] == self.last_batch or not batch["numInputRows"]:
            return
        self.last_batch = batch["batchId"]
        self.n_batches += 1
        numbers = batch.get("observedMetrics", {}).get(NAME) or {}
        rejected = {why: n for why in REASONS if (n := _number(numbers, f"rejected-{why}"))}
        (source,) = batch["sources"]
        logger.info(
            "batch-done",
            "batch %(batch)d: %(n_records)d records of %(n_phones)d phones gave %(n_windows)d "
            "windows and %(n_results)d results in %(seconds).2f s; %(n_waiting)d records wait",
            batch=self.last_batch,
            n_records=_number(numbers, "records"),
            n_phones=_number(numbers, "phones"),
            n_windows=_number(numbers, "windows"),
            n_results=_number(numbers, "results"),
            seconds=batch["durationMs"]["triggerExecution"] / 1000,
            n_waiting=_waiting(source),
            state_bytes=_number(numbers, "state-bytes"),
        )
        if rejected:
            logger.warning(
                "messages-rejected",
                "rejected %(n_rejected)d messages: %(reasons)s",
                n_rejected=sum(rejected.values()),
                reasons=", ".join(f"{reason} {n}" for reason, n in rejected.items()),
            )


def _number(numbers: Any, name: str) -> int:  # noqa: ANN401 # a row of Spark
    return int(numbers[name] or 0) if name in numbers else 0


def _waiting(source: Mapping[str, Any]) -> int:
    """Return how many records Kafka had behind the batch when it was planned."""
    latest, end = source["latestOffset"], source["endOffset"]
    return sum(
        offset - end[topic].get(partition, 0)
        for topic, partitions in latest.items()
        for partition, offset in partitions.items()
    )
