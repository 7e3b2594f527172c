"""What har-spark tells of its batches: a line of the log for each, and counts of all."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pipeline.event_log import EventLog
from pipeline.readings import REASONS

logger = EventLog(__name__)

NAME: Final = "numbers"
"""Under which Spark reports a batch's numbers"""
NUMBERS: Final = (
    *("records", "results", "windows", "phones", "state-bytes", "failures"),
    *(f"rejected-{reason}" for reason in REASONS),
)
"""What is counted of a batch"""
OVERDUE_S: Final = 120.0
"""A batch that takes longer shows that something is wrong, such as Kafka or executors away"""


class BatchReport:
    """The batches that were done since the start."""

    def __init__(self) -> None:
        """Begin before the first."""
        self.totals: Counter[str] = Counter()
        """The numbers of all batches, added up"""
        self.n_batches = 0
        self.batches_s = 0.0
        """Seconds that all batches took"""
        self.n_waiting = 0
        """Records that Kafka had behind the last batch when it was planned"""
        self.n_phones = 0
        """Phones in the last batch's buckets"""
        self.state_bytes = 0
        """Of the last batch"""
        self._last_batch = -1
        self._seen: object = None
        self._news = time.monotonic()

    def note(self, batch: Mapping[str, Any]) -> None:
        """Take Spark's progress, and report the batch unless it is the last one again.

        Spark tells of itself every 10 s also where nothing comes.
        """
        if batch["timestamp"] != self._seen:
            self._seen, self._news = batch["timestamp"], time.monotonic()
        if batch["batchId"] == self._last_batch or not batch["numInputRows"]:
            return
        self._last_batch = batch["batchId"]
        numbers = _numbers(batch)
        seconds = batch["durationMs"]["triggerExecution"] / 1000
        (source,) = batch["sources"]
        self.totals.update(numbers)
        self.n_batches += 1
        self.batches_s += seconds
        self.n_waiting = _waiting(source)
        self.n_phones, self.state_bytes = numbers["phones"], numbers["state-bytes"]
        logger.info(
            "batch-done",
            "batch %(batch)d: %(n_records)d records of %(n_phones)d phones gave %(n_windows)d "
            "windows and %(n_results)d results in %(seconds).2f s; %(n_waiting)d records wait",
            batch=self._last_batch,
            n_records=numbers["records"],
            n_phones=self.n_phones,
            n_windows=numbers["windows"],
            n_results=numbers["results"],
            seconds=seconds,
            n_waiting=self.n_waiting,
            state_bytes=self.state_bytes,
        )
        rejected = {why: n for why in REASONS if (n := numbers[f"rejected-{why}"])}
        if rejected:
            logger.warning(
                "messages-rejected",
                "rejected %(n_rejected)d messages: %(reasons)s",
                n_rejected=sum(rejected.values()),
                reasons=", ".join(f"{reason} {n}" for reason, n in rejected.items()),
            )

    def why_late(self) -> str | None:
        """Return for how long Spark has told nothing, None if that is usual; on any thread."""
        silent_s = time.monotonic() - self._news
        return f"no batch has ended for {silent_s:.0f} s" if silent_s > OVERDUE_S else None


def _numbers(batch: Mapping[str, Any]) -> Counter[str]:
    """Return the numbers of a batch; those that there were none of are 0."""
    found = batch.get("observedMetrics", {}).get(NAME) or {}
    return Counter({name: int(found.get(name) or 0) for name in NUMBERS})


def _waiting(source: Mapping[str, Any]) -> int:
    """Return how many records Kafka had behind the batch when it was planned.

    Of a batch that is done again, Spark does not know it: 0.
    """
    latest, end = source["latestOffset"] or {}, source["endOffset"]
    return sum(
        offset - end[topic].get(partition, 0)
        for topic, partitions in latest.items()
        for partition, offset in partitions.items()
    )
