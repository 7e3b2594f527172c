"""What every command tells of its connection to the broker."""

from typing import Final

from pipeline.commands.monitoring.families import Family, counter, gauge
from pipeline.commands.monitoring.health import Checks
from pipeline.mqtt.connection import Connection

STALLED_S: Final = 10.0
"""A broker that confirms nothing for so long, though something waits for it, has stalled"""


def broker_families(connection: Connection) -> list[Family]:
    """Return the metrics of a connection."""
    counts = connection.publications
    return [
        gauge(
            "har_broker_connected",
            "1 while connected to the broker and subscribed, else 0",
            int(connection.ready.is_set()),
        ),
        counter(
            "har_broker_connections_total",
            "Connections to the broker; each after the first is a reconnection",
            connection.n_connections,
        ),
        gauge(
            "har_broker_refused_subscriptions",
            "Topic filters that the broker does not let us read",
            len(connection.refused),
        ),
        gauge(
            "har_inbox_messages", "Messages that have come and wait to be taken", connection.waiting
        ),
        gauge(
            "har_inbox_limit_messages",
            "Messages that may wait to be taken; more waits at the broker, or at QoS 0 is dropped",
            connection.most_waiting,
        ),
        gauge(
            "har_unacknowledged_messages",
            "Messages at QoS 1 that have come and are not acknowledged",
            connection.owed,
        ),
        counter("har_publications_total", "Messages to publish", counts.made),
        gauge(
            "har_unconfirmed_publications",
            "Messages to publish that the broker has not confirmed",
            counts.unconfirmed,
        ),
        counter(
            "har_publications_lost_total",
            "Messages that were not published, by cause",
            {"refused": counts.refused, "too_large": counts.too_large},
            "cause",
        ),
    ]


def broker_checks(connection: Connection) -> Checks:
    """Return whether a connection is there, and does its work."""

    def broker() -> str | None:
        if connection.ready.is_set():
            return None
        return f"no connection to {connection.address}: {connection.failure or 'not made yet'}"

    def subscriptions() -> str | None:
        refused = connection.refused
        return f"the broker does not let us read {', '.join(refused)}" if refused else None

    def confirmations() -> str | None:
        counts = connection.publications
        if counts.stalled_s <= STALLED_S:
            return None
        return f"the broker has confirmed none of {counts.unconfirmed} for {counts.stalled_s:.0f} s"

    return {"broker": broker, "subscriptions": subscriptions, "confirmations": confirmations}
