"""When a message may be acknowledged: once a checkpoint holds its samples and results.

The broker sends a message again until it is acknowledged, over a new connection or to a new
process. So a message is acknowledged only when a checkpoint is on the disk that holds its samples
and all publications that the broker has not confirmed. A message that comes again although it is in
the state is recognised by its packet identifier and checksum; samples that come again in another
message, by their times (`resampler`).

A checkpoint takes processor time with each phone. However many there are, checkpoints take at most
`MOST_OF_A_CORE`: after one that took long the next comes later, and so do acknowledgements.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np

from pipeline.event_log import EventLog
from pipeline.messages import Message, Receipt
from pipeline.state.checkpoint import StateFolder

logger = EventLog(__name__)

LOG_INTERVAL_S: Final = 10.0
"""A disk's failure is logged at most this often."""
MOST_OF_A_CORE: Final = 0.1
"""Share of a core's time that checkpoints may take"""

_N_MIDS: Final = 1 << 16  # packet identifiers have 16 bits
_UNKNOWN: Final = 0  # in place of the checksum of a message


class _Written(NamedTuple):
    """A checkpoint that is on the disk."""

    n_bytes: int
    seconds: float
    """How long writing it took"""
    cpu_s: float
    """Processor time of that"""
    time_s: float
    """Epoch seconds when it was"""


class Keeper:
    """Writes checkpoints on a thread, and knows which messages are in them."""

    def __init__(self, folder: StateFolder, *, period_s: float) -> None:
        """Begin with a folder; each ``period_s`` seconds with a change a checkpoint is due.

        It is later where checkpoints take more of a core than they may.
        """
        self._folder = folder
        self._period_s = period_s
        self._known = np.zeros(_N_MIDS, np.uint32)
        """Checksum of messages in the state, by packet identifier. An acknowledgement may be lost,
        or read late: they are remembered until another message has their identifier"""
        self._known_one_by_one = self._known.data  # one is read and set much faster by this
        self._unwritten: list[Receipt] = []  # processed, and in no checkpoint yet
        self._changed = False  # since the last checkpoint was begun
        self._written: list[Receipt] = []  # in the checkpoint that is being written
        self._writing: Future[_Written] | None = None
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._begun = 0.0  # when the last one was, in monotonic seconds
        self._due = 0.0
        self._taking_cpu_s = 0.0  # for the state of the last one
        self._next_log = 0.0
        self.failure: str | None = None
        """Why the last checkpoint could not be written, None if it could"""
        self.n_written = 0
        """Checkpoints since the start"""
        self.n_failed = 0
        """Checkpoints that could not be written"""
        self.writing_s = 0.0
        """How long it took to write all those since the start"""
        self.last_bytes = 0
        """Of the last checkpoint"""
        self.last_time_s = 0.0
        """When it was on the disk, in epoch seconds; 0 before the first"""

    def knows(self, message: Message) -> bool:
        """Return whether the state already holds a message."""
        if not message.dup:
            return False
        return bool(self._known_one_by_one[message.mid] == _checksum(message))

    def note(self, message: Message) -> None:
        """Remember that a message has been processed, or was known."""
        self._changed = True
        if message.mid:
            self._known_one_by_one[message.mid] = _checksum(message)
            self._unwritten.append(message.receipt)

    def due(self, now: float) -> bool:
        """Return whether a checkpoint is to be begun; ``now`` is in monotonic seconds."""
        return self._changed and self._writing is None and now >= self._due

    def hasten(self, now: float) -> None:
        """Let the next checkpoint be due now, in monotonic seconds, or as soon as it can be."""
        self._due = min(self._due, now)

    def overdue_s(self, now: float) -> float:
        """Return for how many seconds the next checkpoint has been due, for one is being written.

        0 if none is; ``now`` is in monotonic seconds. It may be called on any thread.
        """
        return 0.0 if self._writing is None else max(now - self._due, 0.0)

    def begin(self, state: Mapping[str, Any], now: float, *, cpu_s: float = 0.0) -> None:
        """Begin to write a checkpoint of ``state``, in which nothing may change any more.

        ``cpu_s`` is the processor time that it took to take the state.
        """
        mids = np.flatnonzero(self._known)
        known = {"known_mids": mids.astype(np.uint16), "known_checksums": self._known[mids]}
        self._written, self._unwritten, self._changed = self._unwritten, [], False
        self._writing = self._writer.submit(self._save, {**state, **known})
        self._begun, self._due, self._taking_cpu_s = now, now + self._period_s, cpu_s

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the known messages of a checkpoint's state."""
        self._known[:] = _UNKNOWN
        self._known[state["known_mids"]] = state["known_checksums"]

    def saved(self, now: float, *, wait: bool = False) -> list[Receipt]:
        """Return the messages that a checkpoint on the disk now holds, in the order of `note`.

        With ``wait`` the checkpoint that is being written is waited for. If it cannot be written,
        that is logged, and its messages wait for the next checkpoint.
        """
        if self._writing is None or not (wait or self._writing.done()):
            return []
        writing, self._writing = self._writing, None
        written, self._written = self._written, []
        try:
            checkpoint = writing.result()
        except OSError as error:
            self.n_failed += 1
            self._unwritten, self._changed = written + self._unwritten, True
            self.failure = f"the state cannot be saved: {error.strerror}"
            if now >= self._next_log:
                self._next_log = now + LOG_INTERVAL_S
                logger.error(
                    "checkpoint-failed",
                    "%(path)s cannot be written: %(error)s; nothing is acknowledged until it can",
                    path=self._folder.checkpoint,
                    error=error.strerror,
                )
            return []
        self.failure = None
        self.n_written += 1
        self.writing_s += checkpoint.seconds
        cpu_s = self._taking_cpu_s + checkpoint.cpu_s
        self._due = max(self._due, self._begun + cpu_s / MOST_OF_A_CORE)
        self.last_bytes, self.last_time_s = checkpoint.n_bytes, checkpoint.time_s
        return written

    @property
    def unsaved(self) -> int:
        """How many messages are in no checkpoint yet."""
        return len(self._unwritten) + len(self._written)

    def _save(self, state: Mapping[str, Any]) -> _Written:
        """Write a checkpoint, on the thread that does.

        Raises:
            OSError: it cannot be written.
        """
        begun, cpu_before = time.monotonic(), time.thread_time()
        n_bytes = self._folder.save(state)
        cpu_s = time.thread_time() - cpu_before
        return _Written(n_bytes, time.monotonic() - begun, cpu_s, time.time())


def _checksum(message: Message) -> int:
    """Return a checksum of topic and payload, which is not `_UNKNOWN`."""
    return crc32(message.payload, crc32(message.topic.encode())) or 1
