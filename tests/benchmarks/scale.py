"""What har-spark costs on Spark and Kafka: messages a core-second, seconds a batch, latency, kills.

Strategy: a Kafka node and har-spark run on this machine, as in `tests.scale`. For throughput, the
samples of all batches wait in Kafka; the CPU time of all processes of har-spark, its JVM and its
Python workers, is taken from the end of the second batch to that of the last: the first two load
models and warm the JVM up. A plain consumer group, which takes the same records through the same
step, is the peer. For latency phones send as in life, and each prediction is dated by Kafka.
"""

import json
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pipeline.commands.replay.native_message import native_message
from pipeline.recordings.simulated import recordings
from pipeline.result_messages import PredictionPayload
from tests.benchmarks.figures import Figure, NotMeasuredError, Options, run_alone, show
from tests.benchmarks.scale_consumer_group import consume
from tests.benchmarks.scale_sizing import Measured, sizing
from tests.scale.har_spark import HarSpark
from tests.scale.jars import has_jars
from tests.scale.kafka import Kafka
from tests.scale.spark import Spark
from tests.scale.topics import Outgoing, read, write

ROWS: Final = 25
MESSAGE_S: Final = 0.5
N_RECORDINGS: Final = 20
"""So many different people; phones beyond are copies of them"""
EPOCH_S: Final = 1.7e9
PARTITIONS: Final = 8
BUCKETS: Final = 2
WARM: Final = 3
"""Batches before the CPU time is taken"""
COUNTED: Final = 4
LOADS: Final = ((200, 10_000), (1_000, 10_000), (1_000, 30_000), (5_000, 30_000))
"""Phones, and records a batch"""
LEAST_PER_CORE_S: Final = {10_000: 4_000.0, 30_000: 6_000.0}
MOST_BATCH_S: Final = 3.0
MOST_STATE_BYTES: Final = 6 * 1024.0
LIVE_PHONES: Final = 500
LIVE_S: Final = 80
LIVE_WARM_S: Final = 40.0
"""Of that, before latencies count"""
KILLS: Final = {"driver": 30.0, "worker": 15.0, "Kafka": 30.0}
"""What is killed, and the most seconds until batches are committed again"""
TIMEOUT_S: Final = 300.0


def measure(options: Options) -> list[Figure]:
    """Return what each load costs, the latency, and how long kills last.

    Raises:
        NotMeasuredError: Java or the jars are not there.
    """
    for profile in ("kafka", "spark"):
        if not has_jars(profile):
            raise NotMeasuredError("Java and jars: make scale fetches them")
    logging.disable(logging.WARNING)  # of the step, of hundreds of phones
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        kafka = Kafka(folder)
        kafka.start()
        parts.callback(kafka.stop)
        people = _people(seconds=_seconds_needed())
        figures, measured = [], None
        for n_phones, batch in LOADS:
            found, measured = _load(folder, kafka, people, n_phones=n_phones, batch=batch)
            show(found)
            figures += found
        figures += _latency(folder, kafka, people)
        figures += _kills(folder, kafka, people)
        if measured is not None:  # of the largest load
            figures += sizing(measured)
        return figures


@dataclass
class _Batch:
    """What har-spark logs of a batch."""

    n_records: int
    n_phones: int
    n_windows: int
    seconds: float
    state_bytes: int


def _load(
    folder: Path, kafka: Kafka, people: "_People", *, n_phones: int, batch: int
) -> tuple[list[Figure], Measured]:
    """Return what a load costs on Spark, and in a plain consumer group."""
    name = f"{n_phones} phones, {batch // 1_000}k a batch"
    n_records = batch * (WARM + COUNTED)
    with _job(folder, kafka, f"p{n_phones}-{batch}") as job:
        records = people.records(n_phones, n_records)
        kafka_before = kafka.cpu_s
        write(kafka.address, job.samples, records)
        kept_bytes = kafka.kept_bytes(job.samples) / n_records
        job.start(*("--records-a-trigger", str(batch), "--buckets", str(BUCKETS)), *_JSON_LOG)
        job.await_commits(WARM)
        before, begun = job.cpu_s_by_program(), time.monotonic()
        job.await_commits(WARM + COUNTED)
        after, seconds = job.cpu_s_by_program(), time.monotonic() - begun
        kafka_s = kafka.cpu_s - kafka_before
        job.end()
        batches = _batches(job)[WARM:]
    n_counted = batch * COUNTED
    by_program = {name: after[name] - before.get(name, 0.0) for name in after}
    cpu_s = sum(by_program.values())
    n_windows = sum(one.n_windows for one in batches)
    last = batches[-1]
    peer = consume(kafka, f"group-{n_phones}-{batch}", records, a_transaction=batch)
    measured = Measured(
        spark_core_s=cpu_s / n_counted,
        kafka_core_s=kafka_s / n_records,
        kept_bytes=kept_bytes,
        state_bytes=last.state_bytes / last.n_phones,
        group_core_s=1 / peer.messages_a_core_s,
    )
    java_us = by_program.get("java", 0.0) / n_counted * 1e6
    messages = Figure(
        "scale",
        f"{name}: messages",
        n_counted / cpu_s,
        "/core-s",
        LEAST_PER_CORE_S[batch],
        at_least=True,
        peer="a plain consumer group",
        peer_value=peer.messages_a_core_s,
        detail=(
            f"{n_counted / seconds:,.0f}/s on all cores, {n_windows / cpu_s:,.0f} windows/core-s, "
            f"JVM {java_us:.0f} µs, Python {cpu_s / n_counted * 1e6 - java_us:.0f} µs a message, "
            f"Kafka {kafka_s / n_records * 1e6:.0f} µs, "
            f"{np.mean([len(one.value) for one in records[:1_000]]):,.0f} bytes a message, "
            f"{kept_bytes:,.0f} in Kafka"
        ),
    )
    a_batch = Figure(
        "scale",
        f"{name}: a batch",
        float(np.median([one.seconds for one in batches])),
        "s",
        MOST_BATCH_S,
        detail=f"longest {max(one.seconds for one in batches):.2f} s",
    )
    state = Figure(
        "scale",
        f"{name}: state",
        last.state_bytes / last.n_phones,
        "B/phone",
        MOST_STATE_BYTES,
        detail=f"{last.n_phones} phones, {last.state_bytes / 1e6:.1f} MB in {BUCKETS} buckets",
    )
    return [messages, a_batch, state], measured


def _latency(folder: Path, kafka: Kafka, people: "_People") -> Iterator[Figure]:
    """Yield how long a prediction takes, from the message that completes its window."""
    with _job(folder, kafka, "live") as job:
        job.start("--buckets", str(BUCKETS), *_JSON_LOG)
        sent = people.records(LIVE_PHONES, LIVE_PHONES)  # a message of each
        write(kafka.address, job.samples, sent)
        job.await_commits(1)
        begin, kept_s = time.time(), list[float]()
        for number in range(round(LIVE_S / MESSAGE_S)):
            first_s = begin + number * MESSAGE_S
            messages = people.live(LIVE_PHONES, number, first_s)
            time.sleep(max(0.0, first_s + MESSAGE_S - time.time()))
            write(kafka.address, job.samples, messages)
            kept_s.append(time.time())
        n_commits = job.n_commits
        job.await_commits(n_commits + 2)
        job.end()
        decode = msgspec.json.Decoder(PredictionPayload).decode
        latencies_s = [
            entry.time_s - kept_s[int((decode(entry.value).end - begin) / MESSAGE_S)]
            for entry in read(kafka.address, job.results)
            if entry.headers["topic"].endswith(b"/prediction")
            and decode(entry.value).start >= begin + LIVE_WARM_S
        ]
    p50, p99 = np.percentile(latencies_s, [50, 99])
    detail = f"since Kafka has a window's last message; {LIVE_PHONES} phones live, --trigger 0"
    yield Figure("scale", "latency, p50", float(p50), "s", detail=detail)
    yield Figure("scale", "latency, p99", float(p99), "s", detail=detail)


def _kills(folder: Path, kafka: Kafka, people: "_People") -> Iterator[Figure]:
    """Yield how long it takes until batches are committed again after a kill."""
    with ExitStack() as parts:
        spark = Spark(folder)
        spark.start()
        parts.callback(spark.stop)
        for victim, limit_s in KILLS.items():
            with _job(folder, kafka, f"kill-{victim.lower()}", spark) as job:
                write(kafka.address, job.samples, people.records(200, 60_000))
                flags = ("--records-a-trigger", "1000", "--buckets", str(BUCKETS), *_JSON_LOG)
                job.start(*flags)
                job.await_commits(6)
                n_commits, begun = job.n_commits, time.monotonic()
                if victim == "driver":
                    job.kill()
                    job.start(*flags)
                elif victim == "worker":
                    job.await_tasks(spark.workers[0].executors)
                    spark.workers[0].kill()
                else:
                    kafka.kill()
                    kafka.start()
                job.await_commits(n_commits + 2)
                back_s = time.monotonic() - begun
                if victim == "worker":
                    spark.workers[0].start()
                    spark.await_workers(len(spark.workers))
                yield Figure(
                    "scale",
                    f"{victim} killed: back after",
                    back_s,
                    "s",
                    limit_s,
                    detail=f"killed after {n_commits} commits",
                )


@contextmanager
def _job(folder: Path, kafka: Kafka, name: str, spark: Spark | None = None) -> Iterator[HarSpark]:
    """Yield a har-spark with topics of its own, and kill it in the end."""
    own = folder / name
    own.mkdir()
    master = "local[2]" if spark is None else spark.address
    job = HarSpark(own, kafka.address, master, name=name)
    for topic in (job.samples, job.results):
        kafka.create_topic(topic, partitions=PARTITIONS)
    try:
        yield job
    finally:
        job.kill()


_JSON_LOG: Final = ("--log-format", "json")


def _batches(job: HarSpark) -> list[_Batch]:
    """Return what har-spark has logged of its batches."""
    found = []
    for line in job.whole_log.splitlines():
        if '"batch-done"' in line:
            found.append(msgspec.convert(json.loads(line), _Batch, strict=False))
    return found


class _People:
    """Messages of phones, each a copy of one of some people's, without the device's name."""

    def __init__(self, payloads: Sequence[Sequence[bytes]]) -> None:
        """Take the messages of each of the people, in their order."""
        self._payloads = payloads

    def records(self, n_phones: int, n_records: int) -> list[Outgoing]:
        """Return the first records of phones that send in turn."""
        numbered = (divmod(at, n_phones) for at in range(n_records))
        return [
            self._record(phone, self._payloads[phone % N_RECORDINGS][number], number)
            for number, phone in numbered
        ]

    def live(self, n_phones: int, number: int, first_s: float) -> list[Outgoing]:
        """Return the messages of one half second, moved to a time."""
        moved = []
        for phone in range(n_phones):
            message = json.loads(self._payloads[phone % N_RECORDINGS][number])
            payload = msgspec.json.encode(message | {"start": round(first_s, 6)})
            moved.append(self._record(phone, payload, None))
        return moved

    @staticmethod
    def _record(phone: int, payload: bytes, number: int | None) -> Outgoing:
        time_s = None if number is None else EPOCH_S + (number + 1) * MESSAGE_S
        device = f"phone-{phone}"
        topic = f"har/{device}/samples".encode()
        return Outgoing(device.encode(), payload, {"topic": topic}, time_s)


def _people(seconds: float) -> _People:
    payloads = []
    for recording in recordings(N_RECORDINGS, seconds=seconds):
        (stretch,) = recording.stretches
        messages = []
        for first in range(0, len(stretch.times) - ROWS, ROWS):
            part = stretch.part(first, first + ROWS)
            readings = recording.readings(replace(part, times=part.times + EPOCH_S))
            messages.append(native_message([readings], recording="1", rate_hz=50.0))
        payloads.append(messages)
    return _People(payloads)


def _seconds_needed() -> float:
    """Return the length of a recording that has enough messages for every load."""
    most = max(batch * (WARM + COUNTED) / n_phones for n_phones, batch in LOADS)
    return max(most, LIVE_S / MESSAGE_S + 2) * MESSAGE_S + 1.0


if __name__ == "__main__":
    run_alone(measure, "har-spark on Spark and Kafka")
