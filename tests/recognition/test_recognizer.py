from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import MessageError, Readings, Sensor
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.results import Change, Episode, Prediction, Recognised
from pipeline.recordings import hapt, simulated
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.made_up import (
    EPOCH,
    HOP,
    assert_same,
    in_messages,
    motion,
    push,
    readings,
    starts,
)


@pytest.mark.parametrize("width", [6, 9])
def test_predictions(classifier: Classifier, width: int) -> None:
    """Raw and prepared samples give a prediction a hop, with the times of its window."""
    recognised = push(Recognizer(classifier, hop=64), readings(motion(400, seed=1, width=width)))

    assert [0, 64, 128, 192, 256] == starts(recognised.predictions)
    for prediction in recognised.predictions:
        assert "phone" == prediction.device
        assert prediction.end == pytest.approx(prediction.start + 127 / 50, abs=1e-6)
        assert prediction.label == prediction.probabilities.argmax()
        assert prediction.settling == (width == 6 and prediction.start < EPOCH + 3.19)


def test_prepared_samples_reach_the_model_untouched(classifier: Classifier) -> None:
    """Prepared windows are classified as the model classifies them offline."""
    rows = motion(192, seed=2, width=9).astype(np.float32).astype(np.float64)
    offline = classifier.classify(np.stack([rows[:128], rows[64:]]).astype(np.float32))

    recognised = push(Recognizer(classifier, hop=64), readings(rows))

    live = np.stack([prediction.probabilities for prediction in recognised.predictions])
    np.testing.assert_allclose(live, offline, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [5, 25, 50])
def test_recordings_in_turns(shipped: Classifier, size: int) -> None:
    """While two phones send under one name no activity is named, whatever the ticks."""
    rows = motion(1500, seed=3)
    messages = [
        readings(rows[k : k + size], first=k, recording=name)
        for k in range(0, len(rows), size)
        for name in ("a", "b")
    ]
    whole, single = Recognizer(shipped, hop=HOP), Recognizer(shipped, hop=HOP)
    at_once = push(whole, *messages)
    one_by_one = [push(single, message) for message in messages]

    assert at_once.predictions
    assert_same(at_once.predictions, [p for tick in one_by_one for p in tick.predictions])
    for changes in (at_once.changes, [c for tick in one_by_one for c in tick.changes]):
        assert {"unknown"} == {change.activity for _, change in changes}
    assert whole.problems("phone") == single.problems("phone")
    assert "two-phones" in whole.problems("phone")


@pytest.mark.parametrize("hop", [16, 64])
def test_the_activity_now_and_the_timeline(shipped: Classifier, hop: int) -> None:
    """A day of six activities is told as it goes on, and then as episodes without a break."""
    [simulated_phone] = simulated.recordings(1, seconds=120)
    [stretch] = simulated_phone.stretches
    recognizer = Recognizer(shipped, hop=hop)
    changes: list[Change] = []
    episodes: list[Episode] = []
    for k in range(0, len(stretch.samples), 25):
        recognised = push(recognizer, readings(stretch.samples[k : k + 25], first=k))
        changes += [change for _, change in recognised.changes]
        episodes += [episode for _, episode in recognised.episodes]
        for _, episode in recognised.episodes:
            assert EPOCH + (k + 25) / 50 - episode.end <= 5.0 + 0.5, "final 5 s after the fact"
    episodes += [episode for _, episode in recognizer.finish(["phone"]).episodes]

    lasting = [episode for episode in episodes if episode.activity in ACTIVITIES]
    assert list(ACTIVITIES) == [
        change.activity for change in changes if change.activity in ACTIVITIES
    ]
    assert list(ACTIVITIES) == [episode.activity for episode in lasting]
    assert [one.end for one in episodes[:-1]] == [one.start for one in episodes[1:]]
    for number, episode in enumerate(lasting):
        # Simulated stairs are told apart late: only whole windows of them are like people.
        assert episode.end - EPOCH == pytest.approx(20 * (number + 1) + 0.5, abs=2.5)
        assert 0.9 < episode.probability <= 1


def test_one_row_at_a_time(classifier: Classifier) -> None:
    """A phone may send one row a message, the very first too."""
    rows = motion(200, seed=4)
    expected = push(Recognizer(classifier, hop=HOP), readings(rows)).predictions
    recognizer = Recognizer(classifier, hop=HOP)

    actual: list[Prediction] = []
    for k in range(200):
        actual += push(recognizer, readings(rows[k : k + 1], first=k)).predictions

    assert_same(expected, actual)


def test_nothing_to_do(classifier: Classifier) -> None:
    """A tick without readings gives nothing."""
    recognised = Recognizer(classifier, hop=HOP).push([])
    assert [] == recognised.predictions
    assert [] == recognised.changes


@given(data=st.data())
@settings(max_examples=40)
def test_cuts_ticks_repeats_and_company_do_not_matter(
    classifier: Classifier, tiny_model: Path, data: st.DataObject
) -> None:
    """The same samples give the same predictions, however they arrive and are classified.

    Phones, raw and prepared, some with a gap, one at 60 Hz, are cut into random messages, repeated
    at random, interleaved with each other and gathered into random ticks; the model takes random
    deliveries.
    """
    n_phones = data.draw(st.integers(1, 4))
    queues: dict[str, list[Readings]] = {}
    expected: dict[str, list[Prediction]] = {}
    expected_decisions: dict[str, list[tuple[object, ...]]] = {}
    for number in range(n_phones):
        whole = _recording(f"phone-{number}", number)
        alone = Recognizer(classifier, hop=HOP, max_devices=1)
        parts_alone = [push(alone, whole), alone.finish([whole.device])]
        expected[whole.device] = [p for part in parts_alone for p in part.predictions]
        expected_decisions[whole.device] = [d for part in parts_alone for d in _decisions(part)]
        assert expected[whole.device]
        cuts = sorted(data.draw(st.sets(st.integers(1, len(whole.times) - 1), max_size=12)))
        parts = [
            msgspec.structs.replace(whole, times=times, values=rows)
            for times, rows in zip(
                np.split(whole.times, cuts), np.split(whole.values, cuts), strict=True
            )
        ]
        repeats = data.draw(st.lists(st.integers(1, 2), min_size=len(parts), max_size=len(parts)))
        queues[whole.device] = [
            part for part, n in zip(parts, repeats, strict=True) for _ in range(n)
        ]
        _overtake(queues[whole.device], lambda: data.draw(st.booleans()))

    in_batches = Classifier(tiny_model, batch_size=data.draw(st.integers(1, 9)))
    recognizer = Recognizer(in_batches, hop=HOP, max_devices=n_phones)
    actual: dict[str, list[Prediction]] = {device: [] for device in queues}
    decisions: list[tuple[object, ...]] = []
    while any(queues.values()):
        tick = []
        for _ in range(data.draw(st.integers(1, 8))):
            waiting = [device for device, queue in queues.items() if queue]
            if waiting:
                tick.append(queues[data.draw(st.sampled_from(waiting))].pop(0))
        recognised = push(recognizer, *tick)
        decisions += _decisions(recognised)
        for prediction in recognised.predictions:
            actual[prediction.device].append(prediction)
    recognised = recognizer.finish(list(queues))
    decisions += _decisions(recognised)
    for prediction in recognised.predictions:
        actual[prediction.device].append(prediction)

    for device in expected:
        assert_same(expected[device], actual[device])
        of_device = [one for one in decisions if one[0] == device]
        assert sorted(expected_decisions[device]) == sorted(of_device)


def _decisions(recognised: Recognised) -> list[tuple[object, ...]]:
    """Return what was decided, without the probabilities, which may differ in the last digit."""
    changes = [(device, "now", one.activity, one.since) for device, one in recognised.changes]
    return changes + [
        (device, "episode", one.activity, one.start, one.end) for device, one in recognised.episodes
    ]


def _overtake(messages: list[Readings], wanted: Callable[[], bool]) -> None:
    """Let short messages of a phone at the grid's rate overtake the one before."""
    for i in range(1, len(messages)):
        before, message = messages[i - 1], messages[i]
        regular = len(before.times) > 1 and before.times[1] - before.times[0] > 0.018
        short = before.times[0] + 0.2 > message.times[-1] > before.times[-1]
        if regular and short and wanted():
            messages[i - 1], messages[i] = message, before


def _recording(device: str, number: int) -> Readings:
    """Return a phone of one of four kinds: raw, prepared, raw with a gap, raw at 60 Hz."""
    kind = number % 4
    rows = motion(400, seed=number, width=9 if kind == 1 else 6)
    times = EPOCH + number / 3 + np.arange(400) / (60.0 if kind == 3 else 50.0)
    if kind == 2:
        times[180:] += 7.77
    return Readings(device, times, rows, "prepared" if kind == 1 else "motion")


def test_more_phones_than_slots(classifier: Classifier) -> None:
    """A phone too many is refused, and those that are there go on."""
    recognizer = Recognizer(classifier, hop=HOP, max_devices=2)
    recognizer.admit("a")
    recognizer.admit("b")

    with pytest.raises(MessageError) as refused:
        recognizer.admit("c")

    assert "devices" == refused.value.reason
    assert ["a", "b"] == recognizer.devices
    recognizer.admit("a")
    assert 1 == len(push(recognizer, readings(motion(150, seed=1), device="b")).predictions)


def test_a_forgotten_phone_makes_room(classifier: Classifier) -> None:
    """A forgotten phone's slot serves another, which inherits nothing; so does its own name."""
    recognizer = Recognizer(classifier, hop=HOP, max_devices=1)
    push(recognizer, readings(motion(200, seed=12), device="a"))
    recognizer.forget(["a"])
    assert [] == recognizer.devices
    other = readings(motion(200, seed=13), device="b", first=200)

    actual = push(recognizer, other)

    fresh = push(Recognizer(classifier, hop=HOP), other)
    assert_same(fresh.predictions, actual.predictions)
    assert fresh.changes == actual.changes
    recognizer.forget(["b"])
    again = push(recognizer, other)
    assert_same(fresh.predictions, again.predictions)
    assert fresh.changes == again.changes


def test_phones_do_not_mix(classifier: Classifier) -> None:
    """Two phones in one tick give what each gives alone."""
    a = readings(motion(300, seed=14), device="a")
    b = readings(motion(300, seed=15), device="b")

    together = push(Recognizer(classifier, hop=HOP), a, b).predictions

    for message in (a, b):
        alone = push(Recognizer(classifier, hop=HOP), message).predictions
        assert_same(alone, [p for p in together if p.device == message.device])


@pytest.mark.parametrize("hop", [0, 129])
def test_a_hop_out_of_bounds(classifier: Classifier, hop: int) -> None:
    """A hop that would leave samples unseen is refused."""
    with pytest.raises(ValueError, match="hop must be 1 to 128"):
        Recognizer(classifier, hop=hop)


SENSORS: list[Sensor] = [
    "motion", "prepared", "accelerometer", "linear_acceleration", "gravity", "gyroscope",
]  # fmt: skip


rubbish = st.builds(
    lambda name, seed, n, start, step, scale, recording, clock: (
        name, seed, n, start, step, scale, recording, clock
    ),
    st.sampled_from(SENSORS),
    st.integers(0, 1000),
    st.integers(1, 60),
    st.sampled_from([0.0, 1.0, EPOCH - 3600, EPOCH - 1, EPOCH, EPOCH + 0.3, EPOCH + 5, 9e10]),
    st.sampled_from([0.0, 1e-9, 1e-3, 0.0049, 0.01, 0.02, 0.021, 0.4, 0.6, 1e5, -0.02]),
    st.sampled_from([0.0, 1.0, 30.0]),
    st.sampled_from(["", "a"]),
    st.sampled_from(["epoch", "boot"]),
)  # fmt: skip


@given(messages=st.lists(rubbish, min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_rubbish_of_one_phone_does_no_harm(
    classifier: Classifier, messages: list[tuple[Any, ...]]
) -> None:
    """Whatever a phone sends is borne, and another's predictions stay bit for bit the same."""
    rows = motion(25 * len(messages) + 200, seed=1)
    good = [readings(rows[k : k + 25], first=k, device="good") for k in range(0, len(rows), 25)]
    recognizer, alone = Recognizer(classifier, hop=HOP), Recognizer(classifier, hop=HOP)
    expected = [p for part in good for p in push(alone, part).predictions]
    actual: list[Prediction] = []
    for part, message in zip_longest(good, messages):
        tick = [part]
        if message is not None:
            name, seed, n, start, step, scale, recording, clock = message
            rng = np.random.default_rng(seed)
            times = np.maximum(start + np.arange(n) * step, 0)
            if seed % 3 == 0:
                rng.shuffle(times)
            width = {"motion": 6, "prepared": 9}.get(name, 3)
            values = np.clip(rng.normal(size=(n, width)) * scale, -39, 39)
            tick.append(Readings("bad", times, values, name, recording, clock))
        actual += [p for p in push(recognizer, *tick).predictions if p.device == "good"]
    recognizer.finish([device for device in ("bad",) if device in recognizer.devices])

    assert [p.start for p in expected] == [p.start for p in actual]
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other.probabilities, one.probabilities, rtol=0, atol=1e-6)


@given(size=st.integers(4, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 1 << 32))
@settings(max_examples=8, deadline=None)
def test_real_recordings_arrive_in_any_way(
    recorded: list[NDArray[np.float64]], size: int, batch_size: int, seed: int
) -> None:
    """People's raw recordings, sent on in random messages and ticks, give the same predictions.

    Messages overtake within the allowance, some come again, and the model takes any deliveries.
    """
    rng = np.random.default_rng(seed)
    model = find_model("cnn-lstm")
    queues: dict[str, list[Readings]] = {}
    expected: dict[str, list[Prediction]] = {}
    for number, rows in enumerate(recorded):
        device = f"phone-{number}"
        first = rng.integers(len(rows) - 700)
        whole = readings(rows[first : first + 700], device=device)
        alone = Recognizer(Classifier(model), hop=HOP)
        expected[device] = push(alone, whole).predictions + alone.finish([device]).predictions
        queues[device] = in_messages(whole, size=size)
        _overtake(queues[device], lambda: rng.random() < 0.3)
    recognizer = Recognizer(Classifier(model, batch_size=batch_size), hop=HOP)
    actual: dict[str, list[Prediction]] = {device: [] for device in queues}
    sent: list[Readings] = []
    while any(queues.values()):
        tick = []
        for queue in queues.values():
            n = rng.integers(4)
            tick += queue[:n]
            del queue[:n]
        if sent and rng.random() < 0.3:
            tick.append(sent[rng.integers(len(sent))])
        sent += tick
        for prediction in push(recognizer, *tick).predictions:
            actual[prediction.device].append(prediction)
    for prediction in recognizer.finish(list(queues)).predictions:
        actual[prediction.device].append(prediction)

    for device in queues:
        assert (700 - 1 - 128) // HOP + 1 == len(expected[device])
        assert_same(expected[device], actual[device])


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> list[NDArray[np.float64]]:
    """Raw rows of three people."""
    return [
        recording.stretches[0].samples.astype(np.float64)
        for recording in hapt.recordings(data_dir, (1, 3, 5), download=False)
    ]


@pytest.mark.parametrize(("model", "minds"), [("cnn-lstm", True), ("cnn-lstm-any", False)])
def test_a_phone_upside_down(model: str, minds: bool) -> None:
    """A model for phones worn any way round says of it what it says of an upright one.

    Nor is its frame wrong then; for another model it is.
    """
    walking = simulated.recordings()[1].stretches[0].samples[:3000]
    upside_down = walking * [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0]
    found = []
    for rows in (walking, upside_down):
        recognizer = Recognizer(Classifier(find_model(model)), hop=HOP)
        told = [push(recognizer, one) for one in in_messages(readings(rows), size=100)]
        said = [p.probabilities for one in told for p in one.predictions if not p.settling]
        problems = {name for one in told for _, names in one.problems for name in names}
        found.append((np.array(said), problems))
    (before, _), (after, problems) = found
    assert minds == ("wrong-frame" in problems)
    assert minds != np.allclose(before, after, atol=1e-2)
