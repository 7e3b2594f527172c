import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from pipeline.commands.history.address import DatabaseAddress, HistoryError
from pipeline.commands.history.reading import History, KeptEpisode
from pipeline.commands.history.versions import VERSION, get, prepare, put
from pipeline.commands.history.writing import RowWriter
from tests.commands.history.published import MONDAY, episode, prediction, rows_of

FIRST = (Path(__file__).parent / "version_1.sql").read_text()
"""A database of the first version, as SQL"""


def columns(engine: Engine) -> dict[str, list[str]]:
    """Return the columns of all tables."""
    found = inspect(engine)
    return {
        table: [column["name"] for column in found.get_columns(table)]
        for table in sorted(found.get_table_names())
    }


@pytest.fixture
def first(tmp_path: Path) -> DatabaseAddress:
    """A database of the first version."""
    file = tmp_path / "first.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(FIRST)
    connection.close()
    return DatabaseAddress(str(file))


def test_a_database_of_the_first_version_is_read_and_written_on(
    first: DatabaseAddress, tmp_path: Path
) -> None:
    """Its rows are there, its tables are those of a new one, and new rows find their place."""
    engine = first.open(to_write=True)
    prepare(engine)
    new = DatabaseAddress(str(tmp_path / "new.sqlite")).open(to_write=True)
    prepare(new)
    assert columns(new) == columns(engine)
    assert [] == RowWriter(engine).write(rows_of(prediction(start=MONDAY + 1.28), episode("b")))
    with History(first) as history:
        assert ["b", "phone-7"] == [phone.device for phone in history.phones()]
        assert [KeptEpisode("phone-7", MONDAY, MONDAY + 60.5, "WALKING", 0.9)] == history.episodes(
            "phone-7", MONDAY, MONDAY + 100
        )
        windows = list(history.predictions("phone-7", MONDAY, MONDAY + 100))
        assert [MONDAY, MONDAY + 1.28] == [window.start for window in windows]
        assert {"WALKING": 0.75, "SITTING": 0.25} == windows[0].probabilities


def test_the_session_belongs_to_the_database(engine: Engine) -> None:
    """Its name is made once."""
    with engine.connect() as connection:
        name = get(connection, "client_id")
    prepare(engine)
    with engine.connect() as connection:
        assert name == get(connection, "client_id")
        assert str(VERSION) == get(connection, "version")


def test_an_older_database_is_brought_up_to_date(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Step by step, each in the log, and once only."""

    def first_step(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE episodes ADD COLUMN place TEXT"))

    def second_step(connection: Connection) -> None:
        connection.execute(text("UPDATE episodes SET place = 'waist'"))

    steps = {VERSION: first_step, VERSION + 1: second_step}
    RowWriter(engine).write(rows_of(episode()))
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            prepare(engine, steps=steps, version=VERSION + 2)
    assert [
        f"bringing the history from version {VERSION} to {VERSION + 1}",
        f"bringing the history from version {VERSION + 1} to {VERSION + 2}",
    ] == [record.message for record in caplog.records]
    with engine.connect() as connection:
        assert "waist" == connection.scalar(text("SELECT place FROM episodes"))


def test_a_step_that_fails_changes_nothing(engine: Engine) -> None:
    """Tables and version are as before."""

    def step(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE episodes ADD COLUMN place TEXT"))
        raise OSError("the power fails")

    before = columns(engine)
    with pytest.raises(OSError, match="the power fails"):
        prepare(engine, steps={VERSION: step}, version=VERSION + 1)
    assert before == columns(engine)
    prepare(engine)


def test_a_newer_database_is_refused(engine: Engine, address: DatabaseAddress) -> None:
    """By who writes and by who reads, with what to do."""
    with engine.begin() as connection:
        put(connection, "version", str(VERSION + 1))
    with pytest.raises(HistoryError, match="upgrade har-stream"):
        prepare(engine)
    with pytest.raises(HistoryError, match="upgrade har-stream") as raised:
        History(address)
    assert str(raised.value).startswith(f"{address}: is of version {VERSION + 1}")


def test_an_older_database_is_not_read(engine: Engine, address: DatabaseAddress) -> None:
    """Who reads may not change it; so the error says who does."""
    with engine.begin() as connection:
        put(connection, "version", str(VERSION - 1))
    with pytest.raises(HistoryError, match="start har-history run of this version once"):
        History(address)


def test_tables_of_something_else_are_left_alone(address: DatabaseAddress) -> None:
    """A database with a table that ours would be mistaken for is refused."""
    engine = address.open(to_write=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE models (name TEXT)"))
    with pytest.raises(HistoryError, match="holds a table 'models' of something else"):
        prepare(engine)
    assert {"models": ["name"]} == columns(engine)
    engine.dispose()


def test_tables_are_made_hypertables_where_that_is_offered(
    address: DatabaseAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """TimescaleDB's function is called for both; if it fails they stay as they are.

    The extension is not there where tests run: a function of its form stands in for it.
    """
    if not address.is_postgresql:
        pytest.skip("SQLite has no extensions of that kind")
    engine = address.open(to_write=True)
    with engine.begin() as connection:
        for statement in PRETENDED:
            connection.execute(text(statement))
    prepare(engine)
    with engine.connect() as connection:
        made = connection.execute(text("SELECT * FROM made")).all()
    assert [("predictions", "start", 86_400_000_000, True)] == [tuple(row) for row in made]
    assert ["episodes stays a plain table: not today"] == [
        record.message.splitlines()[0] for record in caplog.records
    ]
    assert [] == RowWriter(engine).write(rows_of(prediction(), episode()))
    engine.dispose()


PRETENDED = (
    "CREATE TABLE made (name text, time_column text, chunk bigint, if_not_exists boolean)",
    "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "
    "SELECT 99999, 'timescaledb', 10, oid, false, '2' FROM pg_namespace WHERE nspname = 'public'",
    """CREATE FUNCTION create_hypertable(relation regclass, time_column_name name,
         chunk_time_interval anyelement DEFAULT NULL::bigint, if_not_exists boolean DEFAULT false)
       RETURNS void LANGUAGE plpgsql AS $$ BEGIN
         IF relation::text = 'episodes' THEN RAISE EXCEPTION 'not today'; END IF;
         INSERT INTO made VALUES (relation::text, time_column_name, chunk_time_interval,
           if_not_exists);
       END $$""",
)
"""What a database with TimescaleDB's extension has"""


def test_what_is_no_database(tmp_path: Path) -> None:
    """A file of something else is refused, and stays as it is."""
    file = tmp_path / "letter.txt"
    file.write_text("Dear database,\n" * 100)
    with pytest.raises(HistoryError, match="file is not a database"):
        History(DatabaseAddress(str(file)))
    assert "Dear database,\n" * 100 == file.read_text()


def test_another_program_has_the_file(tmp_path: Path) -> None:
    """It is refused whatever its tables are called, and not a byte of it is changed."""
    file = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    before = file.read_bytes()
    with pytest.raises(HistoryError, match="holds a table 'bookmarks' of something else"):
        prepare(DatabaseAddress(str(file)).open(to_write=True))
    assert before == file.read_bytes()
