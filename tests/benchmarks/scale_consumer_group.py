"""The plainest peer of har-spark: a consumer of Kafka that keeps its state in Kafka, too.

It reads records, takes them through the same step, and writes results, the state in chunks and its
offsets in one transaction. What a team still has to add: to read the state at the start and after
each rebalance of the group, to number the chunks, supervision, metrics.
"""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, Producer

from pipeline.serving.step import Record
from tests.scale.kafka import Kafka
from tests.scale.samples import make_step
from tests.scale.topics import Outgoing, write

PARTITIONS: Final = 8
CHUNK_BYTES: Final = 900_000
"""Kafka takes messages up to a megabyte"""
TIMEOUT_S: Final = 60.0


class Consumed(NamedTuple):
    """What the consumer cost."""

    messages_a_core_s: float


def consume(
    kafka: Kafka, name: str, records: Sequence[Outgoing], *, a_transaction: int
) -> Consumed:
    """Return what it costs to consume records, so many of them in a transaction."""
    samples, results, states = (f"{name}.{what}" for what in ("samples", "results", "state"))
    for topic in (samples, results, states):
        kafka.create_topic(topic, partitions=PARTITIONS)
    write(kafka.address, samples, records)
    step = make_step()
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.address,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": kafka.address,
            "transactional.id": name,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    consumer.subscribe([samples])
    state: bytes | None = None
    n_done, begun = 0, time.process_time()
    while n_done < len(records):
        batch: list[Record] = []
        while len(batch) < min(a_transaction, len(records) - n_done):
            for message in consumer.consume(5_000, timeout=1.0):
                sent_on, value = dict(message.headers() or {})["topic"], message.value()
                assert isinstance(sent_on, bytes)
                assert isinstance(value, bytes)
                batch.append(
                    Record(
                        sent_on.decode(),
                        value,
                        message.timestamp()[1] / 1000,
                        message.partition() or 0,
                    )
                )
        stepped = step(state, batch)
        state = stepped.state
        producer.begin_transaction()
        for one in stepped.publications:
            device = one.topic.split("/")[1]
            headers: dict[str, str | bytes | None] = {"topic": one.topic}
            producer.produce(results, key=device, value=one.payload, headers=headers)
        for at in range(0, len(state), CHUNK_BYTES):
            producer.produce(states, key=b"0", value=state[at : at + CHUNK_BYTES], partition=0)
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), TIMEOUT_S
        )
        producer.commit_transaction(TIMEOUT_S)
        n_done += len(batch)
    cpu_s = time.process_time() - begun
    consumer.close()
    return Consumed(len(records) / cpu_s)
