"""A tick's messages decoded together: the same results as one by one, whatever is among them."""

import dataclasses
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.blocks import Block
from pipeline.calibration_message import encode_rotation
from pipeline.formats import FORMATS
from pipeline.messages import Message
from pipeline.models.classifier import Classifier
from pipeline.readings import MessageError
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer
from pipeline.serving.decoding import Decoder
from pipeline.serving.phone import Phone
from pipeline.serving.rules import Rules
from pipeline.serving.service import Service
from pipeline.subscriptions import subscriptions_of
from tests.fuzz import times

EPOCH = times.EPOCH
N_PHONES = 9
LATE_S = 0.6
"""After its first sample, each message comes so much later"""
RULES = Rules(
    max_devices=N_PHONES + 2,
    max_ahead_s=3_600.0,
    max_behind_s=60.0,
    offline_after_s=10.0,
    forget_after_s=60.0,
    heartbeat_s=10.0,
)


class RightClock:
    """A clock that is right."""

    def confirm(self) -> None:
        """Learn nothing new."""

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Return False."""
        return False


class NoSilence:
    """Nobody is known to be silent."""

    def now(self, phone: Phone) -> float:
        """Return no time."""
        return 0.0

    def silent_s(self, phone: Phone, since: float, until: float = np.inf) -> float:
        """Return no silence."""
        return 0.0


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


def make_service(classifier: Classifier) -> Service:
    """Return a service for some phones."""
    return Service(
        RULES,
        [classifier],
        Recognizer(classifier, hop=32, max_devices=RULES.max_devices),
        Placements(max_devices=RULES.max_devices),
        subscriptions_of([], with_defaults=True),
        silence=NoSilence(),
        clock=RightClock(),
    )


class Served:
    """What a service has published and rejected of ticks."""

    def __init__(self, classifier: Classifier) -> None:
        """Begin with a service without phones."""
        self.service = make_service(classifier)
        self.published: defaultdict[str, list[bytes]] = defaultdict(list)
        self.errors: list[tuple[str, str]] = []

    def take(self, tick: Sequence[Message]) -> None:
        """Take a tick's messages, one by one."""
        for message in tick:
            self._note(message, self.service.receiver.take(message, 0.0))
        self._recognise()

    def take_all(self, tick: Sequence[Message]) -> None:
        """Take a tick's messages together."""
        errors = self.service.receiver.take_all(tick, 0.0)
        for place, message in enumerate(tick):
            self._note(message, errors.get(place))
        self._recognise()

    def _note(self, message: Message, error: MessageError | None) -> None:
        if error is not None:
            self.errors.append((message.topic, str(error)))

    def _recognise(self) -> None:
        self.service.deliveries.recognise()
        for one in self.service.outgoing:
            if one.topic.endswith(("/prediction", "/episode", "/availability", "/begins")):
                self.published[one.topic].append(one.payload)
        self.service.outgoing.clear()


def of_phones(service: Service) -> dict[str, tuple[Any, ...]]:
    """Return what is known of the last message of each phone."""
    return {
        device: (
            *(phone.admitted, phone.last_message, phone.received_s, phone.last_live),
            *(phone.is_live, phone.is_plain, phone.online, phone.topic, phone.classified_until),
        )
        for device, phone in service.phones.items()
    }


def document(start: float, n_rows: int = 25, **more: object) -> dict[str, Any]:
    """Return the samples of somebody who walks from a time on; ``more`` takes the place of keys."""
    at = start + np.arange(n_rows) / 50
    return {
        "start": start,
        "rate": 50,
        "acc": (times.values(at, 0) + times.GRAVITY).tolist(),
        "acc_unit": "m/s2",
        "gyro": times.values(at, 3).tolist(),
        "gyro_unit": "rad/s",
    } | more


def dated_row_by_row(start: float) -> dict[str, Any]:
    """Return the same with a time for each row."""
    message = document(start)
    del message["start"], message["rate"]
    return message | {"time": (start + np.arange(25) / 50).tolist()}


def apart(start: float) -> dict[str, Any]:
    """Return samples of each sensor by itself."""
    at = start + np.arange(25) / 50
    acc, gyro = times.values(at, 0) + times.GRAVITY, times.values(at, 3)
    return {
        "sensors": {
            "accelerometer": {"time": at.tolist(), "values": acc.tolist(), "unit": "m/s2"},
            "gyroscope": {"time": at.tolist(), "values": gyro.tolist(), "unit": "rad/s"},
        }
    }


def as_json(content: object) -> bytes:
    """Return a message as JSON."""
    return json.dumps(content).encode()


def as_compact(content: object) -> bytes:
    """Return a message in the compact form, as far as it fits."""
    if isinstance(content, dict) and "acc" in content and "sensors" not in content:
        rows = {
            key: np.array(content[key], "<f4").tobytes()
            for key in ("acc", "gyro")
            if np.abs(content[key]).max(initial=0.0) < 1e30
        }
        content = content | rows
    return msgspec.msgpack.encode(content)


ODD: dict[str, Callable[[float], Any]] = {
    "no samples": lambda start: document(start, 0),
    "one row": lambda start: document(start, 1),
    "a second": lambda start: document(start, 50),
    "other rate": lambda start: document(start, rate=31.7),
    "in g": lambda start: document(
        start, acc_unit="g", acc=(times.GRAVITY / 9.80665 + np.zeros((25, 3))).tolist()
    ),
    "in deg/s": lambda start: document(start, gyro_unit="deg/s"),
    "no such unit": lambda start: document(start, acc_unit="furlong"),
    "unequal": lambda start: document(start, gyro=[[0.0, 0.0, 0.0]]),
    "too large": lambda start: document(start, gyro=[[1e300, 0.0, 0.0]] * 25),
    "large": lambda start: document(start, acc=[[300.0, 200.0, -350.0]] * 25),
    "in milliseconds": lambda start: document(start * 1000),
    "before 1970": lambda start: document(-start),
    "ahead": lambda start: document(start + 7_200),
    "somewhat ahead": lambda start: document(start + 5),
    "behind": lambda start: document(start - 100),
    "somewhat behind": lambda start: document(start - 0.5),
    "recording": lambda start: document(start, recording="walk"),
    "long name": lambda start: document(start, recording="w" * 300),
    "iPhone": lambda start: document(start, convention="ios"),
    "waist": lambda start: document(start, placement="waist"),
    "pocket": lambda start: document(start, placement=" Pocket"),
    "row by row": dated_row_by_row,
    "sensors": apart,
    "two forms": lambda start: document(start) | apart(start),
    "nonsense": lambda start: "nonsense",
    "other version": lambda start: document(start, v=2),
    "unknown key": lambda start: document(start, battery=0.5),
    "channels": lambda start: document(start, channels=5),
}


def messages(seed: int, n_rounds: int = 20) -> list[Message]:
    """Return what phones send every half second, with odd messages, repeats and swaps."""
    rng = random.Random(seed)
    odd_share = rng.choice([0.0, 0.01, 0.1])
    sent: list[Message] = []
    writings = [rng.choice([as_json, as_json, as_compact]) for _ in range(N_PHONES)]
    habits = [rng.choice([document, document, document, dated_row_by_row]) for _ in range(N_PHONES)]
    for number in range(n_rounds):
        for phone in range(N_PHONES):
            device = f"phone-{phone}"
            start = EPOCH + number * 0.5 + phone * 0.013
            received = start + LATE_S
            topic, retained = f"har/{device}/samples", rng.random() < odd_share / 10
            content: Any = habits[phone](start)
            if rng.random() < odd_share:
                content = ODD[rng.choice(list(ODD))](start)
            if rng.random() < odd_share / 3:
                continue
            payload = writings[phone](content)
            message = Message(topic, payload, received, retained=retained)
            if rng.random() < odd_share / 3:
                topic = "har/" + rng.choice(["", "$x", "a\x00b"]) + "/samples"
                message = Message(topic, payload, received)
            sent += [message] * (1 + (rng.random() < odd_share / 3))
            if rng.random() < odd_share / 3:
                turned = encode_rotation(np.eye(3)[rng.choice([[0, 1, 2], [1, 2, 0]])])
                sent.append(Message(f"har/{device}/calibration", turned, received))
            if rng.random() < odd_share / 3:
                events = [{"t": start, **dict.fromkeys(("agx", "agy", "agz", "rx", "ry", "rz"), 1)}]
                shared = {"device": device, "unit": "m/s2", "gyro_unit": "rad/s", "samples": events}
                sent.append(Message("browser/all", json.dumps(shared).encode(), received))
            if rng.random() < odd_share / 3:
                sent.append(Message(topic, b"", received, oversize=2 << 20))
    for _ in range(round(len(sent) * odd_share)):
        i = rng.randrange(len(sent) - 1)
        sent[i], sent[i + 1] = sent[i + 1], sent[i]
    received = sorted(message.received for message in sent)
    return [
        Message(m.topic, m.payload, at, retained=m.retained, oversize=m.oversize)
        for m, at in zip(sent, received, strict=True)
    ]


@given(seed=st.integers(0, 1 << 30), grouping=st.integers(0, 99))
@settings(max_examples=20)
def test_together_or_one_by_one_is_the_same(
    classifier: Classifier, seed: int, grouping: int
) -> None:
    """Ticks taken together lead to what the same messages lead to one by one, errors included."""
    sent = messages(seed)
    one_by_one, together = Served(classifier), Served(classifier)
    for message in sent:
        one_by_one.take([message])
    rng, at = random.Random(grouping), 0
    while at < len(sent):
        n = rng.choice([1, 7, 8, 20, N_PHONES, 60, 200])
        together.take_all(sent[at : at + n])
        at += n

    assert one_by_one.published == together.published
    assert sorted(one_by_one.errors) == sorted(together.errors)
    of_one, of_all = one_by_one.service, together.service
    assert 0 == of_one.deliveries.failures.total == of_all.deliveries.failures.total
    assert of_one.receiver.n_messages == of_all.receiver.n_messages
    assert of_one.receiver.n_samples == of_all.receiver.n_samples
    assert of_one.deliveries.n_dropped == of_all.deliveries.n_dropped
    assert of_phones(of_one) == of_phones(of_all)


def test_phones_that_go_on_are_decoded_together(classifier: Classifier) -> None:
    """All messages of ordinary phones are, also with some of each; only the first are not."""
    served = Served(classifier)
    ticks = [
        [
            Message(
                f"har/phone-{phone}/samples",
                json.dumps(document(EPOCH + number * 0.5)).encode(),
                EPOCH + number * 0.5 + LATE_S,
            )
            for number in range(first, first + 2)
            for phone in range(N_PHONES)
        ]
        for first in range(0, 20, 2)
    ]
    served.take_all(ticks[0])
    phones = served.service.phones
    decoder = Decoder(RULES, subscriptions_of([], with_defaults=True), phones=phones)
    for tick in ticks[1:]:
        decoded = decoder.tick(tick, 0.0)
        assert {} == decoded.singles
        assert [len(tick)] == [len(one.messages) for one in decoded.together]
        served.take_all(tick)
    assert N_PHONES * 20 * 25 == served.service.receiver.n_samples["native"]
    assert 0 == served.service.rejections.total


def test_an_error_of_ours(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """If decoding together fails, each message is decoded by itself, and the failure is counted."""
    sent = [
        Message(
            f"har/phone-{phone}/samples",
            json.dumps(document(EPOCH + number * 0.5)).encode(),
            EPOCH + number * 0.5 + LATE_S,
        )
        for number in range(8)
        for phone in range(N_PHONES)
    ]
    expected, served = Served(classifier), Served(classifier)
    expected.take_all(sent[: 2 * N_PHONES])
    expected.take_all(sent[2 * N_PHONES :])

    def fail(payloads: Sequence[bytes]) -> list[Block]:
        raise ZeroDivisionError

    broken = dataclasses.replace(FORMATS["native"], decode_together=fail)
    monkeypatch.setitem(FORMATS, "native", broken)
    served.take_all(sent[: 2 * N_PHONES])
    served.take_all(sent[2 * N_PHONES :])
    assert 1 == served.service.deliveries.failures.total
    assert expected.published == served.published


def test_why_a_message_was_passed_over(classifier: Classifier) -> None:
    """A limit is named that it exceeds: that of the payloads, or the one that was set."""
    served = Served(classifier)
    served.take([Message("har/a/samples", b"", EPOCH, oversize=n) for n in (2 << 20, 1 << 20)])
    assert [
        "2097152 bytes; at most 1048576",
        "1048576 bytes; --max-packet is set to take less",
    ] == [error for _, error in served.errors]
