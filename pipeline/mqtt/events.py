"""Events at the broker, and what follows from each, on the network thread.

A connection comes up in the steps of `link`: it is opened, the login is answered, what the broker
announces is heeded, the subscriptions are answered. Whatever goes wrong on the way, or later, ends
in another attempt to connect, or in an error of the caller's next call: never in a program that
silently receives nothing.
"""

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.event_log import EventLog
from pipeline.messages import Confirmation, Message, Publication
from pipeline.mqtt import reasons, tls
from pipeline.mqtt.arrivals import Arrivals
from pipeline.mqtt.link import Link, LinkState
from pipeline.mqtt.packets import Answer, MalformedPacketError
from pipeline.mqtt.paho_client import (
    AT_LEAST_ONCE,
    Announcement,
    AttemptError,
    Login,
    PahoClient,
    reason_name,
)
from pipeline.mqtt.publisher import Publisher
from pipeline.mqtt.unacknowledged import Unacknowledged
from pipeline.settings import BrokerSettings

logger = EventLog(__name__)

ANSWER_S: Final = 30.0
"""Within which a working broker answers subscriptions"""


@dataclass(frozen=True)
class Session:
    """A session that the broker keeps while its client is away (MQTT 5)."""

    client_id: str
    expiry_s: int
    """How long it is kept, in seconds"""
    expected: bool
    """The broker should have it already"""
    away_s: float = 0.0
    """Seconds since its client was last there"""
    taken: str = "has it a copy of our --state folder?"
    """A question to whoever runs two programs with this session"""


@dataclass(frozen=True)
class Status:
    """The topic that says whether a client is there."""

    topic: str
    mark: str
    """Of this client and its start, by which another with its name is known; empty without"""


class BrokerEvents:
    """Reacts to all that happens between the broker and us, as a `Listener`."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        subscriptions: Sequence[str],
        optional: Collection[str],
        unasked: Collection[str],
        session: Session | None,
        status: Status | None,
        client: PahoClient,
        lock: threading.Condition,
        link: Link,
        arrivals: Arrivals,
        unacknowledged: Unacknowledged,
        publisher: Publisher,
    ) -> None:
        """Take what a `Connection` is given and made of; ``lock`` guards the last two."""
        self._settings = settings
        self._subscriptions = subscriptions
        self._optional = optional
        self._unasked = unasked
        self._session = session
        self._status = status
        self.shown_status = "online"
        """The status that is published while connected"""
        self._client = client
        self._lock = lock
        self._link = link
        self._arrivals = arrivals
        self._unacknowledged = unacknowledged
        self._publisher = publisher
        self.refused: tuple[str, ...] = ()
        """Topic filters for which the broker has refused the subscription, without the unasked"""
        self.unsubscribed = threading.Event()
        """Set when the broker has answered the end of subscriptions"""
        self._heard = 0.0  # when messages came last, in monotonic seconds

    def login(self) -> Login:
        """Return how to log in: passwords and certificates may have changed since the last attempt.

        Raises:
            AttemptError: a file cannot be used.
        """
        settings = self._settings
        try:
            settings.read_passwords()
            context = tls.client_context(settings) if settings.tls else None
        except (ValueError, tls.CertificateFileError) as error:
            raise AttemptError(str(error)) from error
        password = settings.password.get_secret_value() if settings.password else None
        return Login(settings.username, password, context)

    def failed(self, error: BaseException | None) -> None:
        """Try again later, or not, where nobody could be reached."""
        why, lasting = reasons.of_failed_attempt(error, self._settings)
        self._fail(why, lasting=lasting)

    def opened(self) -> None:
        """Begin with a new connection."""
        with self._lock:
            self._link.open()
            self._unacknowledged.begin_again()

    def answered(self, answer: Answer) -> bool:
        """Take an answer of the broker; return whether the connection goes on."""
        if answer.kind == "login":
            return self._on_login(*answer.codes)
        if answer.kind == "subscription":
            return self._on_subscribed(answer.codes)
        if answer.kind == "end":
            self._on_end(*answer.codes)
            return False
        self.unsubscribed.set()
        return True

    def connected(self, announced: Announcement) -> None:
        """Heed what the broker announces, send what waits, and subscribe."""
        logger.info(
            "broker-connected",
            "connected to %(broker)s" + (" by TLS" if self._settings.tls else ""),
            broker=self._link.address,
            tls=self._settings.tls,
        )
        self._compare_session(announced)
        with self._lock:
            if not self._link.advance(LinkState.LOGGED_IN):
                return
            self._publisher.begin_again(announced)
            if lacking := self._publisher.lacking(self._publisher.unconfirmed):
                self.give_up(lacking)
                return
        if self._subscriptions:
            filters = [(topic, AT_LEAST_ONCE) for topic in self._subscriptions]
            if self._status is not None and self._status.mark:
                filters.append((self._status.topic, 0))
            self._client.subscribe(filters)
        else:
            self._become_ready()

    def arrived(self, packets: list[Message | Confirmation]) -> None:
        """Pass messages on to the caller, and take confirmations."""
        messages = [packet for packet in packets if isinstance(packet, Message)]
        confirmations = [packet for packet in packets if isinstance(packet, Confirmation)]
        with self._lock:
            self._client.send(self._unacknowledged.arrived(messages))
            if confirmations:
                self._publisher.confirm(confirmations)
                self.send()
                self._lock.notify_all()
        if messages:
            self._heard = messages[-1].received
            self._arrivals.put(messages)

    def marked(self, mark: str) -> bool:
        """Compare the mark of the last status with ours; return whether the connection goes on.

        Not all brokers tell a client that another with its name has taken its place. After the loss
        of a connection, the other client is known by its mark; the one started last stays.
        """
        if self._status is None or not self._link.was_ready_before:
            return True
        name, _, started = mark.rpartition(" ")
        our_name, _, our_start = self._status.mark.rpartition(" ")
        if name != our_name or not started.isdecimal() or int(started) <= int(our_start):
            return True
        self._give_up_session()
        return False

    def malformed(self, error: MalformedPacketError) -> None:
        """Begin anew, because it is not known where the next packet begins."""
        self._fail(f"it sends what is no MQTT {self._settings.protocol}: {error}")

    def is_overdue(self) -> bool:
        """Return whether there should have been an answer to the subscriptions; fail if so.

        A broker that keeps a session sends what waits in it first, which may take long.
        """
        link = self._link
        since = max(link.since, self._heard)
        if link.state is not LinkState.LOGGED_IN or time.monotonic() - since < ANSWER_S:
            return False
        self._fail("it does not answer the subscriptions")
        return True

    def lost(self, reason: str, error: OSError | None) -> None:
        """Try again later, unless it is known already why the connection has ended."""
        if self._link.state is LinkState.OPENED:
            why, lasting = reasons.of_login_without_answer(error, self._settings)
            self._fail(why, lasting=lasting)
        elif self._link.state is not LinkState.CLOSED:
            self._fail(f"connection lost: {reason}")

    def left(self) -> None:
        """Note that we have ended the connection."""
        self._link.close()

    def broken(self, error: Exception) -> None:
        """Let the caller's next call raise what ends the network thread."""
        self._link.end(error)
        self._arrivals.wake()

    def send(self) -> None:
        """Send what may be sent now; the caller holds the lock."""
        if self._link.is_logged_in and self._publisher.send():
            self._lock.notify_all()

    def publish(self, publications: Sequence[Publication]) -> None:
        """Send publications after those before; while the connection is down they wait."""
        with self._lock:
            self._publisher.add(publications)
            if self._link.is_logged_in and (lacking := self._publisher.lacking(publications)):
                self.give_up(lacking)
            else:
                self.send()

    def show_status(self, status: str) -> None:
        """Publish whether we are there, if there is a topic for that."""
        if self._status is not None:
            self.publish(
                [
                    Publication(
                        self._status.topic, status.encode(), retain=True, mark=self._status.mark
                    )
                ]
            )

    def give_up(self, lacking: Sequence[int]) -> None:
        """Stop for good: the broker lacks a feature that is needed."""
        self._end(f"no connection to {self._link.address}: {reasons.of_lacking(lacking)}")

    def _on_login(self, code: int) -> bool:
        if code in reasons.UNSUPPORTED:
            self.give_up([code])
        elif code:
            why = reasons.of_refused_login(code, self._settings)
            self._fail(why, lasting=code in reasons.LASTING_REFUSALS)
        elif self._link.advance(LinkState.ANSWERED):
            return True
        else:
            self._fail("it answers a login that there was not")
        return False

    def _on_subscribed(self, codes: Sequence[int]) -> bool:
        """Take the answer to the subscriptions; return whether any of them that counts is good."""
        marked = self._status is not None and self._status.mark
        if len(codes) != len(self._subscriptions) + bool(marked):
            self._fail("its answer to the subscriptions is not one for each")
            return False
        refused = {
            topic: reason_name(code)
            for topic, code in zip(self._subscriptions, codes, strict=False)
            if code >= reasons.REFUSED
        }
        needed = [topic for topic in self._subscriptions if topic not in self._optional]
        self.refused = tuple(topic for topic in refused if topic not in self._unasked)
        if set(needed) <= set(refused):
            why = reasons.of_refused_subscriptions(refused, needed, self._settings)
            self._fail(why, lasting=True)
            return False
        for topic, reason in refused.items():
            log = logger.debug if topic in self._unasked else logger.error
            log(
                "subscription-refused",
                "the broker refuses the subscription to %(topic)s: %(reason)s",
                topic=topic,
                reason=reason,
            )
        return self._become_ready()

    def _on_end(self, code: int) -> None:
        """Take the reason for which the broker ends the connection."""
        if code == reasons.TAKEN_OVER:
            self._give_up_session()
        elif code in reasons.UNSUPPORTED:
            self.give_up([code])
        else:
            if code == reasons.TOO_LARGE:
                with self._lock:
                    if self._publisher.drop_largest():
                        self._lock.notify_all()
            self._fail(f"connection lost: the broker ends it ({reason_name(code)})")

    def _become_ready(self) -> bool:
        """Send what waits and the status; return False if nobody waits for subscriptions."""
        with self._lock:
            if self._link.state is not LinkState.LOGGED_IN:
                self._fail("it answers subscriptions that there were not")
                return False
            self.send()
        self.show_status(self.shown_status)
        self._link.advance(LinkState.READY)  # unless that has ended it
        return True

    def _compare_session(self, announced: Announcement) -> None:
        """Warn if the broker does not keep our session, or not for as long as asked."""
        if self._session is None:
            return
        is_again = self._link.n_ready > 0
        if not announced.session_present and (self._session.expected or is_again):
            logger.warning(
                "session-lost", "the broker has forgotten our session, and what it kept for us"
            )
        expiry_s = announced.session_expiry_s
        if not is_again and expiry_s is not None and expiry_s < self._session.expiry_s:
            logger.warning(
                "session-shortened",
                "the broker keeps our session for %(expiry_s)d s at most, not for --session-expiry "
                "%(asked_s)d",
                expiry_s=expiry_s,
                asked_s=self._session.expiry_s,
            )

    def _give_up_session(self) -> None:
        """Stop for good: two clients of one name would end each other's connections for ever."""
        if self._session is not None:
            advice = f"{self._session.taken} Give each program one of its own"
        else:
            advice = "does it log in by our --username? Give each program one of its own"
        self._end(f"another program has taken our place at {self._link.address}: {advice}")

    def _end(self, why: str) -> None:
        self.broken(ConnectionError(why))
        self._client.disconnect()  # ends paho's attempts

    def _fail(self, why: str, *, lasting: bool = False) -> None:
        delay_s = self._link.fail(why, lasting=lasting)
        if delay_s is None:
            self._arrivals.wake()
            self._client.disconnect()  # ends paho's attempts
        else:
            self._client.next_attempt_in(delay_s)
