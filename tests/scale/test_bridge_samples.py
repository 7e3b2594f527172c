"""From MQTT to Kafka with real brokers, whatever is killed or cut meanwhile.

Of what is in Kafka the repeats are left out, as the recognizer does. Then each phone's records are
those that were sent, in their order.
"""

import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.brokers import Broker
from tests.client import MqttClient
from tests.scale.bridged import PHONES, Bridges, Sent, as_sent, by_phone, messages
from tests.scale.topics import Entry, Reader
from tests.scraping import Scraper
from tests.tcp_proxy import Cut, TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running
    from tests.scale.kafka import Kafka

    Start = Callable[..., Running]

pytestmark = [pytest.mark.scale, pytest.mark.broker]

_NUMBERS: Final = count(1)
LOST: Final = "no connection to Kafka"


@pytest.fixture
def bridges(start_command: "Start", kafka: "Kafka") -> Bridges:
    """Bridges of samples alone, on topics that no other test has."""
    return Bridges(start_command, kafka, f"samples-{next(_NUMBERS)}", "--only", "samples")


@pytest.fixture
def client(lasting_mosquitto: "Mosquitto") -> Iterator[MqttClient]:
    """A client of a Mosquitto that keeps sessions."""
    lasting_mosquitto.start()
    with MqttClient(lasting_mosquitto, session="phones") as client:
        yield client


def send(client: MqttClient, sent: list[Sent]) -> None:
    """Publish messages without awaiting that the broker has them."""
    for topic, payload in sent:
        client.send(topic, payload)


class Arrived:
    """What has come into a topic of samples."""

    def __init__(self, reader: Reader) -> None:
        """Begin with nothing."""
        self._reader = reader
        self.entries: list[Entry] = []

    def await_distinct(self, n: int) -> None:
        """Return when so many different messages are there."""
        while len(set(as_sent(self.entries))) < n:
            self.entries += self._reader.await_entries(1)

    def await_all(self, sent: list[Sent]) -> None:
        """Return when all that was sent is there; fail if it is otherwise, or out of order."""
        self.await_distinct(len(sent))
        self.entries += self._reader.rest()
        assert by_phone(sent) == by_phone(as_sent(self.entries))
        assert {*PHONES} >= {(entry.key or b"").decode() for entry in self.entries}


def test_a_message_as_it_was(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """Payloads are unchanged, keys are devices, headers tell topics and what was retained."""
    client.publish("har/phone-1/calibration", b'{"v": 1}', retain=True)
    running = bridges.start(lasting_mosquitto, "--subscribe", "shared=sensor-logger")
    running.await_log("created the topic")
    native = b'{"v": 1, "start": 1, "rate": 50, "acc": [[1, 2, 3]], "gyro": [[1, 2, 3]]}'
    of_one = (
        b'{"deviceId": "p-1", "sessionId": "s", "payload": [{"name": "accelerometer", '
        b'"time": 1698501144400000000, "values": {"x": 0.1, "y": 0.2, "z": 9.8}}]}'
    )
    sent: list[Sent] = [
        ("har/phone-1/samples", native),
        ("har/phone-1/label", b"WALKING"),
        ("har/phone-1/options", b""),
        ("browser/phone-2", b"\x00no samples\xff"),
        ("sensorspot/phone-3/accelerometer", b"x"),
        ("shared", of_one),
        ("shared", b"nonsense"),
    ]
    for topic, payload in sent:
        client.publish(topic, payload)
    with bridges.reader() as reader:
        entries = reader.await_entries(8)
    found = {
        (e.headers["topic"].decode(), e.value): (e.key, e.headers.get("retained")) for e in entries
    }
    assert {
        ("har/phone-1/calibration", b'{"v": 1}'): (b"phone-1", b"1"),
        ("har/phone-1/samples", native): (b"phone-1", None),
        ("har/phone-1/label", b"WALKING"): (b"phone-1", None),
        ("har/phone-1/options", b""): (b"phone-1", None),
        ("browser/phone-2", b"\x00no samples\xff"): (b"phone-2", None),
        ("sensorspot/phone-3/accelerometer", b"x"): (b"phone-3", None),
        ("shared", of_one): (b"p-1", None),
        ("shared", b"nonsense"): (b"shared", None),
    } == found
    scraper = Scraper.of(running)
    scraper.await_samples({"har_bridge_messages_total": 8, "har_unacknowledged_messages": 0})
    assert {} == scraper.wrong()
    assert 0 == running.end()
    assert "stopped: 8 messages to Kafka (0 refused, 0 dropped)" in running.log
    again = bridges.start(lasting_mosquitto)  # the broker has nothing left to send
    retained = {"har_bridge_messages_total": 1, "har_unacknowledged_messages": 0}
    Scraper.of(again).await_samples(retained)
    assert 0 == again.end()
    assert "stopped: 1 messages to Kafka" in again.log


def test_a_killed_bridge_has_lost_nothing(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges
) -> None:
    """Killed three times in the middle of the messages."""
    sent = messages(4_000)
    running = bridges.start(lasting_mosquitto)
    running.await_log("created the topic")
    with bridges.reader() as reader:
        arrived = Arrived(reader)
        for k in range(4):
            send(client, sent[1_000 * k : 1_000 * (k + 1)])
            arrived.await_distinct(1_000 * k + 300)
            if k < 3:
                running.end(signal.SIGKILL)
                running = bridges.start(lasting_mosquitto)
        arrived.await_all(sent)
    assert 0 == running.end()


def test_a_killed_kafka_has_lost_nothing(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """While it is away no more is held than may be, and that is said once, as is its return."""
    sent = messages(3_000)
    running = bridges.start(lasting_mosquitto, "--max-waiting", "200")
    running.await_log("created the topic")
    scraper = Scraper.of(running)
    with bridges.reader() as reader:
        arrived = Arrived(reader)
        for k in range(3):
            send(client, sent[1_000 * k : 1_000 * k + 500])
            arrived.await_distinct(1_000 * k + 300)
            kafka.kill()
            try:
                send(client, sent[1_000 * k + 500 : 1_000 * (k + 1)])
                running.await_log(LOST, times=k + 1)
                assert {"kafka"} == {*scraper.await_wrong("kafka")}
                scraper.await_samples({"har_bridge_held_messages": 200})
            finally:
                kafka.start()
            arrived.await_distinct(1_000 * (k + 1))
            running.await_log("Kafka can be reached again", times=k + 1)
            assert {} == scraper.await_wrong()
        arrived.await_all(sent)
    assert 0 == running.end()
    assert 3 == running.log.count(LOST)


def test_a_killed_broker_sends_again(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """What it had saved and sent, but Kafka did not have, comes again and goes there once."""
    sent = messages(1_200)
    running = bridges.start(lasting_mosquitto)
    running.await_log("created the topic")
    scraper = Scraper.of(running)
    with bridges.reader() as reader:
        arrived = Arrived(reader)
        for k in range(3):
            part = sent[400 * k : 400 * (k + 1)]
            send(client, part[:200])
            arrived.await_distinct(400 * k + 200)
            scraper.await_samples(
                {"har_bridge_messages_total": 400 * k + 200, "har_unacknowledged_messages": 0}
            )
            kafka.kill()
            try:
                send(client, part[200:])
                client.publish("har/somebody/else", b"")  # the broker has all before
                scraper.await_samples({"har_bridge_held_messages": 200})
                lasting_mosquitto.save()
                lasting_mosquitto.stop(signal.SIGKILL)
                running.await_log("connection lost", times=k + 1)
                lasting_mosquitto.start()
                running.await_log("connected to", times=k + 2)
                scraper.await_samples({"har_bridge_repeated_messages_total": 200 * (k + 1)})
            finally:
                kafka.start()
            arrived.await_distinct(400 * (k + 1))
        arrived.await_all(sent)
    assert len(sent) == len(arrived.entries)
    assert 0 == running.end()


@pytest.mark.parametrize("kind", ["drop", "reset", "stall"])
def test_a_cut_connection_has_lost_nothing(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kind: Cut
) -> None:
    """Cut in the middle of the messages, three times; each goes to Kafka once."""
    sent = messages(3_000)
    with TcpProxy(lasting_mosquitto.port) as proxy:
        running = bridges.start(Broker(proxy.port))
        running.await_log("created the topic")
        with bridges.reader() as reader:
            arrived = Arrived(reader)
            for k in range(3):
                send(client, sent[1_000 * k : 1_000 * (k + 1)])
                proxy.cut(kind, after_bytes=100_000)
                running.await_log("connected to", times=k + 2)
            arrived.await_all(sent)
        assert len(sent) == len(arrived.entries)
        assert 0 == running.end()


def test_what_kafka_refuses_holds_up_nothing(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """Messages that are too large for a topic of Kafka are counted, said and acknowledged."""
    kafka.create_topic(bridges.samples, partitions=3, max_message_bytes="20000")
    running = bridges.start(lasting_mosquitto)
    running.await_log("has times of its producers")
    sent = messages(500)
    for topic, payload in sent:
        client.send(topic, payload)
        if json_number(payload) % 10 == 0:
            client.send(topic, b"x" * 30_000)
    with bridges.reader() as reader:
        Arrived(reader).await_all(sent)
    scraper = Scraper.of(running)
    scraper.await_samples(
        {
            "har_bridge_messages_total": 500,
            'har_bridge_refused_messages_total{reason="size"}': 50,
            "har_unacknowledged_messages": 0,
        }
    )
    assert 0 == running.end()
    assert len(PHONES) >= running.log.count("does not go to Kafka (size")


def test_it_waits_for_a_kafka_that_is_not_there_yet(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """As after a start of the machine; it can be stopped meanwhile."""
    kafka.kill()
    try:
        stopped = bridges.start(lasting_mosquitto, await_text=LOST)
        send(client, messages(100))
        Scraper.of(stopped).await_samples({"har_bridge_held_messages": 100})
        assert 0 == stopped.end()
        running = bridges.start(lasting_mosquitto, await_text=LOST)
    finally:
        kafka.start()
    running.await_log("Kafka can be reached again")
    with bridges.reader() as reader:
        Arrived(reader).await_all(messages(100))
    assert 0 == running.end()
    assert 1 == running.log.count(LOST)


def test_a_topic_that_cannot_be_made(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges
) -> None:
    """The bridge ends and says how it is made."""
    ended = bridges.start(lasting_mosquitto, "--partitions", "20000")
    assert 1 == ended.process.wait(20)
    assert (
        f"har-bridge: the topic {bridges.samples} is missing, or we may not describe it, and Kafka "
        "does not let us create it"
    ) in ended.log
    assert f"kafka-topics.sh --create --topic {bridges.samples} --partitions 20000" in ended.log


def test_two_of_one_name(
    client: MqttClient, lasting_mosquitto: "Mosquitto", bridges: Bridges
) -> None:
    """The one that was started last stays; the other says why it ends."""
    first = bridges.start(lasting_mosquitto)
    second = bridges.start(lasting_mosquitto)
    assert 1 == first.process.wait(20)
    assert "has it our --client-id? Give each program one of its own" in first.log
    assert 0 == second.end()


def json_number(payload: bytes) -> int:
    """Return the number of one of `messages`."""
    return int(payload.split(b":")[1].split(b"}")[0])
