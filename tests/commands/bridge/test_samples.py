"""From MQTT to Kafka between pretended brokers; with real ones it is in tests/scale."""

import logging
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("confluent_kafka", reason="needs the extra kafka")

from confluent_kafka import KafkaError

from pipeline.commands.bridge import samples as samples_module
from pipeline.commands.bridge.counts import BridgeCounts
from pipeline.commands.bridge.kafka_config import KafkaConfig
from pipeline.commands.bridge.reachability import Reachability
from pipeline.commands.bridge.record_keys import RecordKeys
from pipeline.commands.bridge.samples import SamplesToKafka
from pipeline.messages import Message
from pipeline.subscriptions import subscriptions_of
from tests.commands.bridge.pretended import PretendedKafka, PretendedMqtt

KEYS: Final = RecordKeys(subscriptions_of([], with_defaults=False))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another producer is made in the next turn."""
    monkeypatch.setattr(samples_module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(samples_module, "LONGEST_PAUSE_S", 0.0)


class Bridged:
    """The way from a pretended broker to a pretended Kafka."""

    def __init__(self, *, receive_maximum: int = 50) -> None:
        """Begin with nothing sent."""
        self.mqtt = PretendedMqtt(receive_maximum=receive_maximum)
        self.kafka = PretendedKafka()
        self.counts = BridgeCounts()
        mqtt: Any = self.mqtt
        make_producer: Any = self.kafka.make_producer
        self.way = SamplesToKafka(
            mqtt,
            "har.samples",
            make_producer=make_producer,
            keys=KEYS,
            counts=self.counts,
            reachability=Reachability("kafka:9092"),
            config=KafkaConfig(None),
        )

    def turn(self) -> None:
        """Let the bridge's loop turn once."""
        self.way.turn(timeout_s=0.0)

    def send(self, *numbers: int) -> None:
        """Publish messages of three phones in turn."""
        for number in numbers:
            self.mqtt.queue(f"har/p-{number % 3}/samples", b"%d" % number)

    def finish(self) -> None:
        """Let all arrive that is still to."""
        self.kafka.is_away = False
        if self.mqtt.is_deaf:
            self.mqtt.cut()
        for _ in range(200):
            self.turn()
            self.kafka.producers[-1].arrive(1_000)
        assert self.mqtt.is_done
        assert 0 == self.way.n_held


def test_the_time_goes_into_each_partition() -> None:
    """It is written where Kafka takes records, and nobody waits for it."""
    bridged = Bridged()
    bridged.way.write_time()
    bridged.turn()
    bridged.way.write_time()
    bridged.finish()
    assert [(b"into %d" % number, b"") for number in range(3)] == bridged.kafka.records


def without_repeats(records: list[tuple[bytes, bytes]]) -> dict[bytes, list[int]]:
    """Return the numbers of each phone, those that come again left out."""
    found: dict[bytes, dict[int, None]] = {}
    for key, payload in records:
        found.setdefault(key, {})[int(payload)] = None
    return {key: list(numbers) for key, numbers in found.items()}


STEPS: Final = st.lists(
    st.sampled_from(
        [
            *("send", "send", "send", "turn", "turn", "turn", "arrive", "arrive"),
            *("cut", "deaf", "fail", "unreported", "away", "back"),
        ]
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 40))
def test_whatever_happens(steps: list[str], receive_maximum: int) -> None:
    """Nothing is lost, each phone's records are in order, and only what Kafka has is acknowledged.

    Connections are cut, producers fail with what is on their way, Kafka goes and comes.
    """
    bridged = Bridged(receive_maximum=receive_maximum)
    n_sent = 0
    for step in steps:
        producer = bridged.kafka.producers[-1] if bridged.kafka.producers else None
        if step == "send":
            bridged.send(*range(n_sent, n_sent + 7))
            n_sent += 7
        elif step == "turn":
            bridged.turn()
        elif step == "cut":
            bridged.mqtt.cut()
        elif step == "deaf":
            bridged.mqtt.is_deaf = True
        elif step in ("away", "back"):
            bridged.kafka.is_away = step == "away"
        elif producer is None:
            continue
        elif step == "arrive":
            producer.arrive(5)
        elif step == "unreported":
            producer.arrive(3, is_reported=False)
            producer.purge()
        elif step == "fail":
            producer.refuse(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            producer.purge()
        arrived = {payload for _, payload in bridged.kafka.records}
        assert {*bridged.mqtt.acknowledged} <= arrived
        assert bridged.way.n_held <= receive_maximum
    bridged.finish()
    expected = {b"p-%d" % phone: list(range(phone, n_sent, 3)) for phone in range(min(3, n_sent))}
    assert expected == without_repeats(bridged.kafka.records)
    assert list(range(n_sent)) == sorted({int(payload) for payload in bridged.mqtt.acknowledged})


@given(st.lists(st.sampled_from(["send", "turn", "arrive", "cut", "deaf"]), max_size=60))
def test_what_comes_again_goes_once(steps: list[str]) -> None:
    """However often the connection is cut, a message that was handed over is not so again."""
    bridged, n_sent = Bridged(), 0
    bridged.turn()
    for step in steps:
        if step == "send":
            bridged.send(n_sent)
            n_sent += 1
        elif step == "turn":
            bridged.turn()
        elif step == "arrive":
            bridged.kafka.producers[-1].arrive(3)
        elif step == "deaf":
            bridged.mqtt.is_deaf = True
        else:
            bridged.mqtt.cut()
    bridged.finish()
    assert [*range(n_sent)] == sorted(int(payload) for _, payload in bridged.kafka.records)


def test_what_kafka_refuses_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What is too large here, for the producer or for Kafka, is counted, said and acknowledged."""
    bridged = Bridged()
    bridged.turn()
    bridged.send(0)
    bridged.mqtt.queue("har/p-1/samples", b"x" * 2_000)
    bridged.send(1, 2)
    bridged.turn()
    producer = bridged.kafka.producers[-1]
    producer.arrive(1)
    producer.refuse(KafkaError.INVALID_RECORD)
    producer.arrive(1)
    with caplog.at_level(logging.WARNING):
        bridged.turn()
    assert bridged.mqtt.is_done
    assert {"size": 1, "record": 1} == bridged.counts.refused_samples
    assert 2 == bridged.counts.samples
    assert ["har/p-1/samples", "har/p-1/samples"] == [
        record.fields["topic"] for record in caplog.records
    ]
    assert 1 == bridged.counts.producers


def test_a_failure_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A right that was withdrawn is tried again and again; what is said is that, and its end."""
    bridged = Bridged()
    bridged.turn()
    bridged.send(*range(5))
    with caplog.at_level(logging.INFO):
        for _ in range(4):
            bridged.turn()
            bridged.kafka.producers[-1].refuse(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            bridged.turn()
        bridged.finish()
    assert ["producer-failed", "producer-recovered"] == [record.event for record in caplog.records]
    assert 5 == len(bridged.kafka.records)
    assert 1 < bridged.counts.producers


def test_a_broker_that_forgets() -> None:
    """What it had sent goes to Kafka all the same; its packet identifiers begin anew."""
    bridged = Bridged()
    bridged.turn()
    bridged.send(0, 1, 2)
    bridged.turn()
    bridged.mqtt.forget()
    bridged.send(3, 4, 5)
    bridged.turn()
    bridged.kafka.producers[-1].arrive(4)
    bridged.turn()
    assert [b"3"] == bridged.mqtt.acknowledged
    assert 2 == bridged.way.n_held
    bridged.kafka.producers[-1].refuse(KafkaError._FATAL)
    bridged.finish()
    assert [*range(6)] == [int(payload) for _, payload in bridged.kafka.records]


def test_at_qos_0(caplog: pytest.LogCaptureFixture) -> None:
    """While too many are held, new ones are dropped, counted and said; those before go."""
    bridged = Bridged(receive_maximum=4)
    bridged.kafka.is_away = True
    bridged.mqtt._sent = [Message("har/p-0/samples", b"%d" % n, 1.0) for n in range(0, 30, 3)]
    with caplog.at_level(logging.WARNING):
        bridged.turn()
    assert 4 == bridged.way.n_held
    assert 6 == bridged.counts.dropped_samples
    assert ["messages-lost"] == [
        record.event for record in caplog.records if record.event != "kafka-lost"
    ]
    bridged.finish()
    assert [b"0", b"3", b"6", b"9"] == [payload for _, payload in bridged.kafka.records]


def test_what_was_passed_over() -> None:
    """Of a message that was too large to be kept there is nothing to take to Kafka."""
    bridged = Bridged()
    bridged.turn()
    bridged.mqtt.queue("har/p-1/samples", b"")
    (sent,) = bridged.mqtt._sent
    bridged.mqtt._sent = [Message(sent.topic, b"", sent.received, sent.mid, oversize=2_000_000)]
    bridged.turn()
    assert bridged.mqtt.is_done
    assert [] == bridged.kafka.records
    assert {"size": 1} == bridged.counts.refused_samples
