"""The connection to the broker: messages in, publications out.

This is the caller's side. The other side, where packets come and the link goes up and down, is a
separate thread, on which nothing else happens (`events`, `paho_client`). In between are the
messages that wait to be taken (`arrivals`), those that the broker keeps until they are acknowledged
(`unacknowledged`), the publications (`publisher`) and the state of the link (`link`). What goes
wrong on the network thread ends in another attempt to connect, or in an error of the next call.
"""

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal
from uuid import uuid4

from pipeline.event_log import EventLog
from pipeline.messages import Message, Publication, Receipt
from pipeline.mqtt.arrivals import Arrivals
from pipeline.mqtt.events import BrokerEvents, Session, Status
from pipeline.mqtt.inbox import OwnerOf
from pipeline.mqtt.link import Link, LinkState
from pipeline.mqtt.paho_client import PahoClient
from pipeline.mqtt.publisher import Progress, PublicationCounts, Publisher
from pipeline.mqtt.unacknowledged import Unacknowledged
from pipeline.settings import BrokerSettings

logger = EventLog(__name__)

MOST_WAITING: Final = 20_000
"""Messages that may wait to be taken before the broker is made to wait"""
UNSUBSCRIBE_TIMEOUT_S: Final = 2.0


class Connection:
    """A client of the broker that stays connected."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        name: str,
        subscriptions: Sequence[str],
        optional: Collection[str] = (),
        unasked: Collection[str] = (),
        status_topic: str | None = None,
        session: Session | None = None,
        most_waiting: int = MOST_WAITING,
        owner_of: OwnerOf | None = None,
    ) -> None:
        """Prepare the connection; `start` makes it.

        Args:
            settings: the broker and how to log in.
            name: what the client id begins with, but for a kept session's.
            subscriptions: topic filters, subscribed again whenever the connection is made. A
                connection over which the broker refuses all of them is given up.
            optional: of those, the ones that do not count for that.
            unasked: of those, the ones that nobody named; that they are refused is no fault.
            status_topic: retained ``online`` while connected, ``offline`` after (the last will).
            session: a session that outlives the program, by MQTT 5; its messages are acknowledged
                by `acknowledge` alone. Without one they are when they have come.
            most_waiting: messages that may wait to be taken. What is more waits at the broker, at
                QoS 1; at QoS 0 the oldest are dropped.
            owner_of: the owner of a topic's messages. With it all owners get fair shares of what
                is taken at once, and no more than they may send, as `inbox` says; else all that
                has come is taken.
        """
        self._settings = settings
        self._subscriptions = subscriptions
        self._session = session
        self._woken = False
        self._surplus: list[Message] = []
        self.most_waiting = most_waiting
        """Messages that may wait to be taken"""
        self.address = f"{settings.broker}:{settings.port}"
        """Host and port, for people"""

        client_id = f"{name}-{uuid4().hex[:8]}" if session is None else session.client_id
        status = None
        if status_topic is not None:
            mark = "" if session is None else f"{client_id} {time.time_ns()}"
            status = Status(status_topic, mark)
        v5 = settings.protocol == "5"

        self._arrivals = Arrivals(most_waiting, owner_of)
        self._client = PahoClient(
            client_id,
            v5=v5,
            room=self._arrivals.room,
            most_bytes=settings.max_packet,
            marked_topic=status.topic if status is not None and status.mark else None,
        )
        if status is not None:
            self._client.set_will(status.topic, "offline", mark=status.mark)
        self._lock = threading.Condition()
        """Guards the link, the publications and the acknowledgements"""
        self._link = Link(self.address, self._lock)
        self._publisher = Publisher(
            self._client.send, v5=v5, address=self.address, username=settings.username
        )
        self._unacknowledged = Unacknowledged(
            most_waiting,
            room=self._arrivals.room,
            by_caller=session is not None,
            away_s=0.0 if session is None else session.away_s,
        )
        self._events = BrokerEvents(
            settings,
            subscriptions=subscriptions,
            optional=[*optional, *unasked],
            unasked=unasked,
            session=session,
            status=status,
            client=self._client,
            lock=self._lock,
            link=self._link,
            arrivals=self._arrivals,
            unacknowledged=self._unacknowledged,
            publisher=self._publisher,
        )
        self.ready = self._link.ready
        """Set while connected and subscribed"""

    @property
    def failure(self) -> str | None:
        """Why the last attempt to connect failed."""
        return self._link.failure

    @property
    def refused(self) -> tuple[str, ...]:
        """Topic filters for which the broker has refused the subscription, without the unasked."""
        return self._events.refused

    @property
    def n_connections(self) -> int:
        """How many connections have become ready so far, with the present one."""
        return self._link.n_ready

    def start(self, *, retry: bool) -> None:
        """Connect, and stay connected; return at the first success, or at `wake`.

        A broker may send all that waits in a session before it answers the subscriptions. Then this
        returns when the first of it has come: it is to be taken, or it would fill the memory.

        Without ``retry`` the first attempt is the only one; with it, one is the last if its failure
        will not pass by itself, such as a wrong password. Later, all failures are followed by
        another attempt, so that clients need not be restarted after a broker is reconfigured. Only
        a feature that the broker does not support at all ends the connection for good at any time.

        Raises:
            ConnectionError: the last attempt failed, or a file for TLS cannot be used.
            Exception: whatever else has ended the network thread; so do the other methods.
        """
        if self._settings.tls and self._settings.insecure:
            logger.warning(
                "broker-unverified",
                "--insecure: anybody can pose as %(broker)s and read along",
                broker=self.address,
            )
        self._link.retry = retry
        self._client.run(
            self._events,
            self._settings.broker,
            self._settings.port,
            receive_maximum=self.most_waiting,
            session_expiry_s=None if self._session is None else self._session.expiry_s,
        )
        self._arrivals.await_answer(awaited=True)
        while not (self.ready.wait(0.02) or self._woken):
            if self._link.state is LinkState.ENDED:
                self._client.loop_stop()
                self._link.check()
            if self._session is not None and self.waiting:
                break
        self._arrivals.await_answer(awaited=False)

    def take(self, *, timeout_s: float, gather_s: float) -> list[Message]:
        """Return what has arrived, at least one message unless ``timeout_s`` passes or `wake`.

        ``gather_s`` seconds at least lie between two calls' messages, so that they are many, unless
        there is more to take already. When very much has arrived, and topics get shares, some of
        it is left for the next time.
        """
        has_some = self._arrivals.wait(timeout_s, gather_s)
        self._link.check()
        if not has_some:
            return []
        with self._lock:
            away_s = self._unacknowledged.take_away_s()
        messages = self._arrivals.take(away_s=away_s)
        surplus = self._arrivals.take_surplus()
        self._unacknowledged.taken(messages)
        self._unacknowledged.taken(surplus)
        if self._session is not None:
            self._surplus += surplus
        elif len(self._unacknowledged):
            self.acknowledge(message.receipt for message in (*messages, *surplus))
        return messages

    @property
    def waiting(self) -> int:
        """How many messages wait to be taken."""
        return len(self._arrivals)

    def oldest_waiting(self) -> dict[str, float]:
        """Return when the oldest message that waits has come, by topic, in monotonic seconds."""
        return self._arrivals.oldest()

    def take_dropped(self) -> Counter[str]:
        """Return how many messages were dropped since this was called last, by topic."""
        return self._arrivals.take_dropped()

    def take_surplus(self) -> list[Message]:
        """Return the messages at QoS 1 that were dropped and that the caller is to acknowledge.

        Without a session there are none.
        """
        surplus, self._surplus = self._surplus, []
        return surplus

    @property
    def busy(self) -> frozenset[str]:
        """Topics, of the messages taken last, of owners that send more than any phone would."""
        return self._arrivals.busy

    def take_limited(self) -> set[str]:
        """Return the topics of owners that were limited for that since this was called last."""
        return self._arrivals.take_limited()

    def was_held_back(self) -> bool:
        """Return whether the broker may have held messages back since this was called last.

        It does so while it has sent as many as may be unacknowledged, or while nobody reads.
        """
        with self._lock:
            return self._unacknowledged.was_held_back()

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Let the broker know that these messages need not be sent again.

        They are acknowledged in the order of their arrival (MQTT 5, 4.6): each as soon as this was
        called for all before it too. Those of an earlier connection are passed over; they come
        again.
        """
        with self._lock:
            packets = self._unacknowledged.allow(receipts)
            if self._link.is_logged_in:
                self._client.send(packets)

    @property
    def owed(self) -> int:
        """How many messages have come that are not acknowledged."""
        return len(self._unacknowledged)

    def wake(self) -> None:
        """Let a waiting `take` or `start` return; may be called from a signal handler."""
        self._woken = True
        self._arrivals.wake()

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Send a message; while the connection is down it waits in memory."""
        data = payload.encode() if isinstance(payload, str) else payload
        self.publish_all([Publication(topic, data, retain)])

    def publish_all(self, publications: Iterable[Publication]) -> None:
        """Send messages in this order; while the connection is down they wait in memory."""
        self._events.publish(list(publications))

    @property
    def unconfirmed(self) -> list[Publication]:
        """The publications that the broker has not confirmed, in their order."""
        with self._lock:
            return self._publisher.unconfirmed

    @property
    def publications(self) -> PublicationCounts:
        """The publications since the start, and how they are."""
        with self._lock:
            return self._publisher.counts

    def take_progress(self) -> list[Progress]:
        """Return how far the broker came in confirming since this was called last."""
        with self._lock:
            return self._publisher.take_progress()

    def await_confirmations(self, most: int, *, timeout_s: float | None = None) -> bool:
        """Wait until at most ``most`` messages are unconfirmed; return whether it came to that."""
        with self._lock:
            if len(self._publisher) > most:
                self._arrivals.await_answer(awaited=True)
                self._lock.wait_for(
                    lambda: len(self._publisher) <= most or self._link.error is not None, timeout_s
                )
                self._arrivals.await_answer(awaited=False)
            if len(self._publisher) <= most:
                return True
        self._link.check()
        return False

    def show_status(self, status: Literal["online", "degraded"]) -> bool:
        """Publish a status while connected; return whether it differs from the status before."""
        if status == self._events.shown_status:
            return False
        self._events.shown_status = status
        if self.ready.is_set():
            self._events.show_status(status)
        return True

    def stop_receiving(self) -> None:
        """Unsubscribe; what the broker sent before has arrived when this returns."""
        if self.ready.is_set() and self._subscriptions:
            self._arrivals.await_answer(awaited=True)
            self._client.unsubscribe(list(self._subscriptions))
            self._events.unsubscribed.wait(UNSUBSCRIBE_TIMEOUT_S)
            self._arrivals.await_answer(awaited=False)

    def close(self, *, timeout_s: float) -> bool:
        """Publish ``offline``, disconnect, and return whether everything was delivered in time."""
        delivered = True
        if self.ready.is_set():
            self._events.show_status("offline")
            delivered = self.await_confirmations(0, timeout_s=timeout_s)
        self._client.close()
        self._publisher.log_dropped()
        return delivered
