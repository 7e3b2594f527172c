"""One running har-history: results in from the broker, rows into the database.

Strategy: a message is acknowledged once its row is committed. Until then the broker keeps it, and
sends it again over a new connection or to the next har-history, where it changes nothing if it is
there already. So nothing is lost and nothing is there twice, whatever ends when. While the database
is away nothing is taken, so what waits here stays within its bound, and the broker keeps the rest.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.batch import Batch
from pipeline.commands.history.counts import HistoryCounts
from pipeline.commands.history.deletion import Retention
from pipeline.commands.history.records import PredictionRow, Row, row_of
from pipeline.commands.history.todays import Todays, is_of_today
from pipeline.commands.history.writing import RowWriter
from pipeline.event_log import EventLog
from pipeline.log_intervals import LogIntervals
from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.readings import MessageError

logger = EventLog(__name__)

MOST_WAITING: Final = 20_000
"""Messages that may be here without being in the database; the broker keeps more"""
GATHER_S: Final = 0.005
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""Between two attempts to reach the database: with the time that one takes, less than a loop may
stand still before the monitor takes it for stuck"""
LOG_INTERVAL_S: Final = 10.0
"""A reason for rejecting messages is logged at most this often"""
RETENTION_EVERY_S: Final = 600.0
RETENTION_SHARE_S: Final = 0.2
"""Of the time between two batches, at most so much is spent deleting"""


class Pauses:
    """Attempts to reach the database: when the next is, and what is said of them."""

    def __init__(self, address: DatabaseAddress, stopping: threading.Event) -> None:
        """Begin; ``stopping`` ends every pause."""
        self._address, self._stopping = address, stopping
        self._pause_s = FIRST_PAUSE_S
        self._away_since: float | None = None  # monotonic seconds

    def wait(self, error: DBAPIError) -> bool:
        """Pause after a failure; return False if there is to be no other attempt."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.error(
                "database-lost",
                "the database %(database)s cannot be used: %(error)s; trying again, and the broker "
                "keeps what comes",
                database=self._address,
                error=self._address.explain(error),
            )
        is_over = self._stopping.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return not is_over

    def succeeded(self) -> None:
        """Note that the database could be used."""
        if self._away_since is not None:
            away_s = time.monotonic() - self._away_since
            logger.info(
                "database-back",
                "the database can be used again, after %(away_s).0f s",
                away_s=away_s,
            )
            self._away_since, self._pause_s = None, FIRST_PAUSE_S


class HistoryWriter:
    """One running har-history."""

    def __init__(
        self,
        address: DatabaseAddress,
        engine: Engine,
        connection: Connection,
        *,
        retention: Retention,
        keeps_predictions: bool,
        stopping: threading.Event,
        on_turn: Callable[[], None],
        todays: Todays | None = None,
    ) -> None:
        """Join a database whose tables are there with a connection to the broker.

        Without ``keeps_predictions`` those that come all the same, because the session still has
        their topic, are passed over. ``on_turn`` is called whenever the loop turns, and while the
        database is away with each attempt to reach it. ``todays`` publishes the present day of all
        phones, if that is asked for.
        """
        self._keeps_predictions = keeps_predictions
        self.counts = HistoryCounts(is_database_up=True)
        self._address = address
        self._rows = RowWriter(engine)
        self._connection = connection
        self._retention = retention
        self._stopping = stopping
        self._on_turn = on_turn
        self._todays = todays
        self._pauses = Pauses(address, stopping)
        self._batch = Batch()
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)
        self._deleting: Iterator[None] | None = None  # a pass that is under way
        self._next_retention = 0.0

    def why_no_database(self) -> str | None:
        """Return why nothing is written, None if the database could be used the last time."""
        return None if self.counts.is_database_up else f"{self._address} cannot be used"

    def stop(self) -> None:
        """End `run` after what was taken is written; may be called from a signal handler."""
        self._stopping.set()
        self._connection.wake()

    def run(self) -> None:
        """Write what arrives until `stop`; what waits then stays with the broker."""
        while not self._stopping.is_set():
            self._on_turn()
            messages = self._connection.take(
                timeout_s=self._batch.patience_s(time.monotonic()), gather_s=GATHER_S
            )
            now = time.monotonic()
            for message in messages:
                self._take(message, now)
            if self._batch.is_due(now, is_quiet=not messages):
                self._write()
            if self._todays is not None:
                self._todays.keep(time.monotonic(), time.time())
            if not len(self._batch):
                self._delete()
        self._write()

    def _take(self, message: Message, now: float) -> None:
        """Add a message to the batch, or reject it."""
        row: Row | None = None
        try:
            if not is_of_today(message.topic):
                row = row_of(message)
            elif self._todays is not None:  # else a session of before has the subscription
                self._todays.take(message, time.time())
        except MessageError as error:
            self._reject(message.topic, error)
        if isinstance(row, PredictionRow) and not self._keeps_predictions:
            row = None
        self._batch.add(message.receipt, row, now)

    def _write(self) -> None:
        """Commit the batch, however often that takes, and acknowledge its messages."""
        batch, rows = self._batch, self._batch.rows
        while True:
            self._on_turn()
            begun = time.monotonic()
            try:
                rejected = self._rows.write(rows) if rows else []
                break
            except DBAPIError as error:
                self.counts.is_database_up = False
                self.counts.failed_batches += 1
                if self._stopping.is_set() or not self._pauses.wait(error):
                    return
        self._connection.acknowledge(batch.receipts)
        self._batch = Batch()
        if not rows:
            return
        self._pauses.succeeded()
        for row, why in rejected:
            self._reject(row.device, why)
        if self._todays is not None:
            refused = {row for row, _ in rejected}
            self._todays.note(row for row in rows if row not in refused)
        of_rejected = [isinstance(row, PredictionRow) for row, _ in rejected]
        n_predictions = sum([isinstance(row, PredictionRow) for row in rows]) - sum(of_rejected)
        counts = self.counts
        counts.is_database_up = True
        counts.predictions += n_predictions
        counts.episodes += len(rows) - len(rejected) - n_predictions
        counts.batches += 1
        counts.last_batch_s = time.monotonic() - begun
        counts.batch_s += counts.last_batch_s

    def _reject(self, origin: str, error: MessageError) -> None:
        """Count a message that cannot be used, and log it unless one like it of its origin was."""
        counts = self.counts.rejected
        counts[error.reason] += 1
        if not self._log_intervals.are_over(error.reason, origin, time.monotonic()):
            return
        logger.warning(
            "record-rejected",
            "rejected a message of %(origin).100r (%(reason)s, %(n_so_far)d so far): %(error)s",
            origin=origin,
            reason=error.reason,
            n_so_far=counts[error.reason],
            error=error,
        )

    def _delete(self) -> None:
        """Delete some of what is too old, if it is time."""
        now = time.monotonic()
        if self._deleting is None:
            if not self._retention.is_needed or now < self._next_retention:
                return
            self._deleting = self._retention.portions(time.time())
            self._next_retention = now + RETENTION_EVERY_S
        try:
            for _ in self._deleting:
                self.counts.deleted = self._retention.n_deleted
                if time.monotonic() - now > RETENTION_SHARE_S:
                    return
        except DBAPIError as error:
            logger.warning(
                "rows-not-deleted",
                "old rows cannot be deleted for now: %(error)s",
                error=self._address.explain(error),
            )
        self._deleting = None
