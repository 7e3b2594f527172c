"""Phones with wild times sent through a running har-stream, and compared with its core offline.

The core takes one message at a time there; the program takes them as they come. Both must find the
same windows, whatever the times; the program must neither end nor stall.
"""

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.formats import FORMATS
from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Recognised
from tests.client import Address, MqttClient, Received
from tests.fuzz import times

HOP: Final = 32
SECONDS: Final = 20.0
"""What a phone sends"""
N_AT_ONCE: Final = 40
"""Phones that send at the same time"""
STALL_S: Final = 60.0
"""So long the program may give no result that is yet to come"""
QUIET_S: Final = 3.0
"""After so long without a result it is done with what has come"""
LAST_S: Final = 5.0
"""In this time the broker passes on the last results"""
SUBSCRIPTIONS: Final = {
    "sensor-logger": "logger/+",
    "sensorspot": "spot/+",
    "phyphox": "phyphox/+",
    "browser": "browser/+",
}
FLAGS: Final = (
    *(flag for name, topic in SUBSCRIPTIONS.items() for flag in ("--subscribe", f"{topic}={name}")),
    *("--hop", str(HOP), "--max-ahead", "1e9", "--max-behind", "1e12"),
    *("--offline-after", "1e6", "--forget-after", "1e6", "--max-devices", "20000"),
)
"""Of the program, so that no clock decides anything"""

Windows = Counter[tuple[object, ...]]
"""What was found of a phone: each window's times, and its activity. If the phone's clock does not
tell the epoch, the activities alone."""


@dataclass
class Outcome:
    """What came of it."""

    n_phones: int = 0
    n_messages: int = 0
    n_windows: int = 0
    differing: Sequence[str] = ()
    """Phones whose windows are not the same, as seeds of `times.messages`"""
    fault: str = ""
    """Why the program did not go on to the end, if so"""


def expected(
    classifier: Classifier, phones: dict[str, list[times.Sent]]
) -> Iterator[tuple[str, Windows]]:
    """Yield what each phone's messages lead to, one after the other."""
    for device, sent in phones.items():
        recognizer = Recognizer(classifier, hop=HOP, max_devices=1)
        recognizer.admit(device)
        windows: Windows = Counter()
        for number, one in enumerate(sent):
            readings = [
                reading
                for reading in FORMATS[one.format].decode(one.payload, device)
                if isinstance(reading, Readings)
            ]
            if readings:
                received = times.EPOCH + number / 100
                _count(windows, recognizer.push([Delivery(readings, received)]), one, classifier)
        _count(windows, recognizer.finish([device]), sent[-1], classifier)
        yield device, windows


def _count(
    windows: Windows, recognised: Recognised, sent: times.Sent, classifier: Classifier
) -> None:
    for one in recognised.predictions:
        activity = classifier.activities[one.label]
        whole = (round(one.start, 6), round(one.end, 6), activity)
        windows[(activity,) if sent.format == "sensorspot" else whole] += 1


class Listener(MqttClient):
    """A client that sends as phones and counts the windows that come back."""

    def __init__(self, broker: Address) -> None:
        """Connect and subscribe."""
        self.windows: dict[str, Windows] = {}
        self.n_windows = 0
        self._n_messages = 0
        super().__init__(broker, "har/+/prediction")

    def keep(self, message: Received) -> None:
        """Count a window; there are too many to keep them."""
        content = json.loads(message.payload)
        device: str = content["device"]
        whole = (content["start"], content["end"], content["activity"])
        of_phone = self.windows.setdefault(device, Counter())
        of_phone[(content["activity"],) if device.startswith("sensorspot") else whole] += 1
        self.n_windows += 1

    def send_as(self, device: str, one: times.Sent) -> None:
        """Publish a message of a phone, waiting while very many are on their way."""
        if one.format == "native":
            topic = f"har/{device}/samples"
        else:
            topic = SUBSCRIPTIONS[one.format].replace("+", device)
        self._n_messages += 1
        if self._n_messages % 2_000 == 0:
            self.publish(topic, one.payload)
        else:
            self.send(topic, one.payload)


def run(
    *,
    broker: Address,
    start: Callable[..., subprocess.Popen[bytes]],
    model: Path,
    n_messages: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Send at least so many messages of phones with wild times, and compare what comes of them.

    Args:
        broker: at which both meet.
        start: starts har-stream with flags and returns when it is online.
        model: what it is to use.
        n_messages: of all phones together.
        seed: of a run to repeat.
        tell: is called with a line now and then.
    """
    outcome, rng, differing = Outcome(), random.Random(seed), list[str]()
    classifier = Classifier(model)
    process = start("har-stream", *FLAGS, "--model", str(model))
    listener = Listener(broker)
    due: dict[str, Windows] = {}
    try:
        while outcome.n_messages < n_messages and not outcome.fault:
            phones: dict[str, list[times.Sent]] = {}
            for _ in range(N_AT_ONCE):
                phone_seed = rng.randrange(1 << 40)
                form, sent = times.messages(phone_seed, seconds=SECONDS)
                if sent:
                    phones[f"{form}-{phone_seed}"] = sent
            order = [device for device, sent in phones.items() for _ in sent]
            rng.shuffle(order)
            queues = {device: iter(sent) for device, sent in phones.items()}
            for device in order:
                listener.send_as(device, next(queues[device]))
            due |= dict(expected(classifier, phones))
            outcome.n_phones += len(phones)
            outcome.n_messages += len(order)
            if process.poll() is not None:
                outcome.fault = f"har-stream has ended with {process.returncode}"
            tell(f"{outcome.n_messages} messages of {outcome.n_phones} phones")
        if not outcome.fault:
            outcome.fault = _end(process, listener, due)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        listener.close()
    for device, windows in due.items():
        outcome.n_windows += windows.total()
        if windows != listener.windows.get(device, Counter()):
            differing.append(device)
    outcome.differing = differing
    return outcome


def _has_more(listener: Listener) -> Callable[[], bool]:
    """Return the question whether more windows have come than until now."""
    known = listener.n_windows
    return lambda: listener.n_windows > known


def _end(process: subprocess.Popen[bytes], listener: Listener, due: dict[str, Windows]) -> str:
    """End the program when it has found all that it must; return what went wrong, if anything."""
    n_due = sum(windows.total() for windows in due.values())
    is_busy = True
    while is_busy:  # with what has come
        is_busy = listener.comes_true(_has_more(listener), QUIET_S)
    process.terminate()
    try:
        code = process.wait(STALL_S)
    except subprocess.TimeoutExpired:
        return "har-stream does not end"
    listener.comes_true(lambda: listener.n_windows >= n_due, LAST_S)
    return f"har-stream has ended with {code}" if code else ""
