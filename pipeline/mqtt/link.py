"""The state of the link to the broker, and how long to wait before the next attempt.

    CLOSED ──► OPENED ──► ANSWERED ──► LOGGED_IN ──► READY
      ▲          │           │             │           │
      └──────────┴───────────┴─────────────┴───────────┘  any failure

and from each of them to ENDED, for good. `Link` makes all transitions:

* A step forward is made only from the state before, which reveals a broker that answers what nobody
  has asked.
* A failure leads to CLOSED, and to another attempt later. Until the link was READY once, the
  caller may have asked for one attempt only, and a failure that trying again cannot mend is final.
  Afterwards it is not, so that clients need not be restarted after a broker is reconfigured.
* The more attempts fail one after the other, the longer the wait. A connection that was READY for
  some time ends the series.
"""

import random
import threading
import time
from enum import Enum, auto
from typing import Final

from pipeline.event_log import EventLog

logger = EventLog(__name__)

LONGEST_BACKOFF_S: Final = 30.0
PROVEN_S: Final = 10.0
"""A connection that was ready for so long was good: after it the attempts begin anew"""
_MOST_DOUBLINGS: Final = 10
"""Of the wait; far beyond the longest"""


class LinkState(Enum):
    """How far a connection has come."""

    CLOSED = auto()
    """There is none, and it is not known whether there can be one"""
    OPENED = auto()
    """It stands, by TLS if that is asked for, and the login is on its way"""
    ANSWERED = auto()
    """The broker has accepted the login; what it announces is not heeded yet"""
    LOGGED_IN = auto()
    """Publications are sent; the broker has not answered the subscriptions yet"""
    READY = auto()
    """The broker has answered the subscriptions"""
    ENDED = auto()
    """There will be no connection any more"""


_BEFORE: Final = {
    LinkState.ANSWERED: LinkState.OPENED,
    LinkState.LOGGED_IN: LinkState.ANSWERED,
    LinkState.READY: LinkState.LOGGED_IN,
}


class Link:
    """The state of the link, changed by the network thread and read by the caller's."""

    def __init__(self, address: str, lock: threading.Condition) -> None:
        """Begin closed.

        Args:
            address: host and port of the broker, for people.
            lock: is held while the state changes; its waiters are notified of the end.
        """
        self.address = address
        self.retry = True
        """Whether a failure before the link was ready for the first time may pass by itself"""
        self.state = LinkState.CLOSED
        self.since = 0.0
        """When it entered this state, in monotonic seconds"""
        self.n_ready = 0
        """Connections that became ready, with the present one"""
        self.ready = threading.Event()
        """Set while the state is READY"""
        self.failure: str | None = None
        """Why the last attempt failed, or the last connection was lost"""
        self.error: Exception | None = None
        """The error that the caller's next call raises, after the end"""
        self._lock = lock
        self._n_failures = 0  # one after the other

    @property
    def is_logged_in(self) -> bool:
        """Whether packets can be sent."""
        return self.state in (LinkState.LOGGED_IN, LinkState.READY)

    @property
    def was_ready_before(self) -> bool:
        """Whether a connection before the present one was ready."""
        return self.n_ready > (self.state is LinkState.READY)

    def open(self) -> None:
        """Note that a new connection stands, whatever became of the one before."""
        with self._lock:
            if self.state is not LinkState.ENDED:
                self._enter(LinkState.OPENED)

    def advance(self, state: LinkState) -> bool:
        """Take the step to ``state``; return False, and stay, if that is not the next one."""
        with self._lock:
            if self.state is not _BEFORE[state]:
                return False
            self._enter(state)
            return True

    def close(self) -> None:
        """Note that there is no connection any more, as the caller wanted it."""
        with self._lock:
            if self.state is not LinkState.ENDED:
                self._enter(LinkState.CLOSED)

    def fail(self, why: str, *, lasting: bool = False) -> float | None:
        """Note and log a failure; return the seconds until the next attempt, None if none follows.

        Args:
            why: the reason, and what to do about it.
            lasting: trying again cannot mend it.
        """
        with self._lock:
            if self.state is LinkState.ENDED:
                return None
            self.failure = why
            if not self.n_ready and (lasting or not self.retry):
                self.error = ConnectionError(f"no connection to {self.address}: {why}")
                self._enter(LinkState.ENDED)
                return None
            was_ready = self.state is LinkState.READY
            if was_ready and time.monotonic() - self.since >= PROVEN_S:
                self._n_failures = 0
            elif was_ready and self._n_failures:
                why = f"{why}, soon after the login: its own log may say more"
            self._enter(LinkState.CLOSED)
        # Jitter, so that the clients of a broker that restarts do not all come at once.
        longest = min(LONGEST_BACKOFF_S, 2.0 ** min(self._n_failures, _MOST_DOUBLINGS))
        delay = random.uniform(0.5, 1.0) * longest
        self._n_failures += 1
        logger.warning(
            "broker-unreachable",
            "no connection to %(broker)s: %(reason)s; next try in %(delay_s).1f s",
            broker=self.address,
            reason=why,
            delay_s=delay,
        )
        return delay

    def end(self, error: Exception) -> None:
        """End for good, because of an error that the caller's next call is to raise."""
        with self._lock:
            self.error = error
            self._enter(LinkState.ENDED)

    def check(self) -> None:
        """Raise the error that has ended the link, if it has ended."""
        if self.error is not None:
            raise self.error

    def _enter(self, state: LinkState) -> None:
        self.state, self.since = state, time.monotonic()
        if state is LinkState.READY:
            self.n_ready += 1
            self.ready.set()
        else:
            self.ready.clear()
        if state is LinkState.ENDED:
            self._lock.notify_all()
