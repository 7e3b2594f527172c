"""Where a database is, as a text of the user's, and how it is opened.

Rules: an address is shown without its password, wherever it is shown. A file is made so that its
owner alone may read it, in a folder of the owner's alone: it holds what people were doing. Who only
reads cannot write.
"""

import os
import re
from pathlib import Path
from typing import Any, Final

import platformdirs
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

FILE_NAME: Final = "history.sqlite"
BUSY_S: Final = 5.0
"""How long another program's writing into the same file is waited for"""
CONNECT_TIMEOUT_S: Final = 5
"""Within which a server of PostgreSQL answers"""
SILENT_S: Final = 15
"""A server that says nothing for so long is taken for gone (PostgreSQL, tcp_user_timeout)"""
READING: Final = "-c default_transaction_read_only=on -c statement_timeout=60000"
"""Options of a connection that only reads (PostgreSQL)"""
POSTGRESQL: Final = "postgresql"
SQLITE: Final = "sqlite"
_MASK: Final = "***"
_FORMS: Final = "a file, sqlite:///FILE or postgresql://USER@HOST/NAME"
_IS_OURS: Final = (
    "SELECT count(*) = 0 OR sum(name = 'har_history') > 0 FROM sqlite_master WHERE type = 'table'"
)
"""Whether a file of SQLite is new or a history"""
_LIKE_A_SERVER: Final = re.compile(r"(postgres(ql)?(\+\w+)?|sqlite):", re.IGNORECASE)


class HistoryError(Exception):
    """The history cannot be used; who runs the program can mend it."""


class DatabaseAddress:
    """Where the database is."""

    def __init__(self, text: str | None) -> None:
        """Read an address; None stands for the file in the user's data folder.

        Raises:
            HistoryError: it is none.
        """
        if text is None:
            text = str(platformdirs.user_data_path("har-stream") / FILE_NAME)
        self.file: Path | None = None
        """The file, None for a server"""
        if "://" not in text and _LIKE_A_SERVER.match(text):  # not a file named by a password
            raise HistoryError(f"--database: is to be {_FORMS}")
        if "://" not in text:
            self.file = Path(text).expanduser()
            self._url = URL.create(SQLITE, database=str(self.file))
            return
        try:
            url = make_url(text)
            kind = url.get_backend_name()
        except (ArgumentError, ValueError):  # which quote it, with its password
            raise HistoryError("--database: is no file and no address of a database") from None
        if kind == SQLITE and url.database and url.database != ":memory:":
            self.file = Path(url.database)
            self._url = URL.create(SQLITE, database=url.database)
        elif kind in (POSTGRESQL, "postgres"):
            if "@" in (url.host or ""):  # what is before it is of a password, and would be shown
                raise HistoryError("--database: is to have %40 for an @ in its password")
            self._url = url.set(drivername="postgresql+psycopg")
        else:
            raise HistoryError(f"--database: is to be {_FORMS}, not {kind[:40]}://...")

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a server of PostgreSQL."""
        return self.file is None

    def __str__(self) -> str:
        """Return it for people, without its password."""
        if self.file is not None:
            return str(self.file)
        shown = self._url.set(drivername=POSTGRESQL, query={})
        return shown.render_as_string(hide_password=True)

    def explain(self, error: BaseException) -> str:
        """Return in a line what a driver says of an error, without any password."""
        said = str(error.orig if isinstance(error, DBAPIError) and error.orig else error)
        line = " ".join(said.split())[:500] or type(error).__name__
        secrets = [self._url.password, self._url.query.get("password")]
        for secret in secrets:
            if isinstance(secret, str) and secret:
                line = line.replace(secret, _MASK)
        return line

    def open(self, *, to_write: bool) -> Engine:
        """Return what makes connections; none is made yet.

        Raises:
            HistoryError: the file cannot be made, or is not there to be read.
        """
        if self.file is None:
            return self._open_server(to_write=to_write)
        file = self.file
        if to_write:
            _make(self.file)
        elif not self.file.is_file():
            raise HistoryError(f"{self.file}: there is no history; har-history run makes one")
        mode = "rw" if to_write else "ro"
        url = self._url.set(
            database=self.file.absolute().as_uri(), query={"mode": mode, "uri": "true"}
        )
        engine = create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"timeout": BUSY_S, "isolation_level": None},
        )

        @event.listens_for(engine, "do_connect")
        def connecting(
            dialect: object, record: object, arguments: list[Any], named: dict[str, Any]
        ) -> None:
            if not to_write and is_still(file):
                arguments[0] += "&immutable=1"

        @event.listens_for(engine, "connect")
        def connected(connection: DBAPIConnection, record: object) -> None:
            cursor = connection.cursor()
            if to_write:
                if cursor.execute(_IS_OURS).fetchone()[0]:  # else it is refused, and stays as it is
                    cursor.execute("PRAGMA journal_mode=WAL")  # readers and a writer at once
                cursor.execute("PRAGMA synchronous=FULL")  # a commit outlives the machine's power
                cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if to_write else "BEGIN")

        return engine

    def _open_server(self, *, to_write: bool) -> Engine:
        options = "" if to_write else READING
        arguments: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": SILENT_S * 1000,
            "keepalives_idle": SILENT_S,
            "application_name": "har-history",
            **({"options": options} if options else {}),
        }
        for name in arguments.keys() & self._url.query.keys():
            del arguments[name]
        try:
            return create_engine(
                self._url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments
            )
        except ModuleNotFoundError as error:
            raise HistoryError(
                f"PostgreSQL needs {error.name}: pip install 'har-stream[history]'"
            ) from error


def is_still(file: Path) -> bool:
    """Return whether a database of SQLite is where we cannot write, and nobody has it open.

    To read one that others write to, SQLite needs files beside it, ``-wal`` and ``-shm``. Who
    writes has made them; else we would have to. A backup on a medium that is read only has none.
    """
    return not os.access(file.parent, os.W_OK) and not Path(f"{file}-wal").exists()


def _make(file: Path) -> None:
    """Make the file and its folder, unless they are there.

    Raises:
        HistoryError: they cannot be made.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise HistoryError(
            f"{file}: the history cannot be kept here: {error.strerror}; "
            "give --database a file that can be written to"
        ) from error
