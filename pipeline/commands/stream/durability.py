"""Durability: when messages are acknowledged, so that nothing is lost.

Rules: a message is noted once it has taken effect, or was rejected for good; a checkpoint that is
begun after that holds it, and it is acknowledged when that checkpoint is on the disk. So is one
that was dropped because its sender floods; while much of what the broker may send ahead is spent on
such messages, checkpoints are begun sooner, so that nobody waits behind them. Messages that were
rejected for samples of the future are *postponed*: they stay unacknowledged and are taken again
when this machine's clock is set, unless there are too many of them.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pipeline.commands.stream.machine_clock import MachineClock
from pipeline.messages import Message
from pipeline.mqtt.connection import Connection
from pipeline.state.acknowledgements import Keeper

DELIVERY_TIMEOUT_S: Final = 5.0
"""At the end, wait so long until the broker has confirmed what was published."""

OVERDUE_S: Final = 10.0
"""A checkpoint that is due for so long, while one is being written, is not young any more"""


class Durability:
    """Joins the keeper of checkpoints with the connection."""

    def __init__(
        self, keeper: Keeper, connection: Connection, clock: MachineClock, *, most_waiting: int
    ) -> None:
        """Begin with nothing postponed; ``most_waiting`` messages may be unacknowledged."""
        self._keeper = keeper
        self._connection = connection
        self._clock = clock
        self._most_waiting = most_waiting
        self._postponed: dict[int, Message] = {}
        """Rejected, perhaps because this machine's clock is wrong; by packet identifier"""
        self._has_dropped = False
        """Messages were dropped since the last checkpoint was begun"""

    @property
    def failure(self) -> str | None:
        """Why the last checkpoint could not be written, None if it could."""
        return self._keeper.failure

    def why_not_kept(self) -> str | None:
        """Return why the last checkpoint is not young, None if it is; on any thread."""
        if self._keeper.failure is not None:
            return self._keeper.failure
        overdue_s = self._keeper.overdue_s(time.monotonic())
        if overdue_s <= OVERDUE_S:
            return None
        return f"a checkpoint is being written for {overdue_s:.0f} s longer than it should take"

    @property
    def unsaved(self) -> int:
        """How many messages are in no checkpoint yet."""
        return self._keeper.unsaved

    def to_process(self, messages: Sequence[Message], *, clock_has_jumped: bool) -> list[Message]:
        """Return the messages to process: postponed ones first, when the clock was set."""
        postponed: list[Message] = []
        if clock_has_jumped:
            postponed, self._postponed = list(self._postponed.values()), {}
        return [*postponed, *messages]

    def unknown(self, messages: Sequence[Message]) -> Iterator[list[Message]]:
        """Yield the messages that the state does not hold, in parts.

        The caller notes each part before it asks for the next: a message may come again in the same
        tick. Those that the state holds are acknowledged again.
        """
        part: list[Message] = []
        for message in messages:
            if message.dup and part:
                yield part
                part = []
            if message.dup and self._keeper.knows(message):
                self._keeper.note(message)
            else:
                part.append(message)
        if part:
            yield part

    def note(self, message: Message, *, is_final: bool) -> None:
        """Note that a message was taken, or postpone it."""
        if is_final:
            self._keeper.note(message)
            return
        self._postponed.pop(message.mid, None)
        self._postponed[message.mid] = message

    def give_up_postponed(self) -> None:
        """Give up postponed messages, once our clock is right or there are too many of them.

        The broker sends only so many messages that are not acknowledged.
        """
        if not self._postponed:
            return
        if self._clock.is_confirmed or self._connection.owed > self._most_waiting / 2:
            for message in self._postponed.values():
                self._keeper.note(message)
            self._postponed.clear()

    def keep(self, state: Callable[[], Mapping[str, Any]], now: float) -> None:
        """Acknowledge what a checkpoint holds, and begin another when it is time."""
        self._connection.acknowledge(self._keeper.saved(now))
        self._note_dropped()
        if self._has_dropped and self._keeper.unsaved > self._most_waiting / 4:
            self._keeper.hasten(now)
        if self._keeper.due(now):
            self._has_dropped = False
            before = time.thread_time()
            taken = state()
            self._keeper.begin(taken, now, cpu_s=time.thread_time() - before)

    def leave(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save the state for the next start; waiting messages stay with the broker until then."""
        self._connection.await_confirmations(0, timeout_s=DELIVERY_TIMEOUT_S)
        self._note_dropped()
        now = time.monotonic()
        self._connection.acknowledge(self._keeper.saved(now, wait=True))
        self._keeper.begin(state(), now)
        self._connection.acknowledge(self._keeper.saved(now, wait=True))

    def _note_dropped(self) -> None:
        """Note the messages that were dropped: they stay so if they come again."""
        for message in self._connection.take_surplus():
            self._keeper.note(message)
            self._has_dropped = True
