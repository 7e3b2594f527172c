"""What the tests of har-bridge send through it, and how they compare what comes out."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tests.scale.topics import Entry, Outgoing, Reader

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running
    from tests.scale.kafka import Kafka

    Start = Callable[..., Running]

PHONES: Final = [f"phone-{n}" for n in range(7)]

Sent = tuple[str, bytes]
"""Topic and payload of a message of MQTT"""


class Bridges:
    """Starts har-bridge between two brokers, on topics of its own."""

    def __init__(self, start: "Start", kafka: "Kafka", topic: str, *flags: str) -> None:
        """Name Kafka's topics by ``topic``; all get the flags."""
        self._start = start
        self._kafka = kafka
        self.samples = f"{topic}.samples"
        self.results = f"{topic}.results"
        self._group = topic
        self._flags = flags

    def start(self, broker: "Broker", *flags: str, await_text: str = "connected to") -> "Running":
        """Start one, and return when it is connected to the broker of MQTT."""
        running = self._start(
            "har-bridge",
            *("--broker", broker.host, "--port", str(broker.port)),
            *("--kafka", self._kafka.address, "--partitions", "5"),
            *("--samples-topic", self.samples, "--results-topic", self.results),
            *("--group", self._group, "--metrics", "127.0.0.1:0"),
            *self._flags,
            *flags,
        )
        running.await_log(await_text)
        return running

    def reader(self) -> Reader:
        """Return what reads samples; their topic is there."""
        return Reader(self._kafka.address, self.samples)


def messages(n: int, *, first: int = 0) -> list[Sent]:
    """Return messages of all phones in turn: samples, and now and then what instructs."""
    sent = []
    for number in range(first, first + n):
        phone = PHONES[number % len(PHONES)]
        leaf = "calibration" if number % 50 == 49 else "samples"
        sent.append((f"har/{phone}/{leaf}", json.dumps({"number": number}).encode() + b" " * 500))
    return sent


def results(n: int, *, first: int = 0, origin: bool = True) -> list[Outgoing]:
    """Return results of all phones in turn, some of them to be retained."""
    made = []
    for number in range(first, first + n):
        phone = PHONES[number % len(PHONES)]
        leaf = ("prediction", "activity", "episode")[number // len(PHONES) % 3]
        payload = json.dumps({"device": phone, "start": number}).encode()
        headers = {"topic": f"har/{phone}/{leaf}".encode()}
        if leaf == "activity":
            headers["retain"] = b"1"
        if origin:
            headers["origin"] = f"run-1/{number % 3}/{number}".encode()
        made.append(Outgoing(phone.encode(), payload, headers))
    return made


def by_phone(sent: Iterable[Sent]) -> Mapping[str, Sequence[Sent]]:
    """Return each phone's messages in their order, those that come again left out."""
    found: dict[str, dict[Sent, None]] = {}
    for topic, payload in sent:
        found.setdefault(topic.split("/")[1], {})[topic, payload] = None
    return {phone: list(of_phone) for phone, of_phone in sorted(found.items())}


def as_sent(entries: Iterable[Entry]) -> list[Sent]:
    """Return the messages that records hold; each record has the key of its device."""
    sent = []
    for entry in entries:
        topic = entry.headers["topic"].decode()
        assert topic.split("/")[1].encode() == entry.key
        sent.append((topic, entry.value))
    return sent


def as_published(records: Iterable[Outgoing]) -> list[Sent]:
    """Return what is to be published of records."""
    return [(record.headers["topic"].decode(), record.value) for record in records]
