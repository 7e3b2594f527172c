"""Deletion in small portions, so that writing and reading go on meanwhile.

By age, phone by phone: a phone's rows lie together, ordered by time, so that its oldest are found
at once and without another index. Or all that is kept of a phone. SQLite uses the room again for
later rows; PostgreSQL's autovacuum makes it free.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, Engine, Table, delete, func, select, text

from pipeline.commands.history.address import POSTGRESQL
from pipeline.commands.history.records import microseconds
from pipeline.commands.history.schema import EPISODES, PREDICTIONS
from pipeline.commands.history.versions import FORGOTTEN, put

PORTION: Final = 5_000
"""Rows that are deleted at once: some hundredths of a second"""


def devices_in(connection: Connection, table: Table) -> Iterator[str]:
    """Yield the names of all phones with rows in a table, in order, a lookup each."""
    name: str | None = connection.scalar(select(func.min(table.c.device)))
    while name is not None:
        yield name
        name = connection.scalar(select(func.min(table.c.device)).where(table.c.device > name))


def delete_before(connection: Connection, table: Table, device: str, end: int | None) -> int:
    """Delete a phone's oldest rows that begin before a time, at most `PORTION`; return how many.

    Args:
        connection: in a transaction.
        table: `PREDICTIONS` or `EPISODES`.
        device: the phone.
        end: microseconds since 1970; None for all rows.
    """
    of_phone = table.c.device == device
    due = of_phone if end is None else of_phone & (table.c.start < end)
    starts = select(table.c.start).where(due).order_by(table.c.start).limit(PORTION).subquery()
    last = connection.scalar(select(func.max(starts.c.start)))
    if last is None:
        return 0
    return connection.execute(delete(table).where(of_phone & (table.c.start <= last))).rowcount


class Retention:
    """Deletes what is older than it may be."""

    def __init__(
        self, engine: Engine, *, keep_s: int | None, keep_predictions_s: int | None
    ) -> None:
        """Take ages in seconds, None for what is never deleted."""
        self._engine = engine
        self._ages = [
            (table, age_s)
            for table, age_s in ((PREDICTIONS, keep_predictions_s), (EPISODES, keep_s))
            if age_s is not None
        ]
        self.n_deleted = 0
        """Rows so far"""

    @property
    def is_needed(self) -> bool:
        """Whether anything is ever deleted."""
        return bool(self._ages)

    def portions(self, now: float) -> Iterator[None]:
        """Delete what is too old at ``now``, epoch seconds; yield after each phone's portion.

        Raises:
            DBAPIError: the database is away; what is left is found the next time.
        """
        for table, age_s in self._ages:
            end = microseconds(now - age_s)
            with self._engine.begin() as connection:
                devices = list(devices_in(connection, table))
            yield
            for device in devices:
                n = PORTION
                while n == PORTION:
                    with self._engine.begin() as connection:
                        n = delete_before(connection, table, device, end)
                    self.n_deleted += n
                    yield


def forget(engine: Engine, device: str) -> int:
    """Delete all that is kept of a phone, and return how many rows that was.

    In SQLite the bytes are overwritten; in PostgreSQL they go with the next vacuum, which is begun.

    Raises:
        DBAPIError: the database cannot be reached or written to.
    """
    is_server = engine.dialect.name == POSTGRESQL
    total = 0
    for table in (PREDICTIONS, EPISODES):
        n = PORTION
        while n == PORTION:
            with engine.connect() as connection:
                if not is_server:
                    connection.exec_driver_sql("PRAGMA secure_delete=ON")
                    connection.rollback()
                with connection.begin():
                    n = delete_before(connection, table, device, None)
            total += n
    with engine.begin() as connection:  # a har-history that runs has the phone's day in memory
        put(connection, FORGOTTEN, uuid4().hex)
    if is_server:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM predictions"))
            connection.execute(text("VACUUM episodes"))
        return total
    with closing(engine.raw_connection()) as raw:  # outside of any transaction
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return total
