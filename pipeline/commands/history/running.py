"""har-history run: joins database, broker and `HistoryWriter`, and runs until a signal."""

import signal
import threading
from functools import partial
from types import FrameType
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from pipeline.commands.history.address import DatabaseAddress, HistoryError
from pipeline.commands.history.days import zone_of
from pipeline.commands.history.deletion import Retention
from pipeline.commands.history.metrics import history_families
from pipeline.commands.history.opening import address_of
from pipeline.commands.history.records import TOPICS
from pipeline.commands.history.settings import HistoryRunSettings
from pipeline.commands.history.todays import TODAY_TOPICS, Todays
from pipeline.commands.history.versions import get, prepare, put
from pipeline.commands.history.writer import MOST_WAITING, HistoryWriter, Pauses
from pipeline.commands.monitoring.broker import broker_checks
from pipeline.commands.monitoring.monitor import Monitor
from pipeline.event_log import EventLog
from pipeline.mqtt.connection import Connection
from pipeline.mqtt.events import Session
from pipeline.program_topics import HISTORY_TOPIC

logger = EventLog(__name__)

CLOSE_TIMEOUT_S: Final = 5.0
_SESSION_BEGUN: Final = "session_begun"


def run(settings: HistoryRunSettings, monitor: Monitor) -> None:
    """Keep what comes until a signal.

    Raises:
        HistoryError: the database cannot be used as it is.
        ConnectionError: the broker cannot be reached, and that will not pass.
    """
    address, zone = address_of(settings), zone_of(settings.zone)
    stopping = threading.Event()
    writer: HistoryWriter | None = None

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()
        if writer is not None:
            writer.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    engine = address.open(to_write=True)
    session = _session(address, engine, settings.session_expiry, stopping)
    if session is None:
        return
    keeps_predictions = settings.keep_predictions_s != 0
    topics = TOPICS if keeps_predictions else TOPICS[1:]
    connection = Connection(
        settings,
        name="har-history",
        subscriptions=[*topics, *(TODAY_TOPICS if settings.home_assistant else ())],
        optional=TODAY_TOPICS,
        status_topic=HISTORY_TOPIC,  # by which another on the same database is known
        session=session,
        most_waiting=MOST_WAITING,
    )
    retention = Retention(
        engine, keep_s=settings.keep_s, keep_predictions_s=settings.keep_predictions_s
    )
    todays = Todays(address, connection, zone=zone) if settings.home_assistant else None
    writer = HistoryWriter(
        address,
        engine,
        connection,
        retention=retention,
        keeps_predictions=keeps_predictions,
        stopping=stopping,
        on_turn=monitor.turn,
        todays=todays,
    )
    monitor.begin(
        partial(history_families, writer.counts, connection),
        {**broker_checks(connection), "database": writer.why_no_database},
    )
    logger.info("history-opened", "writing into %(database)s", database=address)
    if not stopping.is_set():
        connection.start(retry=settings.retry)
        if not (stopping.is_set() or session.expected):
            _note_session(engine)
        writer.run()
    connection.close(timeout_s=CLOSE_TIMEOUT_S)
    if todays is not None:
        todays.close()
    engine.dispose()
    logger.info("history-stopped", "stopped: %(counts)s", counts=writer.counts)


def _session(
    address: DatabaseAddress, engine: Engine, expiry_s: int, stopping: threading.Event
) -> Session | None:
    """Make the tables, and return the session with the broker; None if it is stopped meanwhile.

    The session's name is in the database: so whatever a broker keeps for it ends there.
    """
    pauses = Pauses(address, stopping)
    while not stopping.is_set():
        try:
            prepare(engine)
            with engine.begin() as connection:
                client_id = get(connection, "client_id")
                is_known = get(connection, _SESSION_BEGUN) is not None
        except HistoryError as error:
            raise HistoryError(f"{address}: {error}") from error
        except (OperationalError, InterfaceError) as error:
            pauses.wait(error)
            continue
        except DBAPIError as error:  # such as a right that is missing: waiting mends nothing
            raise HistoryError(f"{address}: {address.explain(error)}") from None
        pauses.succeeded()
        if client_id is None:
            raise HistoryError(f"{address}: is damaged: it does not name its session")
        return Session(
            client_id,
            expiry_s,
            expected=is_known,
            taken="has it our --database, or a copy of it?",
        )
    return None


def _note_session(engine: Engine) -> None:
    """Note that the broker keeps the session from now on."""
    try:
        with engine.begin() as connection:
            put(connection, _SESSION_BEGUN, "yes")
    except DBAPIError as error:  # then its loss would not be noticed, no more
        logger.debug(
            "session-not-noted", "the session cannot be noted: %(error)s", error=error.orig
        )
