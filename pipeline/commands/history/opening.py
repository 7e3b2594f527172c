"""The database of a command's settings, opened to be written or read."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.commands.history.address import DatabaseAddress, HistoryError
from pipeline.commands.history.settings import HistoryDatabaseSettings


def address_of(settings: HistoryDatabaseSettings) -> DatabaseAddress:
    """Return where the history is.

    Raises:
        HistoryError: the address is none.
    """
    given = settings.database
    return DatabaseAddress(None if given is None else given.get_secret_value())


@contextmanager
def explained(address: DatabaseAddress) -> Iterator[None]:
    """Raise what goes wrong in the context as an error that names the database and says why.

    Raises:
        HistoryError: the database cannot be used.
    """
    try:
        yield
    except HistoryError as error:
        said = str(error)
        if str(address) in said:
            raise
        raise HistoryError(f"{address}: {said}") from error
    except DBAPIError as error:
        raise HistoryError(f"{address}: {address.explain(error)}") from None


def engine_to_write(address: DatabaseAddress) -> Engine:
    """Return a database that is there already, to be changed.

    Raises:
        HistoryError: there is none.
    """
    if address.file is not None and not address.file.is_file():
        raise HistoryError(f"{address.file}: there is no history")
    return address.open(to_write=True)
