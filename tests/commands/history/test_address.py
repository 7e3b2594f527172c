import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.commands.history.address import DatabaseAddress, HistoryError
from pipeline.commands.history.versions import prepare

SECRET = "hunter2 and more"
WITH_SECRET = "postgresql://har:hunter2%20and%20more@127.0.0.1:1/kept"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("kept/h.sqlite", "kept/h.sqlite"),
        ("sqlite:///kept/h.sqlite", "kept/h.sqlite"),
        ("sqlite:////var/h.sqlite", "/var/h.sqlite"),
        (WITH_SECRET, "postgresql://har:***@127.0.0.1:1/kept"),
        ("postgresql+psycopg://har@h/kept?password=hunter2", "postgresql://har@h/kept"),
        ("postgres://h/kept", "postgresql://h/kept"),
    ],
)
def test_an_address_is_shown_without_its_password(given: str, shown: str) -> None:
    """All else of it is there."""
    assert shown == str(DatabaseAddress(given))


@pytest.mark.parametrize(
    "given",
    [
        "mysql://har:hunter2@h/kept",
        "postgresql://har:hunter2@h:port/kept",
        "sqlite://",
        "sqlite:///:memory:",
        "nonsense://hunter2",
        "postgresql://har:hun@hunter2@h/kept",
        "postgresql://har:@hunter2@h/kept",
        "postgresql:har:hunter2@h/kept",
        "postgresql:/har:hunter2@h/kept",
        "PostgreSQL+psycopg:har:hunter2@h/kept",
    ],
)
def test_what_is_no_database_is_not_quoted(given: str) -> None:
    """It may hold a password; so the error says what is expected alone."""
    with pytest.raises(HistoryError, match="--database: is") as raised:
        DatabaseAddress(given)
    assert "hunter2" not in str(raised.value)


def test_no_error_of_the_driver_has_the_password() -> None:
    """A server that is not there is named, and what the driver says, but no password."""
    address = DatabaseAddress(WITH_SECRET)
    with pytest.raises(DBAPIError) as raised, address.open(to_write=True).connect():
        pass
    said = address.explain(raised.value)
    assert "127.0.0.1" in said
    assert SECRET not in said + str(address)


def test_a_wrong_password_is_not_shown(database: str) -> None:
    """The server says who was refused; nothing says by which password."""
    if "://" not in database:
        pytest.skip("a file has no password")
    address = DatabaseAddress(database.replace("s3cret", "other"))
    with pytest.raises(DBAPIError) as raised, address.open(to_write=True).connect():
        pass
    said = address.explain(raised.value)
    assert 'password authentication failed for user "har"' in said
    assert "other/of" not in said


def test_the_owner_alone_may_read_a_file(tmp_path: Path) -> None:
    """The folder is 0700, the file and what SQLite puts beside it 0600."""
    file = tmp_path / "new" / "history.sqlite"
    engine = DatabaseAddress(str(file)).open(to_write=True)
    with engine.connect() as connection:
        prepare(engine)
        connection.execute(text("SELECT 1"))
        beside = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert {"history.sqlite", "history.sqlite-wal", "history.sqlite-shm"} == set(beside)
    assert {0o600} == set(beside.values())
    assert 0o700 == stat.S_IMODE(file.parent.stat().st_mode)


@pytest.mark.parametrize("name", ["a b?c#d%41.sqlite", "Geschichte für Jürgen.sqlite", "?mode=ro"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    """What a URL would have to escape is part of the name."""
    engine = DatabaseAddress(str(tmp_path / name)).open(to_write=True)
    prepare(engine)
    DatabaseAddress(str(tmp_path / name)).open(to_write=False).connect().close()
    assert [name] == [path.name for path in tmp_path.iterdir() if "-" not in path.name]


def test_a_file_is_as_safe_as_can_be(tmp_path: Path) -> None:
    """What is committed outlives the machine's power, and readers do not wait."""
    engine = DatabaseAddress(str(tmp_path / "h.sqlite")).open(to_write=True)
    with engine.connect() as connection:
        assert "wal" == connection.scalar(text("PRAGMA journal_mode"))
        assert 2 == connection.scalar(text("PRAGMA synchronous"))  # FULL


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """A file in place of the folder is reported, with what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match="give --database a file that can be written to"):
        DatabaseAddress(str(tmp_path / "file" / "h.sqlite")).open(to_write=True)


def test_who_only_reads_makes_nothing(tmp_path: Path) -> None:
    """Where there is no file there is none afterwards."""
    with pytest.raises(HistoryError, match="there is no history; har-history run makes one"):
        DatabaseAddress(str(tmp_path / "h.sqlite")).open(to_write=False)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.usefixtures("engine")
def test_who_only_reads_cannot_write(address: DatabaseAddress) -> None:
    """The database itself refuses it."""
    reading = address.open(to_write=False)
    with reading.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.execute(text("DELETE FROM episodes"))
    reading.dispose()


def test_a_medium_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history there is read without a file beside it; one that is written to is read as it is."""
    address = DatabaseAddress(str(tmp_path / "h.sqlite"))
    engine = address.open(to_write=True)
    prepare(engine)
    engine.dispose()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write into any folder
    reading = address.open(to_write=False)
    with reading.connect() as connection:
        assert 0 == connection.scalar(text("SELECT count(*) FROM episodes"))
        assert ["h.sqlite"] == [file.name for file in tmp_path.iterdir()]
    with engine.connect() as writing:
        writing.execute(text("INSERT INTO models VALUES (1, 'cnn-lstm', '[]')"))
        writing.commit()
        with reading.connect() as connection:
            assert 1 == connection.scalar(text("SELECT count(*) FROM models"))
