"""One phone that floods at QoS 1 beside fifty others: it alone loses, and it is told.

What the others wait for is counted in messages of the flood that the broker took meanwhile, not in
seconds, which a busy machine stretches.
"""

import json
import re
import signal
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pytest

from pipeline.mqtt.allowances import BACKLOG, MOST_PER_S
from pipeline.readings import MAX_ROWS
from pipeline.vocabulary import CHANNELS
from tests.benchmarks.commands import memory_mib
from tests.benchmarks.mqtt_packets import connected, remaining_length, text
from tests.client import MqttClient, Received

if TYPE_CHECKING:
    from pathlib import Path

    from tests.brokers import Broker, Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]

EPOCH: Final = 1698501144.4
N_PHONES: Final = 50
N_ROUNDS: Final = 16
ROWS: Final = 32
"""Samples in a phone's message, and the hop: from the fourth on each message completes a window"""
FLOOD_PER_S: Final = 4 * MOST_PER_S
LONG_PER_S: Final = 40
"""Messages of the largest size: several times what har-stream could process on a core"""
MOST_MIB: Final = 400
MOST_UNCONFIRMED: Final = 1_000
"""Messages of the flood on their way to the broker: it is not to be the broker that is too slow"""
MAX_WAITING: Final = 20_000
"""Messages that the broker sends ahead, by default"""
STORED: Final = "$SYS/broker/store/messages/count"

Window = tuple[str, float]
"""Device and start"""

pytestmark = pytest.mark.broker


def message(seed: int, first: int, n_rows: int) -> bytes:
    """Return a message of prepared samples from a place in a recording on."""
    rows = np.random.default_rng([seed, first]).normal(size=(n_rows, 9)) * 0.3
    start = EPOCH + first / 50
    content = {"start": start, "rate": 50, "channels": CHANNELS, "samples": rows.round(3).tolist()}
    return json.dumps(content).encode()


class Flood:
    """A phone that sends at QoS 1 faster than it can be answered."""

    def __init__(
        self, broker: "Broker", device: str, *, per_s: float, most: int, n_rows: int = 1
    ) -> None:
        """Begin to send ``per_s`` messages a second of ``n_rows`` samples, ``most`` at most."""
        self._link = connected(broker.port, device)
        self._topic = text(f"har/{device}/samples")
        self._per_s = per_s
        self._most = most
        self._n_rows = n_rows
        self._ending = threading.Event()
        self._changed = threading.Condition()
        self.n_sent = 0
        self.n_confirmed = 0
        self._threads = [threading.Thread(target=run) for run in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        """Return it, to be ended at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End it."""
        self.end()

    def end(self) -> None:
        """Send no more, and return when the broker has all that was sent."""
        self._ending.set()
        self._threads[0].join()
        with self._changed:
            self._changed.wait_for(lambda: self.n_confirmed >= self.n_sent, 30.0)
        self._link.shutdown(socket.SHUT_RDWR)
        self._threads[1].join()
        self._link.close()

    def _send(self) -> None:
        rows = message(0, 0, self._n_rows).replace(b"%.1f" % EPOCH, b"%.2f")
        at_once = max(1, 100 // self._n_rows)
        begin = time.monotonic()
        while not self._ending.is_set() and self.n_sent < self._most:
            packets = bytearray()
            for number in range(self.n_sent, self.n_sent + at_once):
                mid = (number % 65_535 + 1).to_bytes(2, "big")
                body = self._topic + mid + rows % (EPOCH + number * self._n_rows / 50)
                packets += b"\x32" + remaining_length(len(body)) + body
            self.n_sent += at_once
            self._link.sendall(packets)
            with self._changed:
                self._changed.wait_for(lambda: self.n_sent - self.n_confirmed < MOST_UNCONFIRMED)
            self._ending.wait(max(0.0, begin + self.n_sent / self._per_s - time.monotonic()))

    def _receive(self) -> None:
        self._link.settimeout(None)
        n_bytes = 0
        while answers := self._link.recv(1 << 16):
            n_bytes += len(answers)
            with self._changed:
                self.n_confirmed = n_bytes // 4
                self._changed.notify_all()


class Phones(MqttClient):
    """Fifty phones, and all that har-stream and the broker tell."""

    def __init__(self, broker: "Broker") -> None:
        """Connect and subscribe."""
        self.predictions: defaultdict[Window, set[bytes]] = defaultdict(set)
        self.most_stored = 0
        """Messages that the broker kept, at most"""
        super().__init__(broker, "har/+/prediction", "har/+/info", "har/load", STORED)

    def keep(self, message: Received) -> None:
        """Keep what arrives."""
        if message.topic == STORED:
            self.most_stored = max(self.most_stored, int(message.payload))
        elif message.topic.endswith("/prediction"):
            content = json.loads(message.payload)
            self.predictions[content["device"], content["start"]].add(message.payload)
        else:
            super().keep(message)

    def send_round(self, number: int) -> None:
        """Send the next message of each phone."""
        for phone in range(N_PHONES):
            self.send(f"har/phone-{phone}/samples", message(phone + 1, number * ROWS, ROWS))

    def await_round(self, number: int) -> None:
        """Return when each phone has the window that its message completes."""
        if number < 3:
            return
        start = round(EPOCH + (number - 3) * ROWS / 50, 6)
        windows = {(f"phone-{phone}", start) for phone in range(N_PHONES)}
        self.await_that(lambda: windows <= self.predictions.keys(), f"round {number} is missing")

    def do_rounds(self, *numbers: int) -> None:
        """Send rounds, each when the one before was answered."""
        for number in numbers:
            self.send_round(number)
            self.await_round(number)

    def await_report(self, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the next report of the load of which something is true."""
        while True:
            report: dict[str, Any] = json.loads(self.await_message("har/load")[0])
            if is_so(report):
                return report

    def await_dropped(self, device: str) -> None:
        """Return when a phone was told that messages of it were dropped."""
        while b"dropped-messages" not in self.await_message(f"har/{device}/info")[0]:
            pass

    def of_phones(self) -> dict[Window, set[bytes]]:
        """Return the predictions of the fifty."""
        return {window: p for window, p in self.predictions.items() if "phone-" in window[0]}


@pytest.fixture
def mosquitto(lasting_mosquitto: "Mosquitto") -> Iterator["Mosquitto"]:
    """A Mosquitto that tells every second how many messages it keeps."""
    lasting_mosquitto.configure("sys_interval 1")
    lasting_mosquitto.start()
    yield lasting_mosquitto
    lasting_mosquitto.stop()


@pytest.fixture
def start(
    mosquitto: "Mosquitto", start_command: "Start", tiny_model: "Path"
) -> Callable[..., "Running"]:
    """A function that starts a har-stream, and returns when it is online."""

    def start(*flags: str) -> "Running":
        running = start_command(
            "har-stream", *mosquitto.flags, "--model", str(tiny_model), "--hop", str(ROWS),
            *flags,
        )  # fmt: skip
        running.await_log("connected to")
        mosquitto.await_har_stream()
        return running

    return start


@pytest.fixture
def undisturbed(
    mosquitto: "Mosquitto", start: Callable[..., "Running"]
) -> dict[Window, set[bytes]]:
    """The predictions of the fifty where nobody floods."""
    running = start()
    with Phones(mosquitto) as phones:
        phones.do_rounds(*range(N_ROUNDS))
        assert 0 == running.end()
        assert N_PHONES * (N_ROUNDS - 3) == len(phones.predictions)
        return phones.of_phones()


def test_a_flood_costs_its_sender_alone(
    mosquitto: "Mosquitto", start: Callable[..., "Running"], undisturbed: dict[Window, set[bytes]]
) -> None:
    """Others have the same predictions as without it, and do not wait behind it at the broker.

    Every message of the flood was taken or dropped, and its sender and har/load tell of it.
    """
    running = start("--state", "state")
    with Phones(mosquitto) as phones:
        with Flood(mosquitto, "flood", per_s=FLOOD_PER_S, most=10**9) as flood:
            phones.do_rounds(*range(5))
            phones.await_dropped("flood")
            waited = []
            for number in range(5, N_ROUNDS - 1):
                before = flood.n_confirmed
                phones.do_rounds(number)
                waited.append(flood.n_confirmed - before)
        phones.do_rounds(N_ROUNDS - 1)  # behind all of the flood
        report = phones.await_report(lambda one: one["dropped"] and not one["waiting"])
        assert 0 == running.end()
        assert undisturbed == phones.of_phones()
        assert np.median(waited) < MAX_WAITING / 4, waited
        assert phones.most_stored < MAX_WAITING + 5_000
    [samples] = re.findall(r"predictions from (\d+) samples", running.log)
    n_taken = int(samples) - N_PHONES * N_ROUNDS * ROWS
    assert flood.n_sent == n_taken + report["dropped"]
    assert 0 == report["rejected"]
    assert "messages, the oldest of who sent most: 'har/flood/samples'" in running.log


def test_a_flood_of_the_longest_messages(
    mosquitto: "Mosquitto", start: Callable[..., "Running"], undisturbed: dict[Window, set[bytes]]
) -> None:
    """Others wait for a few of them at most, whatever one takes; the memory stays small."""
    running = start()
    with Phones(mosquitto) as phones:
        with Flood(mosquitto, "flood", per_s=LONG_PER_S, most=10**9, n_rows=MAX_ROWS) as flood:
            phones.do_rounds(*range(5))
            phones.await_dropped("flood")
            waited = []
            for number in range(5, N_ROUNDS):
                before = flood.n_confirmed
                phones.do_rounds(number)
                waited.append(flood.n_confirmed - before)
        phones.await_report(lambda one: one["dropped"] and not one["waiting"])
        _, highest_mib = memory_mib(running.process.pid)
        assert highest_mib < MOST_MIB
        assert 0 == running.end()
        assert undisturbed == phones.of_phones()
    assert np.median(waited) < 4 * LONG_PER_S, waited


def test_killed_in_a_flood(
    mosquitto: "Mosquitto", start: Callable[..., "Running"], undisturbed: dict[Window, set[bytes]]
) -> None:
    """What was dropped may come again; the results of others are the same."""
    running = start("--state", "state")
    with Phones(mosquitto) as phones:
        with Flood(mosquitto, "flood", per_s=FLOOD_PER_S, most=10**9):
            phones.do_rounds(*range(5))
            phones.await_dropped("flood")
            phones.send_round(5)
            assert -signal.SIGKILL == running.end(signal.SIGKILL)
            phones.send_round(6)
            running = start("--state", "state")
            phones.await_round(6)
            phones.do_rounds(*range(7, N_ROUNDS))
        assert 0 == running.end()
        assert undisturbed == phones.of_phones()


def test_a_backlog_is_no_flood(mosquitto: "Mosquitto", start: Callable[..., "Running"]) -> None:
    """A phone that sends the messages of more than an hour at once loses none of them."""
    n_messages = 7_200
    assert n_messages < BACKLOG
    running = start("--state", "state")
    with Phones(mosquitto) as phones:
        last = round(EPOCH + (n_messages - 128) // ROWS * ROWS / 50, 6)
        with Flood(mosquitto, "late", per_s=1e9, most=n_messages):
            phones.await_that(lambda: ("late", last) in phones.predictions)
        assert 0 == running.end()
        assert (n_messages - 128) // ROWS + 1 == len(phones.predictions)
    assert f"from {n_messages} samples" in running.log
    assert "dropped" not in running.log
