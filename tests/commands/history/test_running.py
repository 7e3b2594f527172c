import json
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.commands.history.address import DatabaseAddress
from pipeline.commands.history.records import Row
from pipeline.commands.history.versions import prepare, put
from pipeline.messages import Message
from tests.client import TIMEOUT_S, MqttClient
from tests.commands.history.published import MONDAY, content, episode, prediction, rows_of

if TYPE_CHECKING:
    from tests.brokers import Broker, Mosquitto
    from tests.postgresql import PostgreSQL
    from tests.processes import Running

    Start = Callable[..., Running]

pytestmark = pytest.mark.broker
READY = "connected to"


def results(n: int, *, first: int = 0) -> list[Message]:
    """Return what har-stream publishes of four phones, in its order: mostly predictions."""
    messages = []
    for k in range(first, first + n):
        device, at = f"phöne {k % 4}", MONDAY + 1.28 * (k // 4)
        messages.append(prediction(device, at))
        if k % 20 < 4:
            messages.append(episode(device, at, at + 1))
    return messages


def send(client: MqttClient, messages: list[Message]) -> None:
    """Publish messages; some of them come twice, as after a crash of har-stream."""
    choice = random.Random(len(messages))
    for message in messages:
        for _ in range(choice.choice((1, 1, 1, 2))):
            client.send(message.topic, message.payload)


def await_rows(address: DatabaseAddress, rows: set[Row], *, at_least: int | None = None) -> None:
    """Return when a database has just these rows, or so many of them."""
    engine = address.open(to_write=False)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while True:
            try:
                found = content(engine)
            except DBAPIError:  # it is away, or has no tables yet
                found = set()
            assert found <= rows
            if found == rows or (at_least is not None and len(found) >= at_least):
                return
            assert time.monotonic() < deadline, f"{len(found)} of {len(rows)} rows"
            time.sleep(0.02)
    finally:
        engine.dispose()


@pytest.fixture
def start_history(start_command: "Start", database: str) -> "Start":
    """A function that starts a har-history on the database, and awaits its connection."""

    def start(broker: "Broker", *flags: str, await_text: str = READY) -> "Running":
        running = start_command("har-history", "run", *broker.flags, *flags, HAR_DATABASE=database)
        running.await_log(await_text)
        return running

    return start


@pytest.fixture
def client(own_mosquitto: "Mosquitto") -> Iterator[MqttClient]:
    """A client of a Mosquitto with the settings it has by default, as har-stream."""
    own_mosquitto.start()
    with MqttClient(own_mosquitto) as client:
        yield client


BAD = [
    ("har/phone-1/prediction", b"\x00garbage"),
    ("har/phone-1/prediction", b'{"device": "phone-1", "start": NaN}'),
    ("har/phone-1/episode", episode("phone-1", activity="W\x00").payload),
    ("har/phone-1/episode", episode("phone-1", start=1e300, end=1e301).payload),
    ("har/phone-1/episode", episode("another").payload),
    (f"har/{'x' * 300}/episode", episode("x" * 300).payload),
    ("har/phone-1/prediction", b"[" + b" " * 200_000 + b"]"),
]


def test_bad_messages_hold_up_nothing(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_history: "Start",
    address: DatabaseAddress,
) -> None:
    """They are counted by reason and acknowledged; all else is written, also behind them."""
    running = start_history(own_mosquitto)
    good = results(100)
    for k, message in enumerate(good):
        client.send(message.topic, message.payload)
        if k < 5:
            for bad in BAD:
                client.send(*bad)
    await_rows(address, {*rows_of(*good)})
    assert 0 == running.end()
    assert (
        "stopped: 100 predictions and 20 episodes written, 35 rejected messages "
        "(device 10, field 5, json 10, size 5, time 5)"
    ) in running.log
    # Each reason once of each topic: of one there are two.
    assert 6 == running.log.count("rejected a message of")
    assert "s3cret" not in running.log
    again = start_history(own_mosquitto)  # the broker has nothing left to send
    assert 0 == again.end()
    assert "stopped: 0 predictions and 0 episodes written, 0 rejected messages" in again.log


def test_minutes_of_today(
    client: MqttClient, own_mosquitto: "Mosquitto", start_history: "Start"
) -> None:
    """They are published for Home Assistant where that is asked for, of what goes on as well."""
    running = start_history(own_mosquitto, "--home-assistant", "--zone", "UTC")
    client.subscribe("har/history", "har/p/today", "homeassistant/#")
    client.await_message("har/history", b"online")  # what is retained before that is of any time
    activity = {"activity": "SITTING", "since": time.time() - 90, "probability": 0.9}
    client.publish("har/p/activity", json.dumps(activity), retain=True)
    announced, _ = client.await_message("homeassistant/device/har-history_p/config")
    assert ["SITTING"] == [*json.loads(announced)["components"]]
    minutes = json.loads(client.await_message("har/p/today")[0])["minutes"]
    assert ["SITTING"] == [*minutes]
    client.publish("har/p/activity", b"{}")
    running.await_log("rejected a message")
    assert 0 == running.end()
    assert "1 rejected messages (field 1)" in running.log
    again = start_history(own_mosquitto)  # the session has the subscription still
    client.publish("har/p/activity", b"{}")
    assert 0 == again.end()
    assert "0 rejected messages" in again.log


def test_a_killed_writer_has_lost_nothing(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_history: "Start",
    address: DatabaseAddress,
) -> None:
    """Killed again and again in the middle of the messages, it ends with the same tables."""
    messages = results(1200)
    rows = {*rows_of(*messages)}
    running = start_history(own_mosquitto)
    part = len(messages) // 4
    for k in range(4):
        send(client, messages[k * part : None if k == 3 else (k + 1) * part])
        await_rows(address, rows, at_least=len(rows) * (2 * k + 1) // 8)
        running.end(signal.SIGKILL)
        running = start_history(own_mosquitto)
    await_rows(address, rows)
    assert 0 == running.end()
    assert "0 rejected messages" in running.log
    assert "forgotten our session" not in running.log


@pytest.mark.operation
def test_a_killed_postgresql_has_lost_nothing(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    own_postgresql: "PostgreSQL",
) -> None:
    """While it is away nothing is acknowledged; that is said once, and so is its return."""
    database = own_postgresql.new_database()
    address = DatabaseAddress(database)
    running = start_command("har-history", "run", *own_mosquitto.flags, HAR_DATABASE=database)
    running.await_log(READY)
    messages = results(1500)
    rows = {*rows_of(*messages)}
    third = len(messages) // 3
    send(client, messages[:third])
    await_rows(address, rows, at_least=third // 2)
    own_postgresql.kill()
    send(client, messages[third : 2 * third])
    running.await_log("cannot be used")
    own_postgresql.start()
    send(client, messages[2 * third :])
    await_rows(address, rows)
    assert 0 == running.end()
    assert 1 == running.log.count("cannot be used")
    assert 1 == running.log.count("the database can be used again")
    assert "s3cret" not in running.log
    assert "rejected messages (" not in running.log


@pytest.mark.operation
def test_it_waits_for_a_database_that_is_not_there_yet(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_command: "Start",
    own_postgresql: "PostgreSQL",
) -> None:
    """As after a start of the machine; it can be stopped meanwhile."""
    database = own_postgresql.new_database()
    own_postgresql.kill()
    begin = ("har-history", "run", *own_mosquitto.flags)
    stopped = start_command(*begin, HAR_DATABASE=database)
    stopped.await_log("trying again")
    assert 0 == stopped.end()
    running = start_command(*begin, HAR_DATABASE=database)
    running.await_log("trying again")
    own_postgresql.start()
    running.await_log(READY)
    client.publish("har/a/episode", episode("a").payload)
    await_rows(DatabaseAddress(database), {*rows_of(episode("a"))})
    assert 0 == running.end()


def test_a_killed_broker_sends_again(
    lasting_mosquitto: "Mosquitto", start_command: "Start", tmp_path: Path
) -> None:
    """What it had saved and sent, but was not written yet, comes again and is there once."""
    file = tmp_path / "history.sqlite"
    address = DatabaseAddress(str(file))
    messages = results(400)
    rows = {*rows_of(*messages)}
    half = len(messages) // 2
    lasting_mosquitto.start()
    with MqttClient(lasting_mosquitto, session="har-stream") as client:
        running = start_command(
            "har-history", "run", *lasting_mosquitto.flags, "--database", str(file)
        )
        running.await_log(READY)
        send(client, messages[: half // 2])
        await_rows(address, {*rows_of(*messages[: half // 2])})
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # so that nothing more can be written
            send(client, messages[half // 2 : half])
            client.publish("har/somebody/else", b"")  # the broker has all before
            lasting_mosquitto.save()
            lasting_mosquitto.stop(signal.SIGKILL)
            running.await_log("connection lost")
            other.execute("ROLLBACK")
        lasting_mosquitto.start()
        running.await_log(READY, times=2)
        send(client, messages[half:])
        await_rows(address, rows)
    assert 0 == running.end()
    assert "rejected messages (" not in running.log


def test_what_comes_while_it_is_not_running_is_kept(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_history: "Start",
    address: DatabaseAddress,
) -> None:
    """The broker keeps it, for the next start on the same database."""
    assert 0 == start_history(own_mosquitto).end()
    messages = results(50)
    send(client, messages)
    client.publish("har/somebody/else", b"")
    running = start_history(own_mosquitto)
    await_rows(address, {*rows_of(*messages)})
    assert 0 == running.end()


def test_two_on_one_database(own_mosquitto: "Mosquitto", start_history: "Start") -> None:
    """For the broker they are the same client: the later stays, the other says why it ends."""
    own_mosquitto.start()
    first = start_history(own_mosquitto)
    second = start_history(own_mosquitto)
    assert 1 == first.process.wait(TIMEOUT_S)
    assert "another program has taken our place" in first.log
    assert "has it our --database, or a copy of it?" in first.log
    assert 0 == second.end()


def test_old_rows_go(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_history: "Start",
    address: DatabaseAddress,
) -> None:
    """Rows that are older than they may be are deleted while others are written."""
    first = start_history(own_mosquitto)
    now = round(time.time(), 3)
    old = [prediction("a", now - 40 * 86_400), episode("a", now - 500 * 86_400, now - 500 * 86_399)]
    new = [prediction("a", now), episode("a", now - 40 * 86_400, now - 40 * 86_399)]
    send(client, [*old, *new])
    await_rows(address, {*rows_of(*old, *new)})
    assert 0 == first.end()
    running = start_history(own_mosquitto, "--keep", "400d", "--keep-predictions", "30d")
    engine = address.open(to_write=False)
    deadline = time.monotonic() + TIMEOUT_S
    while content(engine) != {*rows_of(*new)}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    engine.dispose()
    assert 0 == running.end()


def test_episodes_alone(
    client: MqttClient,
    own_mosquitto: "Mosquitto",
    start_history: "Start",
    address: DatabaseAddress,
) -> None:
    """With ``--keep-predictions 0d`` no prediction is kept, neither of before nor of now."""
    first = start_history(own_mosquitto)  # the broker's session has the topic from now on
    send(client, [prediction("a")])
    await_rows(address, {*rows_of(prediction("a"))})
    assert 0 == first.end()
    running = start_history(own_mosquitto, "--keep-predictions", "0d")
    send(client, [prediction("b"), prediction("c"), episode("b")])
    engine = address.open(to_write=False)
    deadline = time.monotonic() + TIMEOUT_S
    while content(engine) != {*rows_of(episode("b"))}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    engine.dispose()
    assert 0 == running.end()
    assert "stopped: 0 predictions and 1 episodes written" in running.log


def test_a_newer_database_ends_it(
    own_mosquitto: "Mosquitto", start_command: "Start", engine: Engine, database: str
) -> None:
    """With a line that says what to do, and without the password."""
    own_mosquitto.start()
    with engine.begin() as connection:
        put(connection, "version", "99")
    running = start_command("har-history", "run", *own_mosquitto.flags, HAR_DATABASE=database)
    assert 1 == running.process.wait(TIMEOUT_S)
    assert "is of version 99, and this har-history knows 1: upgrade har-stream" in running.log
    assert "s3cret" not in running.log


@pytest.mark.operation
def test_what_waiting_does_not_mend_ends_it(
    start_command: "Start", postgresql: "PostgreSQL", tmp_path: Path
) -> None:
    """A file of something else, or a user who may make no tables: exit code 1, and the reason."""
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear database,\n" * 100)
    database = postgresql.new_database()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    as_guest = "postgresql://guest:guest@" + database.partition("@")[2]
    for given, reason in (
        (str(letter), f"har-history: {letter}: file is not a database"),
        (as_guest, "permission denied for schema public"),
    ):
        running = start_command("har-history", "run", "--broker", "127.0.0.1", HAR_DATABASE=given)
        assert 1 == running.process.wait(TIMEOUT_S)
        assert reason in running.log
        assert ":guest@" not in running.log


def test_a_full_disk_loses_nothing(
    client: MqttClient, own_mosquitto: "Mosquitto", start_command: "Start", tmp_path: Path
) -> None:
    """While SQLite cannot write, nothing is acknowledged; once it can, nothing is missing."""
    file = tmp_path / "history.sqlite"
    address = DatabaseAddress(str(file))
    engine = address.open(to_write=True)
    prepare(engine)
    messages = results(2000)
    running = start_command("har-history", "run", *own_mosquitto.flags, "--database", str(file))
    running.await_log(READY)
    limit = file.stat().st_size + 40_000
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    send(client, messages)
    running.await_log("cannot be used")
    resource.prlimit(
        running.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    await_rows(address, {*rows_of(*messages)})
    assert 0 == running.end()
    assert "the database can be used again" in running.log
