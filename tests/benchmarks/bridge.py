"""What a message costs har-bridge each way, in processor time of its process.

Strategy: a Kafka and a Mosquitto are on this machine. The bridge is started and has nothing to do;
then messages are published as fast as the broker takes them, or records are written, and the
processor time counts that its process has taken until the last has arrived. The same load is
carried by the plainest loop of paho and confluent-kafka in the same run.

How many a second there are on the clock says less: load, both brokers and what counts the results
share the machine's cores with the bridge.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from _pytest.outcomes import Skipped
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.messages import Publication
from pipeline.mqtt.connection import Connection
from pipeline.settings import BrokerSettings
from pipeline.vocabulary import ACTIVITIES
from tests.benchmarks.commands import (
    await_text,
    command,
    cpu_s,
    mosquitto_process,
    start,
    stop,
    tool,
)
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone
from tests.scale.kafka import Kafka

HOST: Final = "127.0.0.1"
PHONES: Final = 200
MESSAGES: Final = 40_000
RECORDS: Final = 80_000
FULL: Final = 5
"""How many times as many in the long form"""
ROWS: Final = 25
"""Of a message: half a second"""
LIMIT_US: Final = 100.0
"""10,000 messages a second a core"""
PARTITIONS: Final = 24
PEER_SHARE: Final = 4
"""The peer carries so many times fewer: it is slower on the clock"""
WARM: Final = 2_000
"""Messages before those that count: connections are made, caches are filled"""
TIMEOUT_S: Final = 300.0
POLL_S: Final = 0.02
CONFIGURATION: Final = ("max_inflight_messages 10000", "max_queued_messages 0")
"""Of Mosquitto, as in deploy/"""


class Cost(NamedTuple):
    """What carrying took."""

    us: float
    """Microseconds of processor time a message"""
    per_s: float
    """Messages a second on the clock"""


def measure(options: Options) -> list[Figure]:
    """Return what a message costs each way.

    Raises:
        NotMeasuredError: a program is missing, or does not do what it is to.
    """
    times = FULL if options.full else 1
    try:
        with tempfile.TemporaryDirectory() as name:
            return _measured(Path(name), MESSAGES * times, RECORDS * times)
    except Skipped as missing:
        raise NotMeasuredError(str(missing)) from missing


def _measured(folder: Path, n_messages: int, n_records: int) -> list[Figure]:
    kafka = Kafka(folder)
    figures: list[Figure] = []
    try:
        kafka.start()
        with mosquitto_process(folder, CONFIGURATION) as (port, _):
            for way, carried, n in (
                ("MQTT to Kafka, 3.1 kB", _samples, n_messages),
                ("Kafka to MQTT, 400 bytes", _results, n_records),
            ):
                ours = carried(folder, kafka, port, "har-bridge", n)
                plain = carried(folder, kafka, port, "plain_bridge", n // PEER_SHARE)
                figures.append(
                    Figure(
                        "bridge", way, ours.us, "us/msg", limit=LIMIT_US,
                        detail=f"{n:,} messages, {ours.per_s:,.0f} a second on the clock",
                        peer="paho and confluent-kafka, plainest", peer_value=plain.us,
                        parts={"per_s": ours.per_s, "peer_per_s": plain.per_s},
                    )
                )  # fmt: skip
    finally:
        kafka.stop()
    return figures


@contextmanager
def _carrying(
    folder: Path, kafka: Kafka, port: int, program: str, only: str, topic: str
) -> Iterator[int]:
    """Run a bridge on a topic of its own, and give its process id."""
    log = folder / f"{program}-{only}.log"
    flags = ["--kafka", kafka.address, "--port", str(port), "--only", only]
    flags += ["--samples-topic", topic, "--results-topic", topic]
    ours = program == "har-bridge"
    called = [*command(program), "--broker", HOST] if ours else tool(program)
    process = start([*called, *flags], folder, log=log.name)
    try:
        await_text(log, "connected to", process, log)
        yield process.pid
    finally:
        stop(process)


def _samples(folder: Path, kafka: Kafka, port: int, program: str, n: int) -> Cost:
    """Return what it costs to carry so many messages from MQTT to Kafka."""
    topic = f"samples.{program}"
    kafka.create_topic(topic, partitions=PARTITIONS)
    settings = BrokerSettings.model_validate({"broker": HOST, "port": port})
    with _carrying(folder, kafka, port, program, "samples", topic) as pid:
        phones = Connection(settings, name="phones", subscriptions=[])
        phones.start(retry=False)
        reader = Consumer({"bootstrap.servers": kafka.address, "group.id": "counts"})

        def n_there() -> int:
            places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            return sum(reader.get_watermark_offsets(place, timeout=10.0)[1] for place in places)

        sent = list(_messages(n))
        phones.publish_all(sent[:WARM])
        _await(n_there, WARM)
        cpu_before, begun = cpu_s(pid), time.monotonic()
        phones.publish_all(sent)
        _await(n_there, WARM + n)
        cost = Cost((cpu_s(pid) - cpu_before) / n * 1e6, n / (time.monotonic() - begun))
        phones.close(timeout_s=5.0)
        reader.close()
    return cost


def _results(folder: Path, kafka: Kafka, port: int, program: str, n: int) -> Cost:
    """Return what it costs to carry so many records from Kafka to MQTT."""
    topic = f"results.{program}"
    kafka.create_topic(topic, partitions=PARTITIONS)
    settings = BrokerSettings.model_validate({"broker": HOST, "port": port, "protocol": "5"})
    reader = Connection(settings, name="reader", subscriptions=["har/+/prediction"])
    reader.start(retry=False)
    n_received = 0

    def n_there() -> int:
        nonlocal n_received
        n_received += len(reader.take(timeout_s=POLL_S, gather_s=POLL_S))
        return n_received

    with _carrying(folder, kafka, port, program, "results", topic) as pid:
        _write(kafka, topic, 0, WARM)
        _await(n_there, WARM)
        cpu_before, begun = cpu_s(pid), time.monotonic()
        _write(kafka, topic, WARM, n)
        _await(n_there, WARM + n)
        cost = Cost((cpu_s(pid) - cpu_before) / n * 1e6, n / (time.monotonic() - begun))
    reader.close(timeout_s=5.0)
    return cost


def _await(count: Callable[[], int], n: int) -> None:
    """Return when a count has come so far.

    Raises:
        NotMeasuredError: it did not in time.
    """
    give_up = time.monotonic() + TIMEOUT_S
    while (found := count()) < n:
        if time.monotonic() > give_up:
            raise NotMeasuredError(f"{found} of {n} messages have arrived")
        time.sleep(POLL_S)


def _messages(n: int) -> Iterator[Publication]:
    """Yield messages of all phones in turn, of some noise that is not the same each time."""
    choice = random.Random(1)
    for number in range(n):
        axes = [[round(choice.gauss(0, 9), 15) for _ in range(3)] for _ in range(2 * ROWS)]
        payload = json.dumps(
            {"v": 1, "start": 1.7e9 + number // PHONES / 2, "rate": 50.0,
             "acc": axes[:ROWS], "gyro": axes[ROWS:]}
        )  # fmt: skip
        yield Publication(f"har/phone-{number % PHONES}/samples", payload.encode())


def _write(kafka: Kafka, topic: str, first: int, n: int) -> None:
    """Write so many predictions into a topic."""
    producer = Producer({"bootstrap.servers": kafka.address, "linger.ms": 20})
    probabilities = dict.fromkeys(ACTIVITIES, 1 / 6)
    for number in range(first, first + n):
        phone = f"phone-{number % PHONES}"
        payload = json.dumps(
            {"device": phone, "start": 1.7e9 + number, "end": 1.7e9 + number + 2.54,
             "activity": "WALKING", "probability": 0.98, "probabilities": probabilities,
             "model": "cnn-lstm@1a2b3c4d"}
        )  # fmt: skip
        while len(producer) > 50_000:
            producer.poll(0.01)
        headers: list[tuple[str, str | bytes | None]] = [
            ("topic", f"har/{phone}/prediction".encode()),
            ("origin", f"run/{number % 4}/{number}".encode()),
        ]
        producer.produce(topic, payload, phone, headers=headers)
        producer.poll(0)
    producer.flush()


def main() -> None:
    """Run this benchmark alone."""
    run_alone(measure, "what a message costs har-bridge")


if __name__ == "__main__":
    main()
