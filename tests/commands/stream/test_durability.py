"""When dropped messages are acknowledged, and what that costs the others.

The rest of durability is tested from outside, in tests/end_to_end/durability.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pytest

from pipeline.commands.stream.durability import Durability
from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.messages import Message, Receipt
from pipeline.mqtt.connection import Connection
from pipeline.state.acknowledgements import Keeper
from pipeline.state.checkpoint import StateFolder

MOST_WAITING = 40


class Dropping:
    """What a connection is to `Durability`: it drops messages, and is told of acknowledgements."""

    def __init__(self) -> None:
        """Begin with nothing dropped."""
        self.surplus: list[Message] = []
        self.acknowledged: list[Receipt] = []

    def take_surplus(self) -> list[Message]:
        """Return the messages that were dropped."""
        surplus, self.surplus = self.surplus, []
        return surplus

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Note acknowledgements."""
        self.acknowledged += receipts

    def await_confirmations(self, most: int, *, timeout_s: float) -> bool:
        """Return that everything was confirmed."""
        return True


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """A keeper of a checkpoint every 1,000 seconds, at second 0 first."""
    with StateFolder(tmp_path / "state") as folder:
        yield Keeper(folder, period_s=1000.0)


@pytest.fixture
def connection() -> Dropping:
    """A connection that drops messages."""
    return Dropping()


@pytest.fixture
def durability(keeper: Keeper, connection: Dropping) -> Durability:
    """The keeper and the connection, joined."""
    joined = cast(Connection, connection)
    return Durability(keeper, joined, MachineClock(), most_waiting=MOST_WAITING)


def messages(first: int, n: int) -> list[Message]:
    """Return messages at QoS 1."""
    return [Message("har/a/samples", b"%d" % mid, 100.0, mid) for mid in range(first, first + n)]


def keep(durability: Durability, keeper: Keeper, now: float) -> None:
    """Let a checkpoint be written if one is due, and messages be acknowledged that it holds."""
    durability.keep(dict, now)
    while keeper.overdue_s(now + 10_000.0):  # one is being written
        durability.keep(dict, now)


def test_dropped_messages_wait_for_a_checkpoint(
    durability: Durability, keeper: Keeper, connection: Dropping
) -> None:
    """They are acknowledged with those that were taken, and known if they come again."""
    dropped, [taken] = messages(1, 2), messages(3, 1)
    connection.surplus += dropped
    durability.note(taken, is_final=True)
    keep(durability, keeper, 0.0)
    assert {one.receipt for one in (*dropped, taken)} == set(connection.acknowledged)
    again = Message(dropped[0].topic, dropped[0].payload, 200.0, dropped[0].mid, dup=True)
    assert keeper.knows(again)


def test_a_flood_hastens_checkpoints(
    durability: Durability, keeper: Keeper, connection: Dropping
) -> None:
    """Another is begun when the messages that are in none are a quarter of those that may wait."""
    durability.note(*messages(1, 1), is_final=True)
    keep(durability, keeper, 0.0)
    connection.surplus += messages(2, MOST_WAITING // 4)
    keep(durability, keeper, 1.0)
    assert 1 == keeper.n_written
    connection.surplus += messages(2 + MOST_WAITING // 4, 1)
    keep(durability, keeper, 2.0)
    assert 2 == keeper.n_written
    assert MOST_WAITING // 4 + 2 == len(connection.acknowledged)


def test_others_do_not_hasten_checkpoints(durability: Durability, keeper: Keeper) -> None:
    """However many messages are taken, a checkpoint is due as often as is set."""
    durability.note(*messages(1, 1), is_final=True)
    keep(durability, keeper, 0.0)
    for message in messages(2, MOST_WAITING):
        durability.note(message, is_final=True)
    keep(durability, keeper, 1.0)
    assert 1 == keeper.n_written
    keep(durability, keeper, 1000.0)
    assert 2 == keeper.n_written


def test_at_the_end_all_that_was_dropped_is_acknowledged(
    durability: Durability, connection: Dropping
) -> None:
    """The broker has no reason to send it again to the next har-stream."""
    connection.surplus += messages(1, 3)
    durability.leave(dict)
    assert [one.receipt for one in messages(1, 3)] == connection.acknowledged
