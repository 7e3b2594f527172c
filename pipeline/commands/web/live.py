"""All that the pages show, kept up to date from the broker, and who looks at it.

Runs in the event loop. Ten times a second there is a pulse: what has come is put in order, and
every browser that has taken what it got before gets what is new.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from pipeline.commands.web.fleet import LEAVES, MOST_PHONES, Fleet
from pipeline.commands.web.metrics import Counts
from pipeline.commands.web.opened import Opened
from pipeline.commands.web.signals import Kept, RawSignals, watched_by
from pipeline.event_log import EventLog
from pipeline.log_intervals import LogIntervals
from pipeline.messages import Message
from pipeline.program_topics import LOAD_TOPIC, STATUS_TOPIC
from pipeline.readings import MessageError
from pipeline.subscriptions import Subscription

logger = EventLog(__name__)

PULSE_S: Final = 0.1
"""Browsers get at most ten frames a second"""
CONFIRMED_S: Final = 15.0
"""Within which everything retained, or a heartbeat, has come over a new connection"""
EXPIRE_S: Final = 5.0
LOG_INTERVAL_S: Final = 10.0
"""The same complaint about a topic is logged at most this often."""

RESULT_TOPICS: Final = tuple(f"har/+/{leaf}" for leaf in LEAVES)
OPTIONAL_TOPICS: Final = ("har/+/label", "har/+/calibration")
"""Of those, what the pages can do without"""


class Viewer(Protocol):
    """Somebody who looks."""

    watched: Sequence[str]
    """Phones of which the raw signals are wanted"""
    opened: str | None
    """The phone of which everything is wanted"""

    def pulse(self) -> None:
        """Look whether there is something new."""

    def heard(self, device: str, leaf: str, payload: bytes) -> None:
        """Hear of a message about a phone as soon as it comes."""


class Live:
    """The state that all browsers share."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        """Begin with nothing known."""
        self.fleet = Fleet()
        kept = Kept(subscriptions)
        self._kept = kept
        self.signals = RawSignals(kept)
        self.opened = Opened(kept)
        self._viewers: set[Viewer] = set()
        self._n_connections = 0
        self._connected_at: float | None = None  # monotonic seconds
        self._next_expiry = 0.0
        self._n_left_out = 0  # as was logged last
        self._log_intervals = LogIntervals(LOG_INTERVAL_S)
        self.counts = Counts()

    def take(self, messages: Sequence[Message], n_connections: int, is_up: bool) -> None:
        """Take a batch of the broker's messages, and how the connection is."""
        if n_connections != self._n_connections:
            self._n_connections, self._connected_at = n_connections, time.monotonic()
        self.fleet.set_link(n_connections, is_up=is_up)
        epoch = time.time() - time.monotonic()
        for message in messages:
            try:
                self._take(message, message.received + epoch)
            except MessageError as error:
                if not self._log_intervals.are_over(error.reason, message.topic, message.received):
                    continue
                logger.warning(
                    "message-passed-over",
                    "passed over on %(topic).100r: %(error)s",
                    topic=message.topic,
                    error=error,
                )
            except Exception as error:  # whatever it is, it must not touch other phones
                logger.error(
                    "page-update-failed",
                    "failed on a message on %(topic).100r",
                    topic=message.topic,
                    cause=error,
                )

    async def run(self, on_pulse: Callable[[], None]) -> None:
        """Let the pulse beat until cancelled; ``on_pulse`` is called each time."""
        while True:
            await asyncio.sleep(PULSE_S)
            try:
                self._keep(time.monotonic())
            except Exception as error:  # whatever it is, the pages must not stand still
                logger.error(
                    "pages-upkeep-failed", "failed to put in order what has come", cause=error
                )
            for viewer in self._viewers:
                viewer.pulse()
            on_pulse()

    @contextlib.contextmanager
    def viewed_by(self, viewer: Viewer) -> Iterator[None]:
        """Have somebody look, as long as the context lasts."""
        self._viewers.add(viewer)
        try:
            yield
        finally:
            self._viewers.discard(viewer)
            self.look()

    def look(self) -> None:
        """Heed what the viewers look at now."""
        self.signals.watch(watched_by(viewer.watched for viewer in self._viewers))
        opened = dict.fromkeys(v.opened for v in self._viewers if v.opened is not None)
        for device in self.opened.open(list(opened)):
            self._place(device)
            self.opened.begin(device)

    def _keep(self, now: float) -> None:
        """Put in order what has come, and forget what is old; ``now`` is monotonic seconds."""
        if now >= self._next_expiry:
            self._next_expiry = now + EXPIRE_S
            self._kept.expire(time.time())
            self._log_left_out()
        if self._connected_at is not None and now - self._connected_at > CONFIRMED_S:
            self._connected_at = None
            self.fleet.forget_unseen()
        self.signals.advance()

    def _log_left_out(self) -> None:
        if self.fleet.n_left_out > self._n_left_out:
            self._n_left_out = self.fleet.n_left_out
            logger.warning(
                "phones-not-shown",
                "%(n_messages)d messages are about phones beyond the first %(most)d, which are not "
                "shown",
                n_messages=self._n_left_out,
                most=MOST_PHONES,
            )

    def _take(self, message: Message, now: float) -> None:
        levels = message.topic.split("/")
        if len(levels) == 3 and levels[0] == "har" and levels[2] in LEAVES:
            device, leaf = levels[1], levels[2]
            payload = message.payload
            self.fleet.take(device, leaf, payload, received=message.received, now=now)
            if leaf in ("info", "calibration"):
                self._place(device)
            if leaf not in ("prediction", "episode"):
                for viewer in self._viewers:
                    viewer.heard(device, leaf, payload)
        elif message.topic == STATUS_TOPIC:
            self.fleet.set_stream(message.payload.decode(errors="replace"))
        elif message.topic == LOAD_TOPIC:
            self.fleet.set_load(message.payload)
        elif (taken := self._kept.take(message, now)) is not None:
            device, kept = taken
            self.fleet.note_samples(device, message.received)
            self.signals.take(device, kept)
            self.opened.take(device, kept)

    def _place(self, device: str) -> None:
        phone = self.fleet.phones.get(device)
        if phone is not None:
            self.opened.place(device, phone.info, phone.calibration)
