import time
from collections import defaultdict
from typing import Final

import pytest

pytest.importorskip("pyspark", reason="needs the extra spark: make test-scale")
pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.scale.har_spark import COMMIT_TIMEOUT_S, HarSpark
from tests.scale.kafka import Kafka
from tests.scale.measured import MEASURED
from tests.scale.samples import EPOCH_S, found, phones, sample_record, undisturbed
from tests.scale.spark import Spark
from tests.scale.topics import Entry, Outgoing, Reader, read, write

pytestmark = pytest.mark.scale

N_PHONES: Final = 20
RECORDS_A_BATCH: Final = 100
COMMITS_BEFORE: Final = 6
KILLS: Final = 3


def repeats(entries: list[Entry]) -> int:
    """Return how many results are repeats, each of which must be one in content and place too."""
    by_origin = defaultdict(list)
    for entry in entries:
        by_origin[entry.headers["origin"]].append((entry.partition, entry.key, entry.value))
    for same in by_origin.values():
        assert 1 == len(set(same))
    return len(entries) - len(by_origin)


def n_batches(n_records: int) -> int:
    """Return how many batches so many records make at least."""
    return -(-n_records // RECORDS_A_BATCH)


def test_results_are_those_of_one_step(job: HarSpark, kafka: Kafka) -> None:
    """On a cluster each window and episode is, to the last bit, what one call of the step gives.

    With records that nobody can use, and with a batch that has no result.
    """
    nonsense = [
        Outgoing(b"phone-1", b"{", {"topic": b"har/phone-1/samples"}, EPOCH_S),
        Outgoing(b"phone-1", b"", {"topic": b"har/\xff/samples"}, EPOCH_S),
        Outgoing(b"\xff\xfe", b"\x00" * 1000, {}, EPOCH_S),
        Outgoing(b"", b"{}", {"topic": b"", "retained": b"\xff"}, EPOCH_S),
    ] * 10
    write(kafka.address, job.samples, nonsense)
    job.start("--records-a-trigger", "1000")
    job.await_commits(1)
    before = read(kafka.address, job.results)
    samples = phones(N_PHONES, seconds=40)
    half = len(samples) // 2
    broken = sample_record("phone-2", b'{"v": 1, "start": "now"}', samples[half].time_s or 0.0)
    write(kafka.address, job.samples, [*samples[:half], broken, *samples[half:]])
    expected = undisturbed(read(kafka.address, job.samples))
    n_expected = sum(expected.values())
    with Reader(kafka.address, job.results) as reader:
        results = reader.rest()
        while sum(found(results).values()) < n_expected:
            results += reader.await_entries(1, timeout_s=COMMIT_TIMEOUT_S)
    assert {} == found(before)
    assert expected == found(results)
    assert 0 == repeats(results)
    assert {entry.headers["topic"].split(b"/")[1] for entry in results} == {
        entry.key for entry in results
    }
    retained = {e.headers["topic"].split(b"/")[-1] for e in results if "retain" in e.headers}
    assert {b"activity", b"availability", b"info"} == retained
    assert 0 == job.end()
    assert "rejected" in job.whole_log


@pytest.mark.parametrize("victim", ["driver", "worker", "Kafka"])
def test_nothing_is_lost_or_changed_by_kills(
    victim: str, job: HarSpark, kafka: Kafka, spark: Spark
) -> None:
    """Killed three times, each after six batches, the job gives what an undisturbed step gives."""
    samples = phones(N_PHONES, seconds=90)
    write(kafka.address, job.samples, samples)
    flags = ("--records-a-trigger", str(RECORDS_A_BATCH))
    job.start(*flags)
    for kill in range(KILLS):
        n_commits = job.n_commits
        job.await_commits(n_commits + COMMITS_BEFORE)
        n_commits, killed = job.n_commits, time.monotonic()
        if victim == "driver":
            job.kill()
            job.start(*flags)
        elif victim == "worker":
            worker = spark.workers[kill % len(spark.workers)]
            job.await_tasks(worker.executors)
            n_commits, killed = job.n_commits, time.monotonic()
            worker.kill()
        else:
            kafka.kill()
            kafka.start()
        # One more may have been about to be committed.
        job.await_commits(n_commits + 2)
        back_s = time.monotonic() - killed
        MEASURED.append(f"{victim} killed after {n_commits} commits: back in {back_s:.1f} s")
        if victim == "worker":
            worker.start()
            spark.await_workers(len(spark.workers))
    job.await_commits(n_batches(len(samples)))
    assert 0 == job.end()
    results = read(kafka.address, job.results)
    MEASURED.append(f"{victim} killed: {repeats(results)} repeats among {len(results)} results")
    assert undisturbed(read(kafka.address, job.samples)) == found(results)
