"""Recordings as the messages of many phones, with all that comes between on the way.

Some messages are repeated, lost, late by more than they may be, or nonsense; a phone is calibrated
in the middle, and one is forgotten and comes again.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.calibration_message import encode_rotation
from pipeline.commands.replay.native_message import native_message
from pipeline.commands.replay.outgoing_messages import messages_of
from pipeline.recordings import hapt, uci_har
from pipeline.recordings.recording import Recording
from tests.client import Address, MqttClient

ROWS = 25
HOP = 64
FORGET_S = 3.0
"""Silence after which the recognizer is to forget a phone"""
FORGOTTEN_TIMEOUT_S = 240.0
"""A cluster on a busy machine takes its time"""
LEAVES = ("prediction", "episode")
Results = dict[str, list[bytes]]
"""The payloads on each topic"""
TURNED = encode_rotation(np.eye(3)[[1, 2, 0]])


@dataclass(frozen=True)
class SentRecord:
    """A message on its topic."""

    topic: str
    payload: bytes

    @property
    def device(self) -> str:
        """The phone that it is about."""
        return self.topic.split("/")[1]


@dataclass(frozen=True)
class Disturbed:
    """What is sent, in two parts: between them the first phone is forgotten."""

    before: list[SentRecord]
    after: list[SentRecord]
    forgotten: str

    @property
    def devices(self) -> set[str]:
        """All phones."""
        return {record.device for record in (*self.before, *self.after)}


def of_data_sets(data: Path, *, seconds: float | None = None) -> Disturbed:
    """Return the test split of UCI HAR and three raw recordings of HAPT, or their beginning."""
    prepared = uci_har.recordings(uci_har.load(data, download=False).test)
    raw = hapt.recordings(data, download=False)[:3]
    raw = [replace(one, device=f"raw-{one.device}") for one in raw]
    return disturbed([*raw, *prepared], seconds=seconds)


def disturbed(recordings: Sequence[Recording], *, seconds: float | None = None) -> Disturbed:
    """Return the messages of recordings, the first of which is of the phone that is forgotten."""
    rng = random.Random(1)
    of_phones = [list(_messages(one, seconds)) for one in recordings]
    forgotten, calibrated = of_phones[0], of_phones[1]
    half = len(forgotten) // 2
    before = [record for _, record in _with_troubles(forgotten[:half], rng)]
    calibrated.insert(
        len(calibrated) // 2,
        (
            calibrated[len(calibrated) // 2][0],
            SentRecord(f"har/{recordings[1].device}/calibration", TURNED),
        ),
    )
    parts = [_with_troubles(part, rng) for part in (forgotten[half:], calibrated, *of_phones[2:])]
    after = [record for _, record in heapq.merge(*parts, key=lambda timed: timed[0])]
    return Disturbed(before, after, recordings[0].device)


def exchanged(sent: Disturbed, at: Address) -> Results:
    """Return what is published of these messages at a broker, from which a recognizer takes them.

    The recognizer must forget phones after `FORGET_S`; what it publishes then is in it, too.
    """
    topics = [f"har/+/{leaf}" for leaf in (*LEAVES, "info")]
    with MqttClient(at, *topics) as phones:
        for record in sent.before:
            phones.send(record.topic, record.payload)
        _await_forgotten(phones, {sent.forgotten})
        for record in sent.after:
            phones.send(record.topic, record.payload)
        _await_forgotten(phones, sent.devices)
        results: Results = defaultdict(list)
        for message in phones.received:
            if message.topic.endswith(LEAVES):
                results[message.topic].append(message.payload)
        return results


def _await_forgotten(phones: MqttClient, devices: set[str]) -> None:
    """Return when these phones are forgotten, whose infos are cleared then."""
    forgotten: set[str] = set()
    n_seen = 0

    def are_forgotten() -> bool:
        nonlocal n_seen
        for message in phones.received[n_seen:]:
            _, device, leaf = message.topic.split("/")
            if leaf == "info":
                (forgotten.discard if message.payload else forgotten.add)(device)
        n_seen = len(phones.received)
        return devices <= forgotten

    assert phones.comes_true(are_forgotten, FORGOTTEN_TIMEOUT_S), devices - forgotten


Timed = tuple[float, SentRecord]
"""When a message is due, in seconds after the start, and the message"""


def _messages(recording: Recording, seconds: float | None) -> Iterator[Timed]:
    for message in messages_of(recording, rows=ROWS, hop=HOP, epoch=recording.start):
        if seconds is not None and message.due > seconds:
            return
        payload = native_message(
            message.readings, recording=message.readings[0].recording, rate_hz=message.rate_hz
        )
        yield message.due, SentRecord(f"har/{recording.device}/samples", payload)


def _with_troubles(messages: Sequence[Timed], rng: random.Random) -> list[Timed]:
    """Return a phone's messages, some repeated, lost, late or followed by nonsense."""
    sent: list[Timed] = []
    late: list[Timed] = []
    for due, record in messages:
        event = rng.random()
        if event < 0.005:
            late.append((due, record))
            continue
        if event < 0.01:
            continue  # lost
        sent.append((due, record))
        if event < 0.03:
            sent.append((due, record))
        elif event < 0.035:
            sent.append((due, SentRecord(record.topic, rng.choice([b"{}", b"\xff", b"[1,2"]))))
        if late and rng.random() < 0.3:
            sent.append((due, late.pop(0)[1]))
    return sent
