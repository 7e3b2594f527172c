"""Records of simulated phones, as har-bridge would write them, and what the step makes of them."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from pipeline.commands.replay.native_message import native_message
from pipeline.models.loading import load_models
from pipeline.recordings.simulated import recordings
from pipeline.serving.rules import Rules
from pipeline.serving.step import Record, Step
from pipeline.subscriptions import subscriptions_of
from tests.scale.topics import Entry, Outgoing

EPOCH_S: Final = 1_700_000_000.0
ROWS_A_MESSAGE: Final = 25
MODEL: Final = "cnn-lstm"
RULES: Final = Rules(
    max_devices=10_000,
    max_ahead_s=86_400.0,
    max_behind_s=60.0,
    offline_after_s=10.0,
    forget_after_s=3600.0,
    heartbeat_s=10.0,
)
"""The defaults of har-spark"""


def phones(n_phones: int, *, seconds: float) -> list[Outgoing]:
    """Return the messages of phones that send at once, in the order of their record times.

    One phone in five pauses for 2 s, and one message in a hundred is repeated.
    """
    dice = random.Random(0)
    records = []
    for number, recording in enumerate(recordings(n_phones, seconds=seconds)):
        (stretch,) = recording.stretches
        for first in range(0, len(stretch.times), ROWS_A_MESSAGE):
            if number % 5 == 0 and 0 <= stretch.times[first] - seconds / 2 < 2.0:
                continue
            part = stretch.part(first, first + ROWS_A_MESSAGE)
            readings = [recording.readings(replace(part, times=part.times + EPOCH_S))]
            payload = native_message(readings, recording="1", rate_hz=50.0)
            sent = EPOCH_S + float(stretch.times[first]) + 0.5 + dice.random() * 0.1
            record = sample_record(recording.device, payload, sent)
            records += [record] * (2 if dice.random() < 0.01 else 1)
    return sorted(records, key=lambda record: record.time_s or 0.0)


def sample_record(device: str, payload: bytes, time_s: float) -> Outgoing:
    """Return the record of a phone's samples."""
    topic = f"har/{device}/samples".encode()
    return Outgoing(device.encode(), payload, {"topic": topic}, time_s)


def make_step() -> Step:
    """Return a step with the defaults of har-spark and the tests' model."""
    return Step(
        RULES,
        load_models(MODEL, threads=1, batch_size=64),
        subscriptions_of((), with_defaults=True),
        conventions=("auto",),
        frames=(),
        body_places=(),
        hop=64,
        filter_start="steady",
        lateness_s=0.2,
    )


def undisturbed(entries: Iterable[Entry]) -> dict[tuple[str, str, bytes], int]:
    """Return what one step, called once for all records, publishes of windows and episodes.

    As device, topic's last level, and payload, and how often.
    """
    step = make_step()
    ordered = sorted(entries, key=lambda entry: (entry.partition, entry.offset))
    stepped = step(None, list(_records(ordered)))
    return _counted((one.topic, one.payload) for one in stepped.publications)


def found(entries: Sequence[Entry]) -> dict[tuple[str, str, bytes], int]:
    """Return the same of results in Kafka, without repeats by their header ``origin``."""
    by_origin = {entry.headers["origin"]: entry for entry in entries}
    return _counted((e.headers["topic"].decode(), e.value) for e in by_origin.values())


def _counted(results: Iterable[tuple[str, bytes]]) -> dict[tuple[str, str, bytes], int]:
    counts: dict[tuple[str, str, bytes], int] = {}
    for topic, payload in results:
        _, device, leaf = topic.split("/")
        if leaf in ("prediction", "episode"):
            key = (device, leaf, payload)
            counts[key] = counts.get(key, 0) + 1
    return counts


def _records(entries: Iterable[Entry]) -> Iterator[Record]:
    for entry in entries:
        topic = entry.headers.get("topic", b"").decode(errors="replace")
        retained = entry.headers.get("retained") == b"1"
        yield Record(topic, entry.value, entry.time_s, entry.partition, retained)
