"""The messages that are written together, and when.

Rules: a batch is written a second after its first message, or when it is large. A broker may send
only so many messages before some are acknowledged, with some brokers a few tens whatever we allow:
so one that nothing is added to for a moment is written at once, unless it is very small.
"""

from collections.abc import Sequence
from typing import Final

from pipeline.commands.history.records import PredictionRow, Row
from pipeline.messages import Receipt

LONGEST_S: Final = 1.0
MOST_ROWS: Final = 5_000
IDLE_S: Final = 1.0
"""How long a first message is waited for at a time"""
QUIET_S: Final = 0.01
"""A batch that nothing is added to for so long may be all that the broker sends"""
LEAST_ROWS: Final = 10
"""Fewer are not taken for that"""


class Batch:
    """Rows and the messages that they came in."""

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: dict[tuple[bool, str, int], Row] = {}
        self.receipts: list[Receipt] = []
        """Of all messages, those that were rejected among them"""
        self._begun = 0.0  # monotonic seconds

    def __len__(self) -> int:
        """How many messages it has."""
        return len(self.receipts)

    @property
    def rows(self) -> Sequence[Row]:
        """What is to be written; of rows with one device and start the last."""
        return list(self._rows.values())

    def add(self, receipt: Receipt, row: Row | None, now: float) -> None:
        """Add a message, with a row unless it was rejected; ``now`` is in monotonic seconds."""
        if not self.receipts:
            self._begun = now
        self.receipts.append(receipt)
        if row is not None:
            self._rows[isinstance(row, PredictionRow), row.device, row.start] = row

    def patience_s(self, now: float) -> float:
        """Return how long more messages are to be waited for."""
        if not self.receipts:
            return IDLE_S
        left_s = max(0.0, self._begun + LONGEST_S - now)
        return left_s if len(self) < LEAST_ROWS else min(left_s, QUIET_S)

    def is_due(self, now: float, *, is_quiet: bool) -> bool:
        """Return whether it is to be written; ``is_quiet`` is whether nothing has come lately."""
        if not self.receipts:
            return False
        return (
            len(self) >= MOST_ROWS
            or now >= self._begun + LONGEST_S
            or (is_quiet and len(self) >= LEAST_ROWS)
        )
