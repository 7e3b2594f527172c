"""What a running har-history counts: for its last line, and for whoever watches it."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.readings import Reason


@dataclass
class HistoryCounts:
    """Counts since the start. They never go down."""

    predictions: int = 0
    """Rows that are committed, those that came again among them"""
    episodes: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter)
    """Messages that could not be used, by reason"""
    batches: int = 0
    """Commits"""
    batch_s: float = 0.0
    """Seconds that they took in all"""
    last_batch_s: float = 0.0
    failed_batches: int = 0
    """Attempts to commit that failed because the database was away"""
    deleted: int = 0
    """Rows that were too old"""
    is_database_up: bool = False
    """Whether the last attempt to use it succeeded"""

    def __str__(self) -> str:
        """Return the counts for people."""
        by_reason = ", ".join(f"{reason} {n}" for reason, n in sorted(self.rejected.items()))
        return (
            f"{self.predictions} predictions and {self.episodes} episodes written, "
            f"{self.rejected.total()} rejected messages" + (f" ({by_reason})" if by_reason else "")
        )
