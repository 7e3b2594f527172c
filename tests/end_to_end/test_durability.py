"""What may happen to har-stream, the broker and the way between them without any harm.

The measure is a recognizer that is given the same messages here, one by one: it knows no trouble.
"""

import json
import logging
import os
import resource
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.commands.replay.batches import Batch, payload
from pipeline.formats import native
from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery, Readings, Sensor
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Prediction, Recognised
from pipeline.recordings import hapt, simulated, uci_har
from pipeline.recordings.recording import Recording, Stretch
from pipeline.state.checkpoint import decode
from pipeline.vocabulary import SAMPLING_RATE_HZ
from tests.client import TIMEOUT_S, MqttClient, Received
from tests.tcp_proxy import HOST, Cut, TcpProxy

if TYPE_CHECKING:
    from tests.brokers import Mosquitto
    from tests.processes import Running

    Start = Callable[..., Running]
    Run = Callable[..., CompletedProcess[str]]

logger = logging.getLogger(__name__)

N_REMEMBERED: Final = 256
"""Messages of a phone whose repetition `resampling` knows by their times alone"""
EPOCH: Final = 1698501144.4
HOP: Final = 64
RECORDING: Final = "of-the-proof"
"""Name that every message of a phone has in it."""
READY: Final = "connected to"
"""What har-stream logs when the connection is made."""

pytestmark = pytest.mark.broker

Key = tuple[str, float]
"""Device and start of a window"""


# What is sent


@dataclass(frozen=True)
class Sent:
    """A message of a phone."""

    device: str
    payload: bytes


def messages_of(
    recordings: Iterable[Recording],
    rng: np.random.Generator,
    *,
    rows: tuple[int, int],
    separate: Collection[str] = (),
) -> list[Sent]:
    """Return recordings as messages of so many rows, all phones' together from begin to end.

    The two sensors of the devices in ``separate`` have times of their own, a little uneven.
    """
    placed: list[tuple[float, Sent]] = []
    for recording in recordings:
        device, batches = recording.device, []
        for stretch in recording.stretches:
            first = 0
            while first < len(stretch.samples):
                part = stretch.samples[first : first + int(rng.integers(*rows))]
                start = stretch.start + first / SAMPLING_RATE_HZ
                taken = _apart(device, part, start, rng) if device in separate else part
                batches.append(Batch(device, due=0.0, start=start, rows=taken, completes=[]))
                first += len(part)
        for number, batch in enumerate(batches):
            message = Sent(device, payload(batch, epoch=EPOCH, recording=RECORDING))
            placed.append((number / len(batches), message))
    return [message for _, message in sorted(placed, key=lambda one: one[0])]


def _apart(
    device: str, rows: NDArray[np.floating], start: float, rng: np.random.Generator
) -> tuple[Readings, ...]:
    """Return raw rows ``(n, 6)`` as what two sensors measured, at times of their own."""
    sensors: tuple[Sensor, Sensor] = ("accelerometer", "gyroscope")
    readings = []
    for number, sensor in enumerate(sensors):
        jitter = rng.uniform(-4e-3, 4e-3, len(rows)) + 3e-3 * number
        times = EPOCH + start + np.arange(len(rows)) / SAMPLING_RATE_HZ + jitter
        values = rows[:, 3 * number : 3 * number + 3].astype(np.float64)
        readings.append(Readings(device, times, values, sensor, RECORDING))
    return tuple(readings)


def simulated_messages(
    phones: int = 3, *, seconds: float = 30.0, rows: tuple[int, int] = (26, 60)
) -> list[Sent]:
    """Return what simulated phones send; each message lost is a gap."""
    recordings = simulated.recordings(phones, seconds=seconds)
    return messages_of(recordings, np.random.default_rng(phones), rows=rows)


def real_recordings(*, most_samples: int | None = None) -> list[Recording]:
    """Return the test split of UCI HAR, and raw recordings of three others; simulated without."""
    if "HAR_DATA_DIR" not in os.environ:
        seconds = 420.0 if most_samples is None else most_samples / SAMPLING_RATE_HZ
        return simulated.recordings(12, seconds=seconds)
    prepared = uci_har.recordings(uci_har.load(download=False).test)
    tested = {recording.device for recording in prepared}
    raw = [one for one in hapt.recordings(download=False) if one.device not in tested]
    if most_samples is None:
        return [*prepared, *(Recording(one.device, one.stretches[:1]) for one in raw[:3])]
    return [
        Recording(one.device, tuple(_first(one.stretches, most_samples)))
        for one in [*prepared[:2], *raw[:2]]
    ]


def _first(stretches: Iterable[Stretch], n_samples: int) -> Iterator[Stretch]:
    for stretch in stretches:
        if n_samples > 0:
            samples, labels = stretch.samples[:n_samples], stretch.labels[:n_samples]
            yield Stretch(stretch.start, samples, labels)
        n_samples -= len(stretch.samples)


# What is right


@dataclass(frozen=True)
class Expected:
    """What messages lead to without trouble."""

    predictions: dict[Key, dict[str, Any]]
    """What is published of each window"""
    n_gaps: int


def expected_of(messages: Iterable[Sent], classifier: Classifier) -> Expected:
    """Return what these messages, in this order, lead to."""
    recognizer = Recognizer(classifier, hop=HOP)
    predictions: list[Prediction] = []

    def note(recognised: Recognised) -> None:
        predictions.extend(recognised.predictions)
        assert not recognised.dropped

    for message in messages:
        recognizer.admit(message.device)
        note(recognizer.push([Delivery(native.decode(message.payload, message.device))]))
    assert not recognizer.finish(recognizer.devices).predictions, "some would come at the end only"
    told = [told_of(prediction, classifier) for prediction in predictions]
    by_key = {(one["device"], one["start"]): one for one in told}
    assert len(by_key) == len(told)
    return Expected(by_key, recognizer.counts["gaps"])


def told_of(prediction: Prediction, classifier: Classifier) -> dict[str, Any]:
    """Return what the contract says of a prediction's message."""
    probabilities = [round(float(p), 7) for p in prediction.probabilities]
    told = {
        "device": prediction.device,
        "start": round(prediction.start, 6),
        "end": round(prediction.end, 6),
        "activity": classifier.activities[prediction.label],
        "probability": probabilities[prediction.label],
        "probabilities": dict(zip(classifier.activities, probabilities, strict=True)),
        "model": classifier.card.identity,
    }
    return told | ({"settling": True} if prediction.settling else {})


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    """The model that har-stream uses if no other is named."""
    return Classifier(find_model("cnn-lstm"))


# Who sends, and who looks


class Sender(MqttClient):
    """Publishes messages in their order, each when the broker has confirmed the one before."""

    def __init__(
        self, broker: "Mosquitto", messages: Sequence[Sent], *, pace_s: float = 0.0
    ) -> None:
        """Connect; there is a pause after each message."""
        super().__init__(broker, session="phones")
        self._messages = messages
        self._pace_s = pace_s
        self._n_allowed = 0
        self._n_published = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(TIMEOUT_S)
        super().close()

    def allow(self, n_messages: int) -> None:
        """Let it go on until so many messages have been sent in all."""
        with self._changed:
            self._n_allowed = n_messages
            self._changed.notify_all()

    def await_sent(self, n_messages: int) -> None:
        """Return when so many messages have been confirmed in all."""
        while (before := self._n_published) < n_messages:
            self.await_that(lambda n=before: self._n_published > n, "no message is confirmed")

    def send_until(self, n_messages: int) -> None:
        """Send messages until there have been so many, and return when they are confirmed."""
        self.allow(n_messages)
        self.await_sent(n_messages)

    def _run(self) -> None:
        for number, message in enumerate(self._messages, 1):
            with self._changed:
                self._changed.wait_for(
                    lambda number=number: self._n_allowed >= number or self._stopping.is_set()
                )
            if self._stopping.is_set():
                return
            self.publish(f"har/{message.device}/samples", message.payload)
            assert self.answer in ("Success", "No matching subscribers")
            with self._changed:
                self._n_published = number
                self._changed.notify_all()
            self._stopping.wait(self._pace_s)


class Probe(MqttClient):
    """Keeps every prediction, whatever happens to the broker."""

    def __init__(self, broker: "Mosquitto", name: str = "probe") -> None:
        """Connect and subscribe."""
        self.payloads: defaultdict[Key, set[bytes]] = defaultdict(set)
        """All that was published of each window"""
        self.n_received = 0
        self._statuses: Counter[str] = Counter()
        super().__init__(broker, "har/+/prediction", "har/status", session=name)

    def keep(self, message: Received) -> None:
        """Keep a prediction, or count what har-stream says that it is."""
        if message.topic == "har/status":
            self._statuses[message.payload.decode()] += not message.is_retained
        else:
            told = json.loads(message.payload)
            assert message.topic == f"har/{told['device']}/prediction"
            self.payloads[told["device"], told["start"]].add(message.payload)
            self.n_received += 1

    def await_status(self, status: str, n: int = 1) -> None:
        """Return when har-stream's status has been this so many times."""
        self.await_that(lambda: self._statuses[status] >= n, f"never {n} times {status}")

    def await_windows(self, keys: Collection[Key]) -> None:
        """Return when there are predictions of all these windows; they may take their time."""
        wanted = set(keys)
        while missing := wanted - self.payloads.keys():
            before = len(self.payloads)
            self.await_that(
                lambda n=before: len(self.payloads) > n or wanted <= self.payloads.keys(),
                f"{len(missing)} of {len(wanted)} predictions are missing: {sorted(missing)[:5]}",
            )

    def await_windows_from(self, starts: Mapping[str, float]) -> None:
        """Return when there is a prediction of each device that starts then or later."""
        self.await_that(
            lambda: all(
                any(device == of and start >= first for of, start in self.payloads)
                for device, first in starts.items()
            ),
            f"no prediction from {starts} on",
        )

    def n_statuses(self, status: str) -> int:
        """How many times har-stream's status has been this."""
        return self._statuses[status]


def assert_right(seen: Probe, expected: Mapping[Key, Mapping[str, Any]]) -> None:
    """Each window has one prediction, whatever its copies, and it is that of the recognizer."""
    assert expected.keys() == seen.payloads.keys()
    differing = [key for key, payloads in seen.payloads.items() if len(payloads) > 1]
    assert not differing, [seen.payloads[key] for key in differing[:3]]
    for key, [told] in seen.payloads.items():
        assert expected[key] == json.loads(told)


# har-stream


@pytest.fixture
def start_stream(start_command: "Start", tmp_path: Path) -> "Start":
    """A function that starts a har-stream with its state in a folder, and awaits its connection."""

    def start(port: int, *flags: str, state: str = "state") -> "Running":
        running = start_command(
            "har-stream", "--broker", HOST, "--port", str(port), "--hop", str(HOP),
            "--state", str(tmp_path / state), *flags,
        )  # fmt: skip
        running.await_log(READY)
        return running

    return start


def run_undisturbed(
    broker: "Mosquitto", start_stream: "Start", messages: Sequence[Sent], keys: Collection[Key]
) -> dict[Key, bytes]:
    """Return what is published of each window when nothing happens."""
    with Probe(broker, "calm probe") as probe, Sender(broker, messages) as sender:
        running = start_stream(broker.port, state="calm")
        probe.await_status("online")
        sender.send_until(len(messages))
        probe.await_windows(keys)
        await_acknowledgements(broker)
        assert running.end() == 0
        probe.await_status("offline")
        assert probe.n_received == len(probe.payloads)  # no repeats
        return {key: told for key, [told] in probe.payloads.items()}


def await_acknowledgements(broker: "Mosquitto") -> None:
    """Return when the broker keeps no message of a phone any more."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        broker.save()
        n_left = broker.database.read_bytes().count(f'"recording":"{RECORDING}"'.encode())
        if n_left == 0:
            return
        assert time.monotonic() < deadline, f"{n_left} messages are not acknowledged"


# The proof

Disturbance = Literal["kill", "restart"] | Cut

TROUBLES: Final[Mapping[tuple[Disturbance, ...], int]] = {
    ("kill",): 10,
    ("restart",): 3,
    ("drop",): 5,
    ("reset",): 5,
    ("stall",): 2,
    ("kill", "restart"): 2,
    ("kill", "drop"): 2,
    ("kill", "reset"): 2,
    ("kill", "stall"): 4,
}
"""What happens how often, at once: har-stream is killed while it has a connection, or has none."""

STALL_S: Final = 1.2
"""Long enough for a checkpoint"""
PACE_S: Final = 0.008
"""Between two messages: there are some all the time that it takes to disturb and to recover."""


class Victim:
    """A har-stream at a broker behind a proxy, to all of which things happen."""

    def __init__(
        self,
        broker: "Mosquitto",
        proxy: TcpProxy,
        start_stream: "Start",
        rng: np.random.Generator,
    ) -> None:
        """Start har-stream."""
        self._broker, self._proxy, self._rng = broker, proxy, rng
        self._start_stream = start_stream
        self.logs: list[Callable[[], str]] = []
        self.suffered: Counter[Disturbance] = Counter()
        """What has happened and did have an effect"""
        self._start()

    def _start(self) -> None:
        running = self.running = self._start_stream(self._proxy.port)
        self.logs.append(lambda: running.log)

    def suffer(self, *trouble: Disturbance) -> None:
        """Let something happen, and return when har-stream is connected again."""
        n_connected = self.running.log.count(READY)
        for kind in get_args(Cut):
            if kind in trouble:
                n_bytes = int(self._rng.integers(30_000))
                assert self._proxy.cut(kind, after_bytes=n_bytes, stall_s=STALL_S) == 1
        if "restart" in trouble:
            self._broker.stop()
        if "kill" in trouble:
            assert self.running.process.poll() is None, self.running.log
            assert self.running.end(signal.SIGKILL) == -signal.SIGKILL
        if "restart" in trouble:
            self._broker.start()
        if "kill" in trouble:
            self._start()
        else:
            self.running.await_log(READY, times=n_connected + 1)
        self.suffered.update(trouble)

    def suffer_a_killed_broker(self, *, away: bool, when: Callable[[], None]) -> None:
        """Let the broker be killed after ``when`` returns, har-stream before if it is ``away``."""
        n_connected = self.running.log.count(READY)
        if away:
            self.running.end(signal.SIGKILL)
        when()
        self._broker.stop(signal.SIGKILL)
        self._broker.start()
        if away:
            self._start()
        else:
            self.running.await_log(READY, times=n_connected + 1)


def test_nothing_is_lost_and_nothing_changes(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier
) -> None:
    """Whatever is killed, restarted and cut, the predictions are those of an undisturbed run.

    These are the recognizer's own, and so they are right. Repeats are the same bytes, and at the
    end nothing is left in the broker's queue.
    """
    rng = np.random.default_rng(10)
    recordings = real_recordings()
    messages = messages_of(recordings, rng, rows=(1, 80), separate=[recordings[-1].device])
    expected = expected_of(messages, shipped)
    lasting_mosquitto.start()
    calm = run_undisturbed(lasting_mosquitto, start_stream, messages, expected.predictions.keys())
    assert expected.predictions == {key: json.loads(told) for key, told in calm.items()}
    lasting_mosquitto.stop()
    lasting_mosquitto.database.unlink()

    troubles = [trouble for trouble, n in TROUBLES.items() for _ in range(n)]
    order = rng.permutation(len(troubles)).tolist()
    # One trouble in each of as many parts of the messages, at any moment but the part's end.
    ends = np.linspace(0, len(messages), len(troubles) + 2).astype(int)[1:]
    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages, pace_s=PACE_S) as sender,
    ):
        victim = Victim(lasting_mosquitto, proxy, start_stream, rng)
        probe.await_status("online")
        begin = 0
        for number, end in zip(order, ends[:-1].tolist(), strict=True):
            sender.allow(end)
            sender.await_sent(begin + int(rng.uniform(0.0, 0.7) * (end - begin)))
            victim.suffer(*troubles[number])
            begin = end
        sender.send_until(len(messages))
        probe.await_windows(calm.keys())
        await_acknowledgements(lasting_mosquitto)
        n_offline = probe.n_statuses("offline")
        assert victim.running.end() == 0
        probe.await_status("offline", n_offline + 1)
        assert calm.keys() == probe.payloads.keys()
        assert {key: {told} for key, told in calm.items()} == probe.payloads
    cuts = sum(victim.suffered[kind] for kind in get_args(Cut))
    assert (victim.suffered["kill"], victim.suffered["restart"], cuts) == (20, 5, 20)
    for log in victim.logs:
        assert "Traceback" not in log()
        assert " ERROR " not in log()
    logger.info(
        "%d messages, %d predictions, %d received; %s",
        len(messages), len(calm), probe.n_received, victim.logs[-1]().splitlines()[-1],
    )  # fmt: skip


# The broker is killed


@pytest.mark.parametrize("saved", [True, False], ids=["some lost", "all lost"])
def test_what_a_killed_broker_has_lost_is_a_gap(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier, saved: bool
) -> None:
    """What the broker had not saved is a gap, which is counted; all else is as it would be.

    One that never saved anything has lost the session, too: har-stream subscribes again.
    """
    recordings = real_recordings(most_samples=3000)
    messages = messages_of(recordings, np.random.default_rng(1), rows=(26, 60))
    seen, kept, lost = (len(messages) * k // 4 for k in (1, 2, 3))
    delivered = [*messages[: kept if saved else seen], *messages[lost:]]
    before, expected = (expected_of(some, shipped) for some in (messages[:seen], delivered))
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(seen)
        probe.await_windows(before.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        assert running.end() == 0
        probe.await_status("offline")

        sender.send_until(kept)
        lasting_mosquitto.save()
        sender.send_until(lost)
        lasting_mosquitto.stop(signal.SIGKILL)
        if not saved:
            lasting_mosquitto.database.unlink()
        lasting_mosquitto.start()
        probe.await_subscription()
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online", 2)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        assert running.end() == 0
        probe.await_status("offline", 2)
    assert_right(probe, expected.predictions)
    assert f", {expected.n_gaps} gaps, " in running.log
    assert expected.n_gaps > before.n_gaps


class Explanations:
    """What can come of messages of which some are lost: after each loss everything begins anew."""

    def __init__(self, messages: Iterable[Sent], classifier: Classifier) -> None:
        """Take what was sent: any message lost must be a gap."""
        self._classifier = classifier
        self._messages: defaultdict[str, list[Sent]] = defaultdict(list)
        for message in messages:
            self._messages[message.device].append(message)
        self._starts = {
            device: np.array([json.loads(message.payload)["start"] for message in sent])
            for device, sent in self._messages.items()
        }
        self._made: dict[tuple[str, int], dict[Key, dict[str, Any]]] = {}

    def explain(self, told: bytes) -> bool:
        """Return whether this is right for a window that begins so long after some message did."""
        prediction = json.loads(told)
        device, start = prediction["device"], prediction["start"]
        hops = (start - self._starts[device]) * SAMPLING_RATE_HZ / HOP
        possible = (hops > -1e-3) & (np.abs(hops - np.round(hops)) < 1e-3)
        return any(
            self._beginning_at(device, number).get((device, start)) == prediction
            for number in np.flatnonzero(possible).tolist()
        )

    def _beginning_at(self, device: str, number: int) -> dict[Key, dict[str, Any]]:
        if (device, number) not in self._made:
            rest = self._messages[device][number:]
            self._made[device, number] = expected_of(rest, self._classifier).predictions
        return self._made[device, number]


def test_every_prediction_is_right_when_brokers_are_killed(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier
) -> None:
    """Whatever a broker loses that is killed under way, each prediction is that of its samples."""
    rng = np.random.default_rng(2)
    messages = messages_of(real_recordings(most_samples=8000), rng, rows=(26, 60))
    expected = expected_of(messages, shipped)
    ends = np.linspace(0, len(messages), 8).astype(int)[1:].tolist()
    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages, pace_s=PACE_S) as sender,
    ):
        victim = Victim(lasting_mosquitto, proxy, start_stream, rng)
        probe.await_status("online")
        begin = 0
        for number, end in enumerate(ends[:-1]):
            sender.allow(end)
            save, leave, kill = (
                begin + int(share * (end - begin)) for share in np.sort(rng.uniform(0.0, 0.7, 3))
            )
            sender.await_sent(save)
            if number % 3:
                lasting_mosquitto.save()
            sender.await_sent(leave)
            victim.suffer_a_killed_broker(
                away=bool(number % 2), when=lambda kill=kill: sender.await_sent(kill)
            )
            begin = end
        sender.send_until(len(messages))
        last = {device: start - HOP / SAMPLING_RATE_HZ for device, start in expected.predictions}
        probe.await_windows_from(last)
        n_offline = probe.n_statuses("offline")
        assert victim.running.end() == 0
        probe.await_status("offline", n_offline + 1)
    assert expected.predictions.keys() - probe.payloads.keys(), "nothing was lost"
    explanations = Explanations(messages, shipped)
    wrong = [
        told
        for payloads in probe.payloads.values()
        for told in payloads
        if not explanations.explain(told)
    ]
    assert not wrong, f"{len(wrong)} wrong: {wrong[:3]}"
    for log in victim.logs:
        assert "Traceback" not in log()


# An end in order


def test_what_is_sent_while_har_stream_is_not_there(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier
) -> None:
    """What comes between an end in order and the next start is dealt with then; no end is a gap."""
    messages = simulated_messages(rows=(1, 40))
    expected = expected_of(messages, shipped)
    part = len(messages) // 6
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        for number in range(1, 4):
            running = start_stream(lasting_mosquitto.port)
            probe.await_status("online", number)
            sender.send_until((2 * number - 1) * part)
            assert running.end() == 0
            probe.await_status("offline", number)
            sender.send_until(2 * number * part)
        running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        assert running.end() == 0
        probe.await_status("offline", 4)
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


# Repeats


def test_many_messages_of_one_phone_that_come_again(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier, tmp_path: Path
) -> None:
    """However many messages of a phone come again, it is not taken for a clock that was set back.

    Here none of what har-stream sends reaches the broker: no prediction, and no acknowledgement of
    more messages than the times of which are remembered.
    """
    messages = simulated_messages(1, seconds=70.0, rows=(1, 4))
    expected = expected_of(messages, shipped)
    half = len(messages) // 2
    unheard = expected_of(messages[:half], shipped).predictions
    lasting_mosquitto.start()
    with (
        TcpProxy(lasting_mosquitto.port) as proxy,
        Probe(lasting_mosquitto) as probe,
        Sender(lasting_mosquitto, messages) as sender,
    ):
        running = start_stream(proxy.port)
        probe.await_status("online")
        proxy.lose_what_clients_send()
        sender.send_until(half)
        deadline = time.monotonic() + TIMEOUT_S
        while not saved_predictions(tmp_path / "state" / "checkpoint") >= len(unheard):
            assert time.monotonic() < deadline, running.log
            time.sleep(0.02)
        running.end(signal.SIGKILL)
        assert not probe.payloads

        running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        n_offline = probe.n_statuses("offline")
        assert running.end() == 0
        probe.await_status("offline", n_offline + 1)
    assert half > 2 * N_REMEMBERED
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


@pytest.mark.xfail(
    strict=True, reason="more than 256 late messages of a phone count as a clock that was set back"
)
def test_a_broker_that_has_forgotten_what_was_acknowledged(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", shipped: Classifier
) -> None:
    """What an older database of a killed broker brings again, as if for the first time, is known.

    Even if it is more messages than the times of which are remembered.
    """
    messages = simulated_messages(1, seconds=70.0, rows=(1, 4))
    expected = expected_of(messages, shipped)
    third = len(messages) // 3
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(third)
        assert running.end() == 0
        sender.send_until(2 * third)
        lasting_mosquitto.save()
        database = lasting_mosquitto.database.read_bytes()
        running = start_stream(lasting_mosquitto.port)
        probe.await_windows(expected_of(messages[: 2 * third], shipped).predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        lasting_mosquitto.stop(signal.SIGKILL)
        lasting_mosquitto.database.write_bytes(database)
        lasting_mosquitto.start()
        running.await_log(READY, times=2)
        sender.send_until(len(messages))
        await_acknowledgements(lasting_mosquitto)
        n_offline = probe.n_statuses("offline")
        assert running.end() == 0
        probe.await_status("offline", n_offline + 1)
    assert third > 2 * N_REMEMBERED
    assert_right(probe, expected.predictions)
    assert ", 0 gaps, " in running.log


def saved_predictions(checkpoint: Path) -> int:
    """Return how many predictions wait in a checkpoint for the broker's confirmation."""
    if not checkpoint.exists():
        return 0
    topics = [one["topic"] for one in decode(checkpoint.read_bytes())["unconfirmed"]]
    return sum(topic.endswith("/prediction") for topic in topics)


# What cannot be used


@pytest.fixture
def checkpoint(
    lasting_mosquitto: "Mosquitto", start_stream: "Start", tiny_model: Path, tmp_path: Path
) -> Path:
    """The checkpoint of a har-stream with the tiny model that knew three phones and was ended."""
    messages = simulated_messages(seconds=12.0)
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model))
        probe.await_status("online")
        sender.send_until(len(messages))
        probe.await_windows(expected_of(messages, Classifier(tiny_model)).predictions.keys())
        assert running.end() == 0
    return tmp_path / "state" / "checkpoint"


@pytest.fixture
def refused(run_command: "Run", lasting_mosquitto: "Mosquitto") -> Callable[..., str]:
    """A function that starts har-stream with a state that it must refuse, and returns why."""

    def refused(state: Path, *flags: str) -> str:
        result = run_command(
            "har-stream", "--broker", HOST, "--port", str(lasting_mosquitto.port),
            "--hop", str(HOP), "--state", str(state), *flags, timeout_s=TIMEOUT_S,
        )  # fmt: skip
        assert result.returncode == 1, result.stderr
        [line] = [line for line in result.stderr.splitlines() if " INFO " not in line]
        assert READY not in result.stderr
        assert str(state) in line
        return line

    return refused


def test_a_damaged_checkpoint(
    checkpoint: Path,
    refused: Callable[..., str],
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    tiny_model: Path,
) -> None:
    """A checkpoint that is cut off or altered is refused in a line that says how to begin anew."""
    whole = checkpoint.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:n] for n in (0, 1, *rng.integers(2, len(whole), 4).tolist(), len(whole) - 1)]
    for place in rng.integers(0, len(whole), 4).tolist():
        damaged.append(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
    damaged.append(whole + b"\0")
    for content in damaged:
        checkpoint.write_bytes(content)
        line = refused(checkpoint.parent, "--model", str(tiny_model))
        assert str(checkpoint) in line
        assert "--reset-state" in line
        assert checkpoint.read_bytes() == content

    with Probe(lasting_mosquitto) as probe:
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model), "--reset-state")
        probe.await_status("online")
        assert running.end() == 0
        running = start_stream(lasting_mosquitto.port, "--model", str(tiny_model))
        probe.await_status("online", 2)
        assert running.end() == 0


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--model", "cnn-lstm"], "model"),
        (["--hop", "32"], "hop"),
        (["--lateness", "1"], "lateness"),
        (["--filter-start", "zero"], "filter"),
        (["--baseline"], "baseline"),
        (["--max-devices", "2"], "phones"),
    ],
    ids=["model", "hop", "lateness", "filter start", "baseline", "phones"],
)
def test_a_checkpoint_of_something_else(
    checkpoint: Path, refused: Callable[..., str], tiny_model: Path, flags: list[str], word: str
) -> None:
    """A checkpoint of another model or other settings is refused, and it is said which."""
    before = checkpoint.read_bytes()
    line = refused(checkpoint.parent, "--model", str(tiny_model), *flags)
    assert word in line.partition(str(checkpoint.parent))[2]
    assert "--reset-state" in line or word == "phones"
    assert checkpoint.read_bytes() == before


def test_a_folder_that_is_none(
    lasting_mosquitto: "Mosquitto", refused: Callable[..., str], tmp_path: Path
) -> None:
    """A state that is a file, or would be in one, is refused."""
    lasting_mosquitto.start()
    file = tmp_path / "file"
    file.touch()
    refused(file)
    refused(file / "state")


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_without_permission(
    lasting_mosquitto: "Mosquitto", refused: Callable[..., str], tmp_path: Path, mode: int
) -> None:
    """A folder that may not be read or written is refused."""
    lasting_mosquitto.start()
    folder = tmp_path / "locked"
    folder.mkdir(mode)
    if os.access(folder, os.W_OK):
        pytest.skip("needs to be somebody who may not write everywhere")
    refused(folder)
    folder.chmod(0o700)


def test_a_state_in_use(
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    refused: Callable[..., str],
    shipped: Classifier,
    tmp_path: Path,
) -> None:
    """The state of a har-stream that runs is refused to another, and the first one goes on."""
    messages = simulated_messages(1)
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(len(messages) // 2)
        refused(tmp_path / "state")
        refused(tmp_path / "state", "--reset-state")
        sender.send_until(len(messages))
        probe.await_windows(expected_of(messages, shipped).predictions.keys())
        assert running.log.count(READY) == 1
        assert running.end() == 0


SMALL_FILE: Final = 16_384
"""Bytes: more than the log has, fewer than a checkpoint"""


def let_write(n_bytes: int, process: int) -> None:
    """Let a process write no files larger than that."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (n_bytes, hard))


def test_a_disk_that_is_full_at_the_start(refused: Callable[..., str], tmp_path: Path) -> None:
    """Where nothing can be written har-stream does not start."""
    state = tmp_path / "state"
    state.mkdir()
    (state / ".client-id.unfinished").symlink_to("/dev/full")
    assert "No space left on device" in refused(state)


@pytest.mark.parametrize("killed", [True, False], ids=["killed then", "room again"])
def test_a_disk_that_fills_up(
    lasting_mosquitto: "Mosquitto",
    start_stream: "Start",
    shipped: Classifier,
    tmp_path: Path,
    killed: bool,
) -> None:
    """When there is no room for the checkpoint that is said, and nothing is lost.

    When there is room again it goes on; and so does another har-stream if this one is killed.
    """
    messages = simulated_messages(rows=(1, 40))
    expected = expected_of(messages, shipped)
    third = len(messages) // 3
    lasting_mosquitto.start()
    with Probe(lasting_mosquitto) as probe, Sender(lasting_mosquitto, messages) as sender:
        running = start_stream(lasting_mosquitto.port)
        probe.await_status("online")
        sender.send_until(third)
        probe.await_windows(expected_of(messages[:third], shipped).predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        assert (tmp_path / "state" / "checkpoint").stat().st_size > SMALL_FILE > len(running.log)

        let_write(SMALL_FILE, running.process.pid)
        sender.send_until(2 * third)
        running.await_log(" ERROR ", timeout_s=TIMEOUT_S)
        assert str(tmp_path / "state") in running.log
        assert "Traceback" not in running.log
        let_write(resource.getrlimit(resource.RLIMIT_FSIZE)[0], running.process.pid)
        if killed:
            running.end(signal.SIGKILL)
            running = start_stream(lasting_mosquitto.port)
        sender.send_until(len(messages))
        probe.await_windows(expected.predictions.keys())
        await_acknowledgements(lasting_mosquitto)
        n_offline = probe.n_statuses("offline")
        assert running.end() == 0
        probe.await_status("offline", n_offline + 1)
    assert_right(probe, expected.predictions)
