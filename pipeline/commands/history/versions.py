"""Versions of a history's tables: a new database is made, an older one brought up to date.

A list of steps in one transaction is all that two tables need: with Alembic, its environment,
templates and revision files would be longer than the steps. To change a table, raise `VERSION` and
add the step that brings the tables of the version before to it.
"""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from pipeline.commands.history.address import POSTGRESQL, HistoryError
from pipeline.commands.history.schema import EPISODES, METADATA, PREDICTIONS, PROPERTIES
from pipeline.event_log import EventLog

logger = EventLog(__name__)

VERSION: Final = 1
"""Of the tables in `schema`"""

Step = Callable[[Connection], None]
STEPS: Final[Mapping[int, Step]] = {}
"""By the version that each begins with"""

FORGOTTEN: Final = "forgotten"
"""Property that is set to another text whenever a phone was forgotten: it does not say which"""
_LOCK: Final = 4_811_626
"""Of PostgreSQL's advisory locks, any number: two programs do not make the tables at once"""
_CHUNK_US: Final = 86_400_000_000
"""A day: rows of a TimescaleDB chunk"""


def prepare(engine: Engine, *, steps: Mapping[int, Step] = STEPS, version: int = VERSION) -> None:
    """Make the tables, or bring them up to date.

    Raises:
        HistoryError: the database is something else, or of a newer version.
        DBAPIError: it cannot be reached or written to.
    """
    with engine.begin() as connection:
        if connection.dialect.name == POSTGRESQL:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _version_of(connection)
        if found is None:
            METADATA.create_all(connection)
            put(connection, "version", str(version))
            put(connection, "client_id", f"har-history-{uuid4().hex[:8]}")
            _partition(connection)
            return
        _refuse_newer(found, version)
        for number in range(found, version):
            logger.info(
                "history-migrated",
                "bringing the history from version %(version)d to %(next)d",
                version=number,
                next=number + 1,
            )
            steps[number](connection)
            put(connection, "version", str(number + 1))


def check(connection: Connection) -> None:
    """Check before reading that the tables are of this version.

    Raises:
        HistoryError: they are not there, older or newer.
    """
    found = _version_of(connection)
    if found is None:
        raise HistoryError("holds no history; har-history run makes one")
    _refuse_newer(found, VERSION)
    if found < VERSION:
        raise HistoryError(
            f"is of version {found}, and {VERSION} is needed: start har-history run of this "
            "version once, which brings it up to date"
        )


def get(connection: Connection, name: str) -> str | None:
    """Return one of the database's properties, None if it has none of this name."""
    return connection.scalar(select(PROPERTIES.c.value).where(PROPERTIES.c.name == name))


def put(connection: Connection, name: str, value: str) -> None:
    """Set one of the database's properties."""
    connection.execute(PROPERTIES.delete().where(PROPERTIES.c.name == name))
    connection.execute(PROPERTIES.insert().values(name=name, value=value))


def _version_of(connection: Connection) -> int | None:
    """Return the version of the tables, None if there are none.

    Raises:
        HistoryError: there are tables of something else.
    """
    tables = inspect(connection)
    if tables.has_table(PROPERTIES.name):
        value = get(connection, "version")
        if value is not None and value.isdecimal():
            return int(value)
        raise HistoryError("is damaged: it does not say of which version it is")
    there = tables.get_table_names()
    is_shared = connection.dialect.name == POSTGRESQL  # a file is of one program alone
    taken = [name for name in there if not is_shared or name in METADATA.tables]
    if taken:
        raise HistoryError(
            f"holds a table {taken[0]!r} of something else; give --database another one"
        )
    return None


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        raise HistoryError(
            f"is of version {found}, and this har-history knows {known}: upgrade har-stream, or "
            "give --database another one"
        )


def _partition(connection: Connection) -> None:
    """Make TimescaleDB's hypertables of the two big tables, where that extension is there."""
    if connection.dialect.name != POSTGRESQL:
        return
    has_it = text("SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'")
    if not connection.scalar(has_it):
        return
    for table in (PREDICTIONS, EPISODES):
        try:
            with connection.begin_nested():
                connection.execute(
                    text(
                        "SELECT create_hypertable(CAST(:name AS regclass), 'start', "
                        "chunk_time_interval => CAST(:chunk AS bigint), if_not_exists => TRUE)"
                    ),
                    {"name": table.name, "chunk": _CHUNK_US},
                )
        except DBAPIError as error:
            said = str(error.orig).partition("\n")[0]
            logger.warning(
                "hypertable-refused",
                "%(table)s stays a plain table: %(error)s",
                table=table.name,
                error=said,
            )
