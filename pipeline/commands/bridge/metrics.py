"""The metrics of har-bridge: what goes each way, what does not, and whether Kafka is there."""

from collections.abc import Iterator

from pipeline.commands.bridge.counts import FLAWS, REFUSALS, BridgeCounts
from pipeline.commands.bridge.reachability import Reachability
from pipeline.commands.bridge.samples import SamplesToKafka
from pipeline.commands.monitoring.broker import broker_families
from pipeline.commands.monitoring.families import Family, counter, gauge
from pipeline.mqtt.connection import Connection


def bridge_families(
    counts: BridgeCounts,
    connection: Connection,
    reachability: Reachability,
    samples: SamplesToKafka | None,
) -> Iterator[Family]:
    """Yield all of them, as of now; ``samples`` is None where none are taken."""
    yield from broker_families(connection)
    yield gauge(
        "har_bridge_kafka_up",
        "1 while every client of Kafka reaches a broker of it, else 0",
        int(reachability.why_away() is None),
    )
    yield counter(
        "har_bridge_messages_total",
        "Messages of MQTT that Kafka has confirmed",
        counts.samples,
    )
    yield counter(
        "har_bridge_refused_messages_total",
        "Messages of MQTT that do not go to Kafka: too large, or refused for something else",
        {reason: counts.refused_samples.get(reason, 0) for reason in REFUSALS},
        "reason",
    )
    yield counter(
        "har_bridge_dropped_messages_total",
        "Messages at QoS 0 that were dropped, because Kafka took too few",
        counts.dropped_samples,
    )
    yield counter(
        "har_bridge_repeated_messages_total",
        "Messages of MQTT that came again over a new connection, and go to Kafka once",
        counts.repeated_samples,
    )
    yield gauge(
        "har_bridge_held_messages",
        "Messages of MQTT that are here, and that Kafka has not confirmed",
        0 if samples is None else samples.n_held,
    )
    yield counter(
        "har_bridge_producers_total",
        "Producers for Kafka; each after the first took the place of one that had failed",
        counts.producers,
    )
    yield counter(
        "har_bridge_results_total", "Records of Kafka that were published", counts.results
    )
    yield counter(
        "har_bridge_repeated_results_total",
        "Records of Kafka that repeat one before, and were not published",
        counts.repeated_results,
    )
    yield counter(
        "har_bridge_rejected_records_total",
        "Records of Kafka that are no results, by what is wrong",
        {flaw: counts.rejected_results.get(flaw, 0) for flaw in FLAWS},
        "reason",
    )
    yield counter(
        "har_bridge_commits_total",
        "Times that Kafka was told how far results are published",
        counts.commits,
    )
