"""How fast har-history writes: from the broker, through the command, until it is committed.

Strategy: har-history subscribes and ends; predictions of 3,000 phones are published and wait at the
broker; then it is started again, and the time counts from its connection until the database has the
last of them. Each database is held against 3,000 phones live, and against a bare executemany of the
same rows in the same run.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import Engine, func, insert, select

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.batch import MOST_ROWS
from pipeline.commands.history.records import microseconds, packed
from pipeline.commands.history.schema import MODELS, PREDICTIONS
from pipeline.commands.history.versions import prepare
from pipeline.messages import Publication
from pipeline.mqtt.connection import Connection
from pipeline.recognition.results import Prediction
from pipeline.serving.outputs import phone_topics
from pipeline.settings import BrokerSettings
from pipeline.vocabulary import ACTIVITIES
from tests.benchmarks.commands import (
    await_text,
    command,
    cpu_s,
    last_lines,
    mosquitto_process,
    start,
    stop,
)
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.postgresql import PostgreSQL, postgresql_folder

PHONES: Final = 3_000
LIVE_PER_S: Final = PHONES * 50 / 64
"""Predictions a second of so many phones: one every 64 rows"""
WINDOWS: Final = 50
"""Of each phone"""
FULL_WINDOWS: Final = 200
EPOCH: Final = 1.7e9
TIMEOUT_S: Final = 600.0
POLL_S: Final = 0.02
CONFIGURATION: Final = ("max_inflight_messages 10000", "max_queued_messages 0")
"""Of Mosquitto; the first as in deploy/, the other so that all of them can wait"""
AS_IT_COMES: Final = (
    "max_inflight_messages 20",
    "max_queued_messages 0",
)


def measure(options: Options) -> list[Figure]:
    """Return how many predictions a second come into each database.

    Raises:
        NotMeasuredError: a program is missing, or does not do what it is to.
    """
    n_windows = FULL_WINDOWS if options.full else WINDOWS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        databases = {"SQLite": str(folder / "history.sqlite")}
        bare = {"SQLite": str(folder / "bare.sqlite")}
        if postgresql_folder() is not None:
            server = PostgreSQL(is_durable=True)
            stack.callback(server.stop)
            server.start()
            databases["PostgreSQL"] = server.new_database()
            bare["PostgreSQL"] = server.new_database()
        for kind, database in databases.items():
            per_s, core = _through_the_broker(folder, database, n_windows)
            detail = (
                f"{PHONES * n_windows:,} predictions; {LIVE_PER_S:,.0f} a second of {PHONES:,} "
                f"phones live, {core:.2f} of a core"
            )
            figures.append(
                Figure(
                    "history", f"{kind}, broker to committed", per_s, "rows/s",
                    limit=LIVE_PER_S, at_least=True, detail=detail,
                    peer="bare executemany", peer_value=_bare(bare[kind], n_windows),
                    parts={"core": core},
                )
            )  # fmt: skip
    return figures


def _through_the_broker(folder: Path, database: str, n_windows: int) -> tuple[float, float]:
    """Return rows a second, and the share of a core that har-history takes live."""
    address = DatabaseAddress(database)
    (folder / "address").write_text(database)
    flags = ["run", "--broker", "127.0.0.1", "--database-file", "address"]
    with mosquitto_process(folder, CONFIGURATION) as (port, _):
        with _running([*flags, "--port", str(port)], folder):
            pass  # the broker keeps what comes from now on
        _publish(port, n_windows)
        engine = address.open(to_write=False)
        with _running([*flags, "--port", str(port)], folder) as pid:
            begun = _connected_at(folder / "har-history.log")
            while (n := _count(engine)) < PHONES * n_windows:
                if time.time() - begun > TIMEOUT_S:
                    raise NotMeasuredError(f"{n} rows: {last_lines(folder / 'har-history.log')}")
                time.sleep(POLL_S)
            seconds = time.time() - begun
            core = cpu_s(pid) / n * LIVE_PER_S
        engine.dispose()
    return n / seconds, core


@contextmanager
def _running(flags: list[str], folder: Path) -> Iterator[int]:
    """Run har-history from its connection on, and give its process id."""
    log = folder / "har-history.log"
    process = start([*command("har-history"), *flags], folder, log=log.name)
    try:
        await_text(log, "connected to", process, log)
        yield process.pid
    finally:
        stop(process)


def _connected_at(log: Path) -> float:
    """Return when har-history was connected last, in epoch seconds, as its log says."""
    line = next(line for line in log.read_text().splitlines() if "connected to" in line)
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(PREDICTIONS)) or 0


def _predictions(n_windows: int) -> Iterator[Prediction]:
    """Yield the predictions of all phones, window by window."""
    choice = np.random.default_rng(1)
    for window in range(n_windows):
        probabilities = choice.dirichlet(np.full(len(ACTIVITIES), 0.2), PHONES).astype("f4")
        for phone in range(PHONES):
            first = EPOCH + window * 1.28 + phone / 1e4
            yield Prediction(
                f"phone-{phone}", first, first + 2.54, int(probabilities[phone].argmax()),
                probabilities[phone], False, ACTIVITIES, "cnn-lstm@1a2b3c4d",
            )  # fmt: skip


def _publish(port: int, n_windows: int) -> None:
    settings = BrokerSettings.model_validate({"broker": "127.0.0.1", "port": port})
    connection = Connection(settings, name="har-stream", subscriptions=[])
    connection.start(retry=False)
    publications: list[Publication] = phone_topics.predictions(list(_predictions(n_windows)))
    connection.publish_all(publications)
    if not connection.await_confirmations(0, timeout_s=TIMEOUT_S):
        raise NotMeasuredError("the broker does not take the predictions")
    connection.close(timeout_s=5.0)


def _bare(database: str, n_windows: int) -> float:
    """Return rows a second of a bare executemany, in as large portions."""
    engine = DatabaseAddress(database).open(to_write=True)
    prepare(engine)
    with engine.begin() as connection:
        connection.execute(insert(MODELS).values(id=1, model="m", activities="[]"))
    rows = [
        {
            "device": one.device,
            "start": microseconds(one.start),
            "end": microseconds(one.end),
            "activity": one.activity,
            "probability": float(one.probabilities[one.label]),
            "probabilities": packed(one.probabilities.tolist()),
            "settling": one.settling,
            "model_id": 1,
        }
        for one in _predictions(n_windows)
    ]
    begun = time.monotonic()
    for first in range(0, len(rows), MOST_ROWS):
        with engine.begin() as connection:
            connection.execute(insert(PREDICTIONS), rows[first : first + MOST_ROWS])
    seconds = time.monotonic() - begun
    engine.dispose()
    return len(rows) / seconds


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "how fast har-history writes")


if __name__ == "__main__":
    main()
