"""From Kafka to MQTT with real brokers, whatever is killed or cut meanwhile."""

import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

pytest.importorskip("confluent_kafka", reason="needs the extra kafka: make test-scale")

from tests.brokers import Broker
from tests.client import MqttClient, Received, results_of
from tests.scale.bridged import Bridges, Sent, as_published, by_phone, results
from tests.scale.topics import Outgoing, write
from tests.scraping import Scraper
from tests.tcp_proxy import Cut, TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running
    from tests.scale.kafka import Kafka

    Start = Callable[..., Running]

pytestmark = [pytest.mark.scale, pytest.mark.broker]

_NUMBERS: Final = count(1)
COMMITS: Final = 6
"""Times that offsets are committed before something is killed"""


class ResultsClient(MqttClient):
    """A client that subscribes to results, with a session where one is named."""

    def __init__(self, broker: Broker, session: str = "") -> None:
        """Connect and subscribe."""
        self.distinct = set[Sent]()
        """What has come, each message once"""
        super().__init__(broker, *results_of(), session=session)

    def keep(self, message: Received) -> None:
        """Keep a message that has arrived."""
        super().keep(message)
        self.distinct.add((message.topic, message.payload))

    def await_distinct(self, n: int) -> None:
        """Return when so many different messages have come."""
        self.await_that(lambda: len(self.distinct) >= n)


@pytest.fixture
def bridges(start_command: "Start", kafka: "Kafka") -> Bridges:
    """Bridges of results alone, on a topic that no other test has, and that is there."""
    bridges = Bridges(start_command, kafka, f"results-{next(_NUMBERS)}", "--only", "results")
    kafka.create_topic(bridges.results, partitions=5)
    return bridges


@pytest.fixture
def client(lasting_mosquitto: "Mosquitto") -> Iterator[ResultsClient]:
    """A client, with a session, of a Mosquitto that keeps sessions: it gets all results."""
    lasting_mosquitto.start()
    with ResultsClient(lasting_mosquitto, session="reader") as client:
        yield client


def received(client: MqttClient) -> list[Sent]:
    """Return what has come to a client, in order."""
    return [(message.topic, message.payload) for message in client.received]


def write_until_committed(
    running: "Running", kafka: "Kafka", topic: str, *, first: int
) -> list[Outgoing]:
    """Write results a few at a time until their offsets were committed often; return all."""
    scraper, written = Scraper.of(running), list[Outgoing]()
    deadline = time.monotonic() + 60.0
    while scraper.samples().get("har_bridge_commits_total", 0) < COMMITS:
        assert time.monotonic() < deadline, running.log
        written += results(100, first=first + len(written))
        write(kafka.address, topic, written[-100:])
    return written


def assert_complete(client: ResultsClient, written: list[Outgoing], broker: Broker) -> None:
    """Assert that all results have come, each phone's in order, and what is to be is retained."""
    expected = as_published(written)
    client.await_distinct(len(expected))
    assert by_phone(expected) == by_phone(received(client))
    retained = {topic: payload for topic, payload in expected if topic.endswith("/activity")}
    with ResultsClient(broker) as late:
        late.await_that(lambda: len(late.received) >= len(retained))
        assert retained == {one.topic: one.payload for one in late.received}


def test_a_result_as_it_was(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """Each leaf comes on its topic with its payload, empty ones too; only some are retained."""
    good = [
        Outgoing(b"p", b'{"start": 1}', {"topic": b"har/p/prediction"}),
        Outgoing(b"p", b"{}", {"topic": b"har/p/activity", "retain": b"1"}),
        Outgoing(b"p", b'{"start": 1}', {"topic": b"har/p/episode"}),
        Outgoing(b"p", b"WALKING", {"topic": b"har/p/begins"}),
        Outgoing(b"p", b"online", {"topic": b"har/p/availability", "retain": b"1"}),
        Outgoing(b"p", b"x", {"topic": b"har/p/info", "retain": b"1"}),
        Outgoing(b"p", b"", {"topic": b"har/p/info", "retain": b"1"}),
        Outgoing("Gerät 7".encode(), b"x", {"topic": "har/Gerät 7/begins".encode()}),
    ]
    foreign = [
        Outgoing(b"p", b"x", {}),
        Outgoing(b"p", b"x", {"topic": b"har/p/samples"}),
        Outgoing(b"p", b"x", {"topic": b"har/status"}),
        Outgoing(b"p", b"x", {"topic": b"$SYS/broker"}),
        Outgoing(b"homeassistant", b"x", {"topic": b"homeassistant/device/config"}),
        Outgoing(b"p", b"x", {"topic": b"har/p/info/more"}),
        Outgoing(b"p", b"x", {"topic": b"har/p\xff/info"}),
        Outgoing(b"+", b"x", {"topic": b"har/+/info"}),
        Outgoing(b"q", b"x", {"topic": b"har/p/info"}),
        Outgoing(b"p", b"x", {"topic": b"har/p/info", "origin": b"7"}),
        Outgoing(b"p", b"x" * 3_000, {"topic": b"har/p/info"}),
    ]
    write(kafka.address, bridges.results, [*foreign, *good, *foreign])
    client.subscribe("#")
    running = bridges.start(lasting_mosquitto, "--max-packet", "2000")
    client.await_that(lambda: len(client.received) >= len(good))
    scraper = Scraper.of(running)
    scraper.await_samples(
        {
            "har_bridge_results_total": 8,
            'har_bridge_rejected_records_total{reason="topic"}': 14,
            'har_bridge_rejected_records_total{reason="device"}': 2,
            'har_bridge_rejected_records_total{reason="key"}': 2,
            'har_bridge_rejected_records_total{reason="origin"}': 2,
            'har_bridge_rejected_records_total{reason="size"}': 2,
            "har_unconfirmed_publications": 0,
        }
    )
    assert {} == scraper.wrong()
    assert {*as_published(good)} == {*received(client)}
    assert 0 == running.end()
    assert 5 == running.log.count("a record is no result")
    again = bridges.start(lasting_mosquitto, "--max-packet", "2000")
    Scraper.of(again).await_samples({"har_bridge_kafka_up": 1})
    assert 0 == again.end()
    assert "0 results to MQTT (0 repeats, 0 rejected)" in again.log
    with MqttClient(lasting_mosquitto, "#") as late:
        late.await_that(lambda: len(late.received) >= 2)
        assert {"har/p/activity", "har/p/availability"} == {one.topic for one in late.received}


def test_repeats_are_dropped(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """A batch that was processed twice is published once, with origins and without."""
    running = bridges.start(lasting_mosquitto)
    unrepeated = [
        one
        for one in results(60, first=1_000, origin=False)
        if not one.headers["topic"].endswith(b"/activity")
    ]
    for batch in (results(90), unrepeated):
        write(kafka.address, bridges.results, [*batch[:20], *batch, *batch])
    activity = Outgoing(b"p", b"{}", {"topic": b"har/p/activity"})  # may well be the same again
    write(kafka.address, bridges.results, [activity, activity])
    Scraper.of(running).await_samples(
        {
            "har_bridge_repeated_results_total": 20 + 90 + 20 + len(unrepeated),
            "har_bridge_results_total": 90 + len(unrepeated) + 2,
            "har_unconfirmed_publications": 0,
        }
    )
    expected = as_published([*results(90), *unrepeated, activity, activity])
    assert sorted(expected) == sorted(received(client))
    assert 0 == running.end()


def test_a_killed_bridge_has_lost_nothing(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """Killed three times in the middle of the results, each time after some commits."""
    written: list[Outgoing] = []
    running = bridges.start(lasting_mosquitto)
    for _ in range(3):
        written += write_until_committed(running, kafka, bridges.results, first=len(written))
        more = results(2_000, first=len(written))
        write(kafka.address, bridges.results, more)
        written += more
        running.end(signal.SIGKILL)
        running = bridges.start(lasting_mosquitto)
    assert_complete(client, written, lasting_mosquitto)
    assert 0 == running.end()
    assert len(client.received) < 1.5 * len(written)  # it did not begin anew


def test_a_killed_kafka_has_lost_nothing(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """While it is away nothing comes; that is said once, as is its return."""
    running = bridges.start(lasting_mosquitto)
    written: list[Outgoing] = []
    for k in range(3):
        written += write_until_committed(running, kafka, bridges.results, first=len(written))
        written += results(500, first=len(written))
        write(kafka.address, bridges.results, written[-500:])
        kafka.kill()
        try:
            running.await_log("no connection to Kafka", times=k + 1)
        finally:
            kafka.start()
        running.await_log("Kafka can be reached again", times=k + 1)
    assert_complete(client, written, lasting_mosquitto)
    assert 0 == running.end()
    assert 3 == running.log.count("no connection to Kafka")


def test_a_killed_broker_has_lost_nothing(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """What it has not confirmed is published again, however much waits meanwhile."""
    running = bridges.start(lasting_mosquitto)
    written: list[Outgoing] = []
    for k in range(3):
        written += results(3_000, first=len(written))
        write(kafka.address, bridges.results, written[-3_000:])
        client.await_distinct(len(written))
        Scraper.of(running).await_samples({"har_unconfirmed_publications": 0})
        lasting_mosquitto.save()
        lasting_mosquitto.stop(signal.SIGKILL)
        running.await_log("connection lost", times=k + 1)
        written += results(9_000, first=len(written))
        write(kafka.address, bridges.results, written[-9_000:])
        Scraper.of(running).await_at_least("har_unconfirmed_publications", 5_000)
        lasting_mosquitto.start()
        running.await_log("connected to", times=k + 2)
    assert_complete(client, written, lasting_mosquitto)
    assert 0 == running.end()


@pytest.mark.parametrize("kind", ["drop", "reset", "stall"])
def test_a_cut_connection_has_lost_nothing(
    client: ResultsClient,
    lasting_mosquitto: "Mosquitto",
    bridges: Bridges,
    kafka: "Kafka",
    kind: Cut,
) -> None:
    """Cut in the middle of the results, three times."""
    written: list[Outgoing] = []
    with TcpProxy(lasting_mosquitto.port) as proxy:
        running = bridges.start(Broker(proxy.port))
        for k in range(3):
            written += results(3_000, first=len(written))
            write(kafka.address, bridges.results, written[-3_000:])
            proxy.cut(kind, after_bytes=20_000)
            running.await_log("connected to", times=k + 2)
        assert_complete(client, written, lasting_mosquitto)
        assert 0 == running.end()


def test_two_bridges_share_the_results(
    client: ResultsClient, lasting_mosquitto: "Mosquitto", bridges: Bridges, kafka: "Kafka"
) -> None:
    """Each reads some partitions; when one is killed, the other reads all of them."""
    first = bridges.start(lasting_mosquitto)
    second = bridges.start(lasting_mosquitto)
    written: list[Outgoing] = []
    while not all(Scraper.of(one).samples()["har_bridge_results_total"] for one in (first, second)):
        written += results(100, first=len(written))
        write(kafka.address, bridges.results, written[-100:])
    client.await_distinct(len(written))
    first.end(signal.SIGKILL)
    written += results(1_000, first=len(written))
    write(kafka.address, bridges.results, written[-1_000:])
    assert_complete(client, written, lasting_mosquitto)
    assert 0 == second.end()
