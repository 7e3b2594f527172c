from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.models.classifier import Classifier, find_models
from pipeline.program_topics import TIME_TOPIC
from pipeline.serving.rules import Rules
from pipeline.serving.step import Record, Step
from pipeline.subscriptions import subscriptions_of
from tests.disturbed_recordings import (
    FORGET_S,
    HOP,
    LEAVES,
    Disturbed,
    Results,
    exchanged,
    of_data_sets,
)

if TYPE_CHECKING:
    from tests.brokers import Broker
    from tests.processes import Running

    Start = Callable[..., Running]


def stepped(sent: Disturbed, *, size: int) -> Results:
    """Return what batches of ``size`` records lead to, with the default models."""
    rules = Rules(
        max_devices=100,
        max_ahead_s=86_400.0,
        max_behind_s=60.0,
        offline_after_s=10.0,
        forget_after_s=FORGET_S,
        heartbeat_s=10.0,
    )
    step = Step(
        rules,
        [Classifier(path) for path in find_models("auto")],
        subscriptions_of([], with_defaults=True),
        conventions=["auto"],
        frames=[],
        body_places=[],
        hop=HOP,
        filter_start="steady",
        lateness_s=0.2,
    )
    now = 1.79e9
    records = []
    for part in (sent.before, sent.after):
        for record in part:
            now += 0.0001
            records.append(Record(record.topic, record.payload, now))
        for _ in range(10):  # later than all, but without a pause
            now += 1.0
            records.append(Record(TIME_TOPIC, b"", now))
    results: Results = defaultdict(list)
    state = None
    for at in range(0, len(records), size):
        batch = step(state, records[at : at + size])
        state = batch.state
        for one in batch.publications:
            if one.topic.endswith(LEAVES):
                results[one.topic].append(one.payload)
    return results


@pytest.mark.alone
def test_batches_and_har_stream_agree(
    data_dir: Path, own_mosquitto: "Broker", start_command: "Start"
) -> None:
    """The results of batches are har-stream's, byte by byte, for the real data.

    They are UCI HAR's test people and three raw recordings, with messages repeated, lost, late and
    broken, a phone forgotten and back, and a calibration in mid-stream.
    """
    own_mosquitto.start()  # type: ignore[attr-defined]
    sent = of_data_sets(data_dir)
    stream = start_command("har-stream", *own_mosquitto.flags, "--forget-after", str(FORGET_S))
    own_mosquitto.await_har_stream()
    expected = exchanged(sent, own_mosquitto)
    assert 0 == stream.end()
    assert {f"har/{device}/{leaf}" for device in sent.devices for leaf in LEAVES} == set(expected)
    for size in (500, 7_000):
        results = stepped(sent, size=size)
        assert expected.keys() == results.keys()
        for topic, payloads in expected.items():
            assert payloads == results[topic], topic
