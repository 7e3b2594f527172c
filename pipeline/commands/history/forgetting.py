"""har-history forget: deletes all that is kept of a phone, while others are written on."""

from pipeline.commands.history.deletion import forget
from pipeline.commands.history.opening import address_of, engine_to_write, explained
from pipeline.commands.history.settings import HistoryForgetSettings
from pipeline.commands.history.versions import check


def forget_phone(settings: HistoryForgetSettings) -> None:
    """Delete a phone's rows, and print how many there were.

    Raises:
        HistoryError: there is no history, or it cannot be written to.
    """
    address = address_of(settings)
    with explained(address):
        engine = engine_to_write(address)
        with engine.begin() as connection:
            check(connection)
        n = forget(engine, settings.device)
        engine.dispose()
    print(f"Deleted {n} rows of {settings.device}.")
    if n:
        print("What it still sends is kept as before; backups of the database still have the rows.")
