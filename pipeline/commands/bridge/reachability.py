"""Whether Kafka can be reached, as its clients see it: said once when it is lost, and when back.

A client says at once when no broker is left, and sometimes though one is. Its statistics, which
come once a second, say which brokers there are: they decide.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from pipeline.event_log import EventLog

logger = EventLog(__name__)

STATISTICS_MS: Final = 1_000
"""How often clients tell their statistics"""
_UP: Final = "UP"


class _BrokerStatistics(msgspec.Struct):
    state: str


class _Statistics(msgspec.Struct):
    """What is read of librdkafka's statistics (its STATISTICS.md)."""

    brokers: dict[str, _BrokerStatistics]


_decode: Final = msgspec.json.Decoder(_Statistics).decode


class Reachability:
    """What the clients of one program know of Kafka."""

    def __init__(self, address: str) -> None:
        """Begin before any client; ``address`` is for people."""
        self._address = address
        self._is_up: dict[str, bool] = {}
        """Whether each client reaches a broker"""
        self._suspicions: dict[str, str] = {}
        """Why a client may reach no broker, until its next statistics"""
        self._lost_at: float | None = None  # monotonic seconds
        self._is_refused = False
        """That a login was refused has been said"""

    def why_away(self) -> str | None:
        """Return that Kafka cannot be reached, None if all clients reach it; on any thread."""
        if self._is_up and all(list(self._is_up.values())):
            return None
        return f"no connection to Kafka at {self._address}"

    def add(self, client: str) -> None:
        """Expect a client, which has not reached Kafka yet."""
        self._is_up[client] = False

    def on_statistics(self, client: str) -> Callable[[str], None]:
        """Return what takes a client's statistics, in JSON."""
        return partial(self._measure, client)

    def suspect(self, client: str, reason: str) -> None:
        """Note that a client says that it reaches no broker."""
        self._suspicions[client] = reason

    def lose(self, client: str, reason: str) -> None:
        """Note that a client reaches no broker."""
        self._is_up[client] = False
        if self._lost_at is not None:
            return
        self._lost_at = time.monotonic()
        logger.error(
            "kafka-lost",
            "no connection to Kafka at %(kafka)s: %(reason)s; trying again, and the broker keeps "
            "what comes",
            kafka=self._address,
            reason=reason,
        )

    def reach(self, client: str) -> None:
        """Note that a client reaches a broker."""
        self._is_up[client] = True
        self._is_refused = False
        if self._lost_at is None or not all(self._is_up.values()):
            return
        away_s = time.monotonic() - self._lost_at
        self._lost_at = None
        logger.info(
            "kafka-back",
            "Kafka can be reached again, after %(away_s).0f s",
            away_s=away_s,
        )

    def refuse_login(self, reason: str) -> None:
        """Note that Kafka does not let a client in, or is not who it should be."""
        if not self._is_refused:
            self._is_refused = True
            logger.error(
                "kafka-login-refused",
                "no login to Kafka at %(kafka)s: %(reason)s; trying again: is --kafka-config "
                "right?",
                kafka=self._address,
                reason=reason,
            )

    def _measure(self, client: str, statistics: str) -> None:
        suspicion = self._suspicions.pop(client, None)
        if any(broker.state == _UP for broker in _decode(statistics).brokers.values()):
            self.reach(client)
        elif suspicion is not None:
            self.lose(client, suspicion)
