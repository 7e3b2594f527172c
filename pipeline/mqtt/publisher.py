"""Publications, sent within what the broker offers.

By MQTT 5 the broker announces its limits at the login; some brokers show theirs only by ending the
connection. A publication that is too large for the broker is dropped, one that it refuses is lost:
both are logged, but not each time.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from pipeline.event_log import EventLog
from pipeline.messages import Confirmation, Publication
from pipeline.mqtt.outbox import Outbox
from pipeline.mqtt.paho_client import AT_LEAST_ONCE, Announcement, reason_name
from pipeline.mqtt.reasons import NO_QOS, NO_RETAIN, REFUSED

logger = EventLog(__name__)

MOST_IN_FLIGHT: Final = 1_000
"""Publications that may be on their way, if the broker does not say"""
DROPPED_EVERY_S: Final = 60.0
"""Publications that are too large for the broker are logged at most this often."""


MOST_PROGRESS: Final = 2_000
"""Answers of the broker of which the time is kept, until the caller takes them"""


class Progress(NamedTuple):
    """How far the broker had come at a time."""

    n_done: int
    """Publications that were confirmed by then, or given up"""
    at: float
    """Monotonic seconds"""


class PublicationCounts(NamedTuple):
    """Publications since the start, and how they are."""

    made: int
    unconfirmed: int
    """Of those made, not confirmed yet"""
    refused: int
    """Of those made, refused by the broker (MQTT 5)"""
    too_large: int
    """Of those made, given up because the broker does not take so much at once"""
    stalled_s: float
    """Seconds since the broker confirmed any, while some waited for it; 0 if none waits"""


class Publisher:
    """Sends publications until the broker confirms them; not safe for two threads at once."""

    def __init__(
        self, send: Callable[[bytes], None], *, v5: bool, address: str, username: str | None
    ) -> None:
        """Begin with nothing to publish.

        Args:
            send: sends packets over the present connection.
            v5: the connection speaks MQTT 5.
            address: host and port of the broker, for people.
            username: who publishes, for people.
        """
        self._packets_out = send
        self._address, self._username = address, username
        self._outbox = Outbox(v5=v5)
        self._most_in_flight = MOST_IN_FLIGHT
        self._unsupported: set[int] = set()
        """Features that the broker has announced to lack, by reason code"""
        self._learned_most_bytes = sys.maxsize
        """Of a packet, as far as the broker has ended connections because of larger ones"""
        self._n_dropped = 0
        """Publications that were too large for the broker"""
        self._n_dropped_logged = 0
        self._last_dropped = ("", 0)  # topic and bytes
        self._next_dropped_log = 0.0  # monotonic seconds
        self._refusals: set[int] = set()
        """Reason codes that were logged"""
        self._n_refused = 0
        self._n_made = 0
        self._progress: deque[Progress] = deque(maxlen=MOST_PROGRESS)
        self._awaited_since = 0.0
        """When there was last something to await, or a confirmation came, in monotonic seconds"""

    def __len__(self) -> int:
        """How many publications are not confirmed."""
        return len(self._outbox)

    @property
    def counts(self) -> PublicationCounts:
        """Publications since the start."""
        unconfirmed = len(self._outbox)
        stalled_s = time.monotonic() - self._awaited_since if unconfirmed else 0.0
        return PublicationCounts(
            self._n_made, unconfirmed, self._n_refused, self._n_dropped, stalled_s
        )

    def take_progress(self) -> list[Progress]:
        """Return how far the broker came since this was called last, in the order of time."""
        progress = list(self._progress)
        self._progress.clear()
        return progress

    @property
    def unconfirmed(self) -> list[Publication]:
        """The publications that are not confirmed, in their order."""
        return self._outbox.publications

    def begin_again(self, announced: Announcement) -> None:
        """Keep to what the broker announces at a login (MQTT 5, 3.2.2.3), and send all anew."""
        most = announced.receive_maximum
        self._most_in_flight = MOST_IN_FLIGHT if most is None else max(1, most)
        most_bytes = announced.maximum_packet_bytes
        self._outbox.most_bytes = self._learned_most_bytes if most_bytes is None else most_bytes
        self._unsupported = set()
        if not announced.retain_available:
            self._unsupported.add(NO_RETAIN)
        if announced.maximum_qos < AT_LEAST_ONCE:
            self._unsupported.add(NO_QOS)
        self._outbox.begin_again()

    def add(self, publications: Iterable[Publication]) -> None:
        """Take publications, to be sent in this order."""
        before = len(self._outbox)
        if not before:
            self._awaited_since = time.monotonic()
        self._outbox.add(publications)
        self._n_made += len(self._outbox) - before

    def lacking(self, publications: Sequence[Publication]) -> list[int]:
        """Return reason codes for what these need and the broker does not offer."""
        if not publications:
            return []
        lacking = set(self._unsupported)
        if not any(publication.retain for publication in publications):
            lacking.discard(NO_RETAIN)
        return sorted(lacking)

    def send(self) -> bool:
        """Send what may be sent; return whether any was dropped."""
        self._packets_out(self._outbox.packets(self._most_in_flight))
        return self._note_dropped()

    def confirm(self, confirmations: Iterable[Confirmation]) -> None:
        """Note what the broker has confirmed, and log what it refuses, each reason once."""
        for confirmation in confirmations:
            self._outbox.confirm(confirmation.mid)
            code = confirmation.reason
            if code < REFUSED:
                continue
            self._n_refused += 1
            if code not in self._refusals:  # in MQTT 5 alone
                self._refusals.add(code)
                logger.error(
                    "publication-refused",
                    "%(broker)s refuses what is published: %(reason)s; may %(username)s write "
                    "there?",
                    broker=self._address,
                    reason=reason_name(code),
                    username=self._username or "anybody",
                )
        self._note_progress()

    def drop_largest(self) -> bool:
        """Drop the largest that is on its way: the broker ends the connection because of its size.

        Return whether there was any.
        """
        self._outbox.drop_largest()
        self._learned_most_bytes = self._outbox.most_bytes
        return self._note_dropped()

    def log_dropped(self) -> None:
        """Log how many publications were too large, if more were than the last time."""
        if self._n_dropped == self._n_dropped_logged:
            return
        self._n_dropped_logged = self._n_dropped
        self._next_dropped_log = time.monotonic() + DROPPED_EVERY_S
        topic, n_bytes = self._last_dropped
        logger.error(
            "publication-too-large",
            "%(broker)s takes no packets of more than %(most_bytes)d bytes: %(n_lost)d of ours are "
            "lost so far, the last one on %(topic)s, of %(n_bytes)d bytes; raise the broker's "
            "max_packet_size",
            broker=self._address,
            most_bytes=self._outbox.most_bytes,
            n_lost=self._n_dropped,
            topic=topic,
            n_bytes=n_bytes,
        )

    def _note_progress(self) -> None:
        """Note how far the broker has come now."""
        self._awaited_since = time.monotonic()
        self._progress.append(Progress(self._n_made - len(self._outbox), self._awaited_since))

    def _note_dropped(self) -> bool:
        """Count the publications that were too large, and log them now and then."""
        dropped = self._outbox.dropped
        if not dropped:
            return False
        self._n_dropped += len(dropped)
        self._note_progress()
        self._last_dropped = dropped[-1]
        dropped.clear()
        if time.monotonic() >= self._next_dropped_log:
            self.log_dropped()
        return True
