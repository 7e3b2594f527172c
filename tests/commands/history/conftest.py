from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.versions import prepare
from tests.postgresql import PostgreSQL

if TYPE_CHECKING:
    from _pytest.fixtures import SubRequest


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs, for all tests that do not stop it."""
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs, for one test alone."""
    server = PostgreSQL()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.operation)])
def database(request: "SubRequest", tmp_path: Path) -> str:
    """What ``--database`` takes: a file or a database of a server; there is nothing in it."""
    if request.param == "sqlite":
        return str(tmp_path / "kept" / "history.sqlite")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def address(database: str) -> DatabaseAddress:
    """The address of a database with nothing in it."""
    return DatabaseAddress(database)


@pytest.fixture
def engine(address: DatabaseAddress) -> Iterator[Engine]:
    """A database whose tables have been made."""
    engine = address.open(to_write=True)
    prepare(engine)
    yield engine
    engine.dispose()
