import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.calibration_message import encode_rotation
from pipeline.messages import Message
from pipeline.models.classifier import Classifier
from pipeline.program_topics import TIME_TOPIC
from pipeline.recognition.placement.placements import Placements
from pipeline.recognition.recognizer import Recognizer, StateError
from pipeline.serving.phone import Phone
from pipeline.serving.rules import Rules
from pipeline.serving.service import Service
from pipeline.serving.step import AT_ONCE, Record, Step, Stepped
from pipeline.state.checkpoint import decode, encode
from pipeline.subscriptions import subscriptions_of
from tests.fuzz import times

EPOCH = times.EPOCH
N_PARTITIONS = 3


def make_step(
    classifier: Classifier, *, hop: int = 32, max_devices: int = 10, **rules: float
) -> Step:
    """Return a step in which silence is short."""
    return Step(
        Rules(
            max_devices=max_devices,
            max_ahead_s=86_400.0,
            max_behind_s=60.0,
            offline_after_s=rules.get("offline_after_s", 10.0),
            forget_after_s=rules.get("forget_after_s", 30.0),
            heartbeat_s=10.0,
        ),
        [classifier],
        subscriptions_of([], with_defaults=True),
        conventions=["android"],
        frames=[],
        body_places=[],
        hop=hop,
        filter_start="steady",
        lateness_s=0.2,
    )


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    """The tiny model, loaded."""
    return Classifier(tiny_model)


def samples(device: str, number: int, *, time_s: float = EPOCH, partition: int = 0) -> Record:
    """Return one of the messages that a phone sends every half second, of somebody who walks."""
    start = time_s + number * 0.5
    at = start + np.arange(25) / 50
    message = {
        "start": start,
        "rate": 50,
        "acc": (times.values(at, 0) + times.GRAVITY).tolist(),
        "acc_unit": "m/s2",
        "gyro": times.values(at, 3).tolist(),
        "gyro_unit": "rad/s",
    }
    payload = msgspec.json.encode(message)
    return Record(f"har/{device}/samples", payload, start + 0.6, partition)


class Run:
    """A bucket that is stepped through batches; what it published, by topic."""

    def __init__(self, step: Step) -> None:
        """Begin without a state."""
        self._step = step
        self.state: bytes | None = None
        self.published: defaultdict[str, list[bytes]] = defaultdict(list)
        self.rejected: Counter[str] = Counter()

    def take(self, records: Sequence[Record]) -> Stepped:
        """Take a batch."""
        stepped = self._step(self.state, records)
        self.state = stepped.state
        for one in stepped.publications:
            self.published[one.topic].append(one.payload)
        self.rejected += stepped.n_rejected
        assert 0 == stepped.n_failed
        return stepped

    def results(self) -> dict[str, list[bytes]]:
        """Return what never depends on the batches, by topic."""
        leaves = ("/prediction", "/episode", "/availability")
        return {topic: sent for topic, sent in self.published.items() if topic.endswith(leaves)}

    def activities(self) -> dict[str, list[bytes]]:
        """Return the activities of each phone by topic, and what began; heartbeats left out."""
        return {
            topic: [now for before, now in zip([None, *sent], sent, strict=False) if now != before]
            for topic, sent in self.published.items()
            if topic.endswith(("/activity", "/begins"))
        }


def fleet(seeds: Sequence[int], rng: random.Random) -> list[Record]:
    """Return the records of some phones, each in a partition, with all that can come between.

    Pauses of a phone and of all, calibrations, messages that are nonsense, and records that tell
    the time alone.
    """
    queues: dict[str, list[tuple[str, bytes]]] = {}
    for number, seed in enumerate(seeds):
        device = f"phone-{number}"
        _, sent = times.messages(seed, seconds=12)
        queues[device] = [
            (f"har/{device}/samples", one.payload) for one in sent if one.format == "native"
        ] or [(record.topic, record.payload) for record in (samples(device, k) for k in range(24))]
    order = [device for device, queue in queues.items() for _ in queue]
    rng.shuffle(order)
    records, now = [], EPOCH + 10.0
    away: dict[str, float] = {}
    for device in order:
        now += rng.choice([0.0, 0.1, 0.1, 0.5])
        if rng.random() < 0.01:
            now += rng.choice([5.0, 15.0, 100.0])
        partition = int(device[-1]) % N_PARTITIONS
        event = rng.random()
        if event < 0.02:
            records.append(Record(f"har/{device}/samples", b"nonsense", now, partition))
        elif event < 0.04:
            turned = encode_rotation(np.eye(3)[rng.choice([[0, 1, 2], [1, 2, 0]])])
            records.append(Record(f"har/{device}/calibration", turned, now, partition))
        elif event < 0.06:
            records += [Record(TIME_TOPIC, b"", now, number) for number in range(N_PARTITIONS)]
        elif event < 0.07:
            away[device] = now + rng.choice([3.0, 12.0, 40.0])
        topic, payload = queues[device].pop(0)
        if now >= away.get(device, 0.0):
            records.append(Record(topic, payload, now, partition))
    return records


@example(seeds=list(range(100, 103)), grouping=0)
@given(seeds=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4), grouping=st.integers(0, 99))
@settings(max_examples=25)
def test_batches_do_not_matter(classifier: Classifier, seeds: list[int], grouping: int) -> None:
    """The same records give the same results, one by one, all at once, or in random batches.

    Each partition's stay in their order; those of one may come before those of another.
    """
    rng = random.Random(grouping)
    records = fleet(seeds, rng)
    one_by_one, in_batches, at_once = (Run(make_step(classifier)) for _ in range(3))
    for record in records:
        one_by_one.take([record])
    rest = records
    while rest:
        n = rng.choice([1, 2, 5, 40, 100])
        in_batches.take(sorted(rest[:n], key=lambda record: record.partition))
        rest = rest[n:]
    at_once.take(sorted(records, key=lambda record: record.partition))

    for other in (in_batches, at_once):
        assert one_by_one.results() == other.results()
        assert one_by_one.rejected == other.rejected


def test_what_ordinary_phones_do_now(classifier: Classifier) -> None:
    """Their activities and what begins are the same too, however their records are cut.

    One pauses and comes again, one is calibrated.
    """
    records = []
    for k in range(80):
        if not 30 <= k < 55:
            records.append(samples("a", k, partition=0))
        records.append(samples("b", k, partition=0))
        records.append(samples("c", k, partition=1))
        if k == 40:
            turned = encode_rotation(np.eye(3)[[1, 2, 0]])
            records.append(Record("har/c/calibration", turned, records[-1].time_s, 1))
    one_by_one, in_batches = (Run(make_step(classifier)) for _ in range(2))
    for record in records:
        one_by_one.take([record])
    for at in range(0, len(records), 25):
        in_batches.take(sorted(records[at : at + 25], key=lambda record: record.partition))
    assert one_by_one.results() == in_batches.results()
    assert one_by_one.activities() == in_batches.activities()
    assert [b"online", b"offline", b"online"] == in_batches.published["har/a/availability"]


def test_a_batch_that_is_run_again(classifier: Classifier) -> None:
    """It gives the same publications with the same numbers, and the same state, to the last bit."""
    step = make_step(classifier)
    records = fleet([1, 2, 3], random.Random(5))
    first = step(None, records[:40])
    assert first == step(None, records[:40])
    second = step(first.state, records[40:])
    assert second == step(first.state, records[40:])
    assert (0, len(first.publications)) == (first.first_number, second.first_number)


def test_records_that_cannot_be_used(classifier: Classifier) -> None:
    """They are counted by reason and told in their phone's info; the others' results stay."""
    good = [samples("good", k) for k in range(20)]
    bad = [
        Record("har/bad/samples", b"nonsense", EPOCH + 3.0),
        Record("har/bad/samples", b"{}", EPOCH + 3.0),
        Record("har/bad/samples", b" " * (1 << 20) + b"{}", EPOCH + 3.0),
        Record("har/bad/calibration", b'{"v":1}', EPOCH + 3.0),
        Record("har/good/calibration", b"no", EPOCH + 3.0),
        Record("har/\x00/samples", good[0].payload, EPOCH + 3.0),
        Record("no/topic/of/ours", b"\xff", EPOCH + 3.0),
        Record("", b"", EPOCH + 3.0),
        samples("good", 400_000, time_s=EPOCH, partition=0),
    ]
    bad[-1] = Record("har/good/samples", bad[-1].payload, EPOCH + 3.0)
    alone, disturbed = Run(make_step(classifier)), Run(make_step(classifier))
    alone.take(good)
    disturbed.take([*good[:5], *bad, *good[5:]])
    assert alone.results() == {
        topic: sent for topic, sent in disturbed.results().items() if "/good/" in topic
    }
    assert {"json": 1, "field": 1, "size": 1, "calibration": 2, "device": 1, "time": 1} == dict(
        disturbed.rejected
    )
    (info,) = disturbed.published["har/bad/info"]
    assert {"field": 1, "json": 1, "size": 1} == json.loads(info)["rejected"]


def test_all_samples_that_are_dropped_are_logged(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch leaves none of them out of the log, however many rounds it takes."""
    records = [samples("a", k) for k in range(20)]
    with caplog.at_level(logging.WARNING):
        Run(make_step(classifier)).take(records * (1 + 2 * AT_ONCE // len(records)))
    dropped = [text.split()[1] for text in caplog.messages if text.startswith("dropped")]
    assert 25 * 2 * AT_ONCE == sum(map(int, dropped))


def test_a_full_bucket(classifier: Classifier) -> None:
    """A phone without room is told so; once another has been silent for long, it has room."""
    run = Run(make_step(classifier, max_devices=1))
    run.take([samples("a", 0), samples("b", 0)])
    assert {"devices": 1} == dict(run.rejected)
    assert "1 phones already" in json.loads(run.published["har/b/info"][-1])["advice"][0]
    run.take([samples("b", 15)])
    run.take([samples("b", k) for k in range(30, 50)])
    assert run.published["har/b/prediction"]
    assert [b"online", b"offline", b""] == run.published["har/a/availability"]


def test_silence_is_by_the_time_of_records(classifier: Classifier) -> None:
    """A phone ends when later records of its partition have come, and is forgotten in the end.

    Records of other partitions may lag, so they show nothing; nor does a pause of the partition.
    """
    run = Run(make_step(classifier))
    walk = [samples("a", k) for k in range(20)]
    run.take(walk)
    end = walk[-1].time_s
    run.take([Record(TIME_TOPIC, b"", end + 100.0, partition=1)])
    assert [b"online"] == run.published["har/a/availability"]
    run.take([Record(TIME_TOPIC, b"", end + 50.0)])
    assert [b"online"] == run.published["har/a/availability"]
    run.take([Record(TIME_TOPIC, b"", end + 59.0)])
    assert [b"online"] == run.published["har/a/availability"]
    run.take([Record(TIME_TOPIC, b"", end + 61.0)])
    assert [b"online", b"offline"] == run.published["har/a/availability"]
    assert run.published["har/a/episode"]
    ended = run.take([Record(TIME_TOPIC, b"", end + 50.0 + k) for k in range(12, 32)])
    assert (0, b"") == (ended.n_phones, run.published["har/a/availability"][-1])


def test_a_phone_that_is_forgotten_while_it_is_online(classifier: Classifier) -> None:
    """It goes offline first, whether its silence is seen while it lasts, or when it sends again."""
    walk = [*(samples("a", k) for k in range(20)), samples("a", 60)]
    times_between = [Record(TIME_TOPIC, b"", walk[-2].time_s + k) for k in range(1, 20)]
    for cut in (1, len(walk) + len(times_between)):
        run = Run(make_step(classifier, forget_after_s=5.0))
        records = [*walk[:-1], *times_between, walk[-1]]
        for at in range(0, len(records), cut):
            run.take(records[at : at + cut])
        assert [b"online", b"offline", b"", b"online"] == run.published["har/a/availability"]


def test_a_phone_that_is_forgotten_and_comes_again(classifier: Classifier) -> None:
    """It begins anew as if it had never been there, but its calibration stays."""
    turned = Record("har/a/calibration", encode_rotation(np.eye(3)[[1, 2, 0]]), EPOCH)
    early = [samples("a", k) for k in range(20)]
    late = [samples("a", k) for k in range(200, 220)]
    run, anew = Run(make_step(classifier)), Run(make_step(classifier))
    run.take([turned, *early])
    run.take([Record(TIME_TOPIC, b"", early[-1].time_s + k) for k in range(40)])
    before = {topic: len(sent) for topic, sent in run.published.items()}
    run.take(late)
    anew.take([turned, *late])
    for topic, sent in anew.results().items():
        assert sent == run.published[topic][before[topic] :]


def test_a_state_of_other_models_or_settings(classifier: Classifier, glass_model: Path) -> None:
    """It is refused, in a sentence that names both."""
    state = make_step(classifier)(None, [samples("a", 0)]).state
    with pytest.raises(StateError, match="hop 32, not 64"):
        make_step(classifier, hop=64)(state, [samples("a", 1)])
    with pytest.raises(StateError, match="was made with the model"):
        make_step(Classifier(glass_model))(state, [samples("a", 1)])


def test_a_batch_without_publications(classifier: Classifier) -> None:
    """The time alone publishes nothing, but is known later."""
    stepped = make_step(classifier)(None, [Record(TIME_TOPIC, b"", EPOCH)])
    assert ([], 0, 0) == (stepped.publications, stepped.n_phones, stepped.n_windows)


class LastingClock:
    """A clock by which no phone is silent, and which is right."""

    def now(self, phone: Phone) -> float:
        """Return when all began."""
        return EPOCH

    def silent_s(self, phone: Phone, since: float) -> float:
        """Return 0."""
        return 0.0

    def confirm(self) -> None:
        """Learn nothing new."""

    def is_known_wrong_at(self, time_s: float) -> bool:
        """Return False."""
        return False


def state_of_har_stream(classifier: Classifier, records: Sequence[Record]) -> dict[str, Any]:
    """Return what a har-stream saves of its phones after these messages."""
    rules = Rules(
        max_devices=10,
        max_ahead_s=86_400.0,
        max_behind_s=60.0,
        offline_after_s=10.0,
        forget_after_s=30.0,
        heartbeat_s=10.0,
    )
    clock = LastingClock()
    service = Service(
        rules,
        [classifier],
        Recognizer(classifier, hop=32, max_devices=10, lateness_s=0.2),
        Placements(["android"], max_devices=10),
        subscriptions_of([], with_defaults=True),
        silence=clock,
        clock=clock,
    )
    for record in records:
        assert (
            service.receiver.take(Message(record.topic, record.payload, record.time_s), 0) is None
        )
    service.deliveries.recognise()
    return decode(encode(service.phones.state()))


def test_phones_of_a_har_stream_go_on(classifier: Classifier) -> None:
    """Dealt to buckets, each goes on where it was, with its calibration, in its bucket alone.

    Their signals, names and calibrations are in what a har-stream saves.
    """
    turned = encode_rotation(np.eye(3)[[1, 2, 0]])
    before = [samples(device, k) for k in range(12) for device in "abc"]
    before.append(Record("har/b/calibration", turned, EPOCH + 6.0))
    before.append(Record("har/absent/calibration", turned, EPOCH + 6.0))
    after = [samples(device, k) for k in range(12, 30) for device in "abc"]
    one_machine = Run(make_step(classifier))
    one_machine.take(before)
    saved = state_of_har_stream(classifier, before)
    n_before = {topic: len(sent) for topic, sent in one_machine.results().items()}
    one_machine.take(after)

    buckets = [Run(make_step(classifier, max_devices=2)) for _ in range(2)]
    for bucket, own in zip(buckets, ({"a", "c"}, {"b", "absent"}), strict=True):
        bucket.state = make_step(classifier, max_devices=2).adopt(
            saved, own.__contains__, EPOCH + 7.0
        )
        bucket.take([record for record in after if record.topic.split("/")[1] in own])
    for topic, sent in one_machine.results().items():
        (bucket,) = [bucket for bucket in buckets if topic in bucket.published] or [buckets[0]]
        assert sent[n_before.get(topic, 0) :] == bucket.published[topic]
    known = [decode(bucket.state or b"")["service"]["phones"]["placements"] for bucket in buckets]
    assert [[], ["absent"]] == [list(one["calibrations"]["unseen"]) for one in known]
