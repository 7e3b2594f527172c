"""From Kafka to MQTT between pretended brokers; with real ones it is in tests/scale."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("confluent_kafka", reason="needs the extra kafka")

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.commands.bridge import results as results_module
from pipeline.commands.bridge.counts import BridgeCounts
from pipeline.commands.bridge.kafka_config import BridgeError, KafkaConfig
from pipeline.commands.bridge.reachability import Reachability
from pipeline.commands.bridge.results import ResultsToMqtt
from pipeline.messages import Publication
from tests.commands.bridge.made_records import MadeRecord, result


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets are committed in each turn."""
    monkeypatch.setattr(results_module, "COMMIT_EVERY_S", 0.0)
    monkeypatch.setattr(results_module, "ATTEMPT_EVERY_S", 0.0)


class Counts(NamedTuple):
    """What a connection tells of its publications."""

    made: int
    unconfirmed: int


class PretendedBroker:
    """A broker of MQTT that confirms when a test says so, in the order of publication."""

    def __init__(self) -> None:
        """Begin with nothing published."""
        self.published: list[Publication] = []
        self.n_confirmed = 0

    @property
    def publications(self) -> Counts:
        """How many there are."""
        return Counts(len(self.published), len(self.published) - self.n_confirmed)

    def publish_all(self, publications: Sequence[Publication]) -> None:
        """Take publications."""
        self.published += publications

    def confirm(self, n: int) -> None:
        """Confirm some more."""
        self.n_confirmed = min(self.n_confirmed + n, len(self.published))

    def await_confirmations(self, most: int, *, timeout_s: float) -> bool:
        """Confirm all."""
        self.confirm(len(self.published))
        return True


class PretendedError:
    """An error in place of a record."""

    def __init__(self, code: int) -> None:
        """Take its code."""
        self._error = KafkaError(code)

    def error(self) -> KafkaError:
        """Return it."""
        return self._error


class PretendedTopic:
    """A topic of one partition, its group, and the consumer of it that lives."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[MadeRecord] = []
        self.committed = 0
        self.errors: list[PretendedError] = []
        self.is_away = False
        self.is_paused = False
        self.position = 0
        self.on_revoke: Callable[..., None]

    def write(self, *records: MadeRecord) -> None:
        """Add records."""
        for record in records:
            record._offset = len(self.records)
            self.records.append(record)

    def consumer(self, on_commit: Callable[..., None]) -> "PretendedTopic":
        """Return what reads it from where was committed.

        Raises:
            KafkaException: Kafka is away.
        """
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.position = self.committed
        self.is_paused = False
        return self

    def subscribe(
        self, topics: list[str], *, on_revoke: Callable[..., None], on_lost: Callable[..., None]
    ) -> None:
        """Note who is to hear when the partition goes to another."""
        self.on_revoke = on_revoke

    def assignment(self) -> list[TopicPartition]:
        """Return its partition."""
        return [TopicPartition("har.results", 0)]

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Give nothing more."""
        self.is_paused = True

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Give what there is."""
        self.is_paused = False

    def consume(self, n: int, *, timeout: float) -> list[Any]:
        """Return what follows."""
        if self.errors:
            return [self.errors.pop()]
        records = [] if self.is_paused else self.records[self.position : self.position + n]
        self.position += len(records)
        return records

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Note how far it was read."""
        (place,) = offsets
        assert place.offset >= self.committed
        self.committed = place.offset

    def close(self) -> None:
        """End."""


class Bridged:
    """The way from a pretended topic to a pretended broker."""

    def __init__(self, topic: PretendedTopic | None = None) -> None:
        """Begin; on a topic that was read before, where that was committed."""
        self.topic = topic or PretendedTopic()
        self.broker = PretendedBroker()
        self.counts = BridgeCounts()
        broker: Any = self.broker
        make_consumer: Any = self.topic.consumer
        self.way = ResultsToMqtt(
            broker,
            "har.results",
            make_consumer=make_consumer,
            most_bytes=1_000,
            counts=self.counts,
            reachability=Reachability("kafka:9092"),
            config=KafkaConfig(None),
        )

    def turn(self) -> None:
        """Let the bridge's loop turn once."""
        self.way.turn(timeout_s=0.0)


def numbered(number: int) -> MadeRecord:
    """Return the result of a number; some are no results, some repeat the one before."""
    if number % 7 == 3:
        return MadeRecord(b"p", b"x", [("topic", b"elsewhere")])
    if number % 7 == 5:
        return numbered(number - 1)
    return result("p", "prediction", b"%d" % number, origin=f"run/0/{number}")


STEPS = st.lists(st.sampled_from(["write", "turn", "turn", "confirm", "kill"]), max_size=60)


@given(STEPS)
def test_whatever_happens(steps: list[str]) -> None:
    """Nothing is lost or out of order, and only what is confirmed counts as read."""
    bridged, n_written = Bridged(), 0
    published: list[bytes] = []
    for step in steps:
        topic, broker = bridged.topic, bridged.broker
        if step == "write":
            topic.write(*map(numbered, range(n_written, n_written + 5)))
            n_written += 5
        elif step == "turn":
            bridged.turn()
        elif step == "confirm":
            broker.confirm(3)
        else:
            published += [one.payload for one in broker.published]
            bridged = Bridged(topic)
        confirmed = {*published, *(one.payload for one in broker.published[: broker.n_confirmed])}
        passed = {record.value() for record in topic.records[: topic.committed]} - {b"x"}
        assert passed <= confirmed
    bridged.turn()
    bridged.way.finish(timeout_s=1.0)
    published += [one.payload for one in bridged.broker.published]
    expected = [record.value() for record in map(numbered, range(n_written))]
    assert [one for one in dict.fromkeys(expected) if one != b"x"] == [*dict.fromkeys(published)]
    assert n_written == bridged.topic.committed


def test_it_reads_no_further_than_may_wait() -> None:
    """While the broker confirms nothing, Kafka keeps the rest; afterwards reading goes on."""
    bridged = Bridged()
    n = 3 * results_module.MOST_UNCONFIRMED
    bridged.topic.write(*(result("p", "begins", b"%d" % k) for k in range(n)))
    for _ in range(50):
        bridged.turn()
    most = results_module.MOST_UNCONFIRMED + results_module.MOST_AT_ONCE
    assert results_module.MOST_UNCONFIRMED < len(bridged.broker.published) <= most
    assert 0 == bridged.topic.committed
    for _ in range(50):
        bridged.broker.confirm(1_000)
        bridged.turn()
    assert n == len(bridged.broker.published)
    assert n == bridged.topic.committed


def test_a_partition_that_another_gets() -> None:
    """What is confirmed is committed before it goes; nothing of it afterwards."""
    bridged = Bridged()
    bridged.topic.write(*map(result, "abc"))
    bridged.turn()
    bridged.topic.write(*map(result, "de"))
    bridged.turn()
    bridged.broker.confirm(4)
    bridged.topic.on_revoke(bridged.topic, bridged.topic.assignment())
    assert 3 == bridged.topic.committed
    bridged.broker.confirm(1)
    bridged.turn()
    assert 3 == bridged.topic.committed


def test_what_is_no_result_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted by its flaw; those behind it are published."""
    bridged = Bridged()
    foreign = [MadeRecord(b"p", b"x", [("topic", b"har/status")]) for _ in range(3)]
    bridged.topic.write(*foreign, MadeRecord(b"q", b"x", [("topic", b"har/p/info")]), result())
    with caplog.at_level(logging.WARNING):
        bridged.turn()
    assert {"topic": 3, "key": 1} == bridged.counts.rejected_results
    assert ["topic", "key"] == [record.fields["reason"] for record in caplog.records]
    assert ["har/p/prediction"] == [one.topic for one in bridged.broker.published]


def test_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Some pass by themselves; one that ends the consumer does not."""
    bridged = Bridged()
    bridged.topic.is_away = True
    with caplog.at_level(logging.ERROR):
        bridged.turn()
        bridged.turn()
        bridged.topic.is_away = False
        bridged.topic.write(result())
        bridged.topic.errors = [PretendedError(KafkaError.TOPIC_AUTHORIZATION_FAILED)] * 3
        for _ in range(4):
            bridged.turn()
    assert ["kafka-lost", "results-not-read"] == [record.event for record in caplog.records]
    assert 1 == len(bridged.broker.published)
    bridged.topic.errors = [PretendedError(KafkaError._FATAL)]
    with pytest.raises(BridgeError, match=r"results of the topic har.results cannot be read"):
        bridged.turn()
