"""Two models: one for phones at the waist, one for all others."""

from collections.abc import Sequence
from functools import partial
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.classifier import Classifier, find_model
from pipeline.readings import Delivery
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.recognizer import Recognizer, StateError
from pipeline.recognition.results import Prediction, Recognised
from pipeline.recordings import simulated
from pipeline.state.checkpoint import decode, encode
from tests.recognition.made_up import (
    EPOCH,
    HOP,
    in_messages,
    motion,
    of_every_kind,
    push,
    readings,
    told_of,
)

LANDSCAPE = FRAMES["landscape"]


def predictions_of(device: str, ticks: Sequence[Recognised]) -> list[Prediction]:
    """Return a phone's predictions in the order in which they came."""
    return [p for tick in ticks for p in tick.predictions if p.device == device]


def assert_alike(expected: Sequence[Prediction], actual: Sequence[Prediction]) -> None:
    """Compare one phone's predictions, the probabilities within what batches round otherwise."""
    known = attrgetter("start", "end", "settling", "model", "activities", "label")
    assert list(map(known, expected)) == list(map(known, actual))
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other.probabilities, one.probabilities, rtol=0, atol=1e-5)


def decisions_of(device: str, ticks: Sequence[Recognised]) -> list[tuple[object, ...]]:
    """Return a phone's changes and then its episodes, without the probabilities."""
    return [
        *((one.activity, one.since) for tick in ticks for d, one in tick.changes if d == device),
        *(
            (one.activity, one.start, one.end)
            for tick in ticks
            for d, one in tick.episodes
            if d == device
        ),
    ]


@given(data=st.data())
@settings(max_examples=15)
def test_each_phone_has_the_results_of_its_model(
    classifier: Classifier, elsewhere: Classifier, data: st.DataObject
) -> None:
    """Phones of every kind have the results that they would have alone, with one model.

    That is the first one at the waist and where samples are prepared, else the other.
    """
    messages = of_every_kind()
    names = data.draw(st.lists(st.sampled_from(sorted(messages)), min_size=1, unique=True))
    at_waist = {name: data.draw(st.booleans()) for name in names}
    recognizer = Recognizer(classifier, model_elsewhere=elsewhere, hop=HOP)
    for name in names:
        recognizer.admit(name)
        recognizer.place(name, 1.0, LANDSCAPE, at_waist=at_waist[name])
    waiting = {name: list(messages[name]) for name in names}
    received = {name: iter(range(len(messages[name]))) for name in names}
    ticks = []
    while any(waiting.values()):
        tick = []
        n_messages = data.draw(st.integers(1, 8))
        for name in names:
            for message in waiting[name][:n_messages]:
                tick.append(Delivery([message], EPOCH + next(received[name])))
            del waiting[name][:n_messages]
        ticks.append(recognizer.push(tick))
    ticks.append(recognizer.finish(names))

    for name in names:
        model = classifier if at_waist[name] or name == "prepared" else elsewhere
        alone = Recognizer(model, hop=HOP)
        alone.admit(name)
        expected = [
            alone.push([Delivery([message], EPOCH + number)])
            for number, message in enumerate(messages[name])
        ]
        expected.append(alone.finish([name]))
        actual = predictions_of(name, ticks)
        assert_alike(predictions_of(name, expected), actual)
        assert decisions_of(name, expected) == decisions_of(name, ticks)
        assert alone.problems(name) == recognizer.problems(name)


@pytest.mark.parametrize("size", [7, 25, 300])
def test_a_phone_that_is_placed_elsewhere(
    classifier: Classifier, elsewhere: Classifier, size: int
) -> None:
    """At the waist, taken elsewhere, and put back: each time it begins anew with the other model.

    Its episodes end there, and nothing is left of how it was worn before.
    """
    rows = motion(900, seed=11)
    recognizer = Recognizer(classifier, model_elsewhere=elsewhere, hop=HOP)
    recognizer.admit("phone")
    ticks, expected = [], []
    for number, first in enumerate((0, 300, 600)):
        model = elsewhere if number == 1 else classifier
        recognizer.place("phone", 1.0, LANDSCAPE, at_waist=number != 1)
        assert model is recognizer.model_of("phone")
        messages = in_messages(readings(rows[first : first + 300], first=first), size=size)
        ticks += [push(recognizer, message) for message in messages]
        fresh = Recognizer(model, hop=HOP)
        expected += [push(fresh, message) for message in messages]
        expected.append(fresh.finish(["phone"]))
    ticks.append(recognizer.finish(["phone"]))

    assert_alike(predictions_of("phone", expected), predictions_of("phone", ticks))
    models = [p.model for p in predictions_of("phone", ticks)]
    assert ["tiny@0badcafe", "tiny-any@0badcafe", "tiny@0badcafe"] == [
        model for before, model in zip([None, *models], models, strict=False) if model != before
    ]
    assert decisions_of("phone", expected) == decisions_of("phone", ticks)


def test_samples_of_another_form_within_a_tick(
    classifier: Classifier, elsewhere: Classifier
) -> None:
    """Raw samples and then prepared ones have both models' results in their order, in any tick."""
    raw = in_messages(readings(motion(400, seed=12)))
    prepared = in_messages(readings(motion(400, seed=13, width=9), first=400))
    other = in_messages(readings(motion(800, seed=14), device="other"))
    at_once, one_by_one = (
        Recognizer(classifier, model_elsewhere=elsewhere, hop=HOP) for _ in range(2)
    )
    together = [push(at_once, *raw, *prepared, *other), at_once.finish(["phone", "other"])]
    apart = [push(one_by_one, message) for message in (*raw, *prepared, *other)]
    apart.append(one_by_one.finish(["phone", "other"]))

    for device in ("phone", "other"):
        assert_alike(predictions_of(device, apart), predictions_of(device, together))
        assert decisions_of(device, apart) == decisions_of(device, together)
    models = [p.model for p in predictions_of("phone", together)]
    assert sorted(models, key=lambda model: model != elsewhere.identity) == models
    assert {classifier.identity, elsewhere.identity} == set(models)


def test_the_model_of_a_phone(classifier: Classifier, elsewhere: Classifier) -> None:
    """It is the one for elsewhere, unless it is placed at the waist or sends prepared samples."""
    recognizer = Recognizer(classifier, model_elsewhere=elsewhere, hop=HOP)
    push(recognizer, readings(motion(100, seed=1)))
    assert elsewhere is recognizer.model_of("phone")
    push(recognizer, readings(motion(100, seed=1, width=9), device="prepared"))
    assert classifier is recognizer.model_of("prepared")
    one_for_all = Recognizer(classifier, hop=HOP)
    push(one_for_all, readings(motion(100, seed=1)))
    assert classifier is one_for_all.model_of("phone")


def test_where_one_model_is_for_all_a_place_is_no_news(classifier: Classifier) -> None:
    """The signals of a phone go on, wherever on the body it is said to be worn."""
    rows = motion(300, seed=2)
    undisturbed, placed = Recognizer(classifier, hop=HOP), Recognizer(classifier, hop=HOP)
    expected = [push(undisturbed, readings(rows[:150])), push(undisturbed, readings(rows[150:]))]
    actual = [push(placed, readings(rows[:150]))]
    placed.place("phone", 1.0, LANDSCAPE, at_waist=True)
    actual.append(push(placed, readings(rows[150:])))

    assert [told_of(tick) for tick in expected] == [told_of(tick) for tick in actual]


@pytest.mark.parametrize("n_before", [10, 150])
@pytest.mark.parametrize("has_two_models", [False, True])
def test_prepared_samples_go_on_however_the_phone_is_placed(
    classifier: Classifier, elsewhere: Classifier, n_before: int, has_two_models: bool
) -> None:
    """No placement changes their results; it holds once the phone sends raw samples."""
    rows, raw = motion(400, seed=2, width=9), readings(motion(300, seed=3), first=400)
    make = partial(
        Recognizer, classifier, model_elsewhere=elsewhere if has_two_models else None, hop=HOP
    )
    undisturbed, placed, placed_before = make(), make(), make()
    placed_before.admit("phone")
    placed_before.place("phone", -1.0, FRAMES["portrait"], at_waist=True)
    parts = readings(rows[:n_before]), readings(rows[n_before:], first=n_before)
    expected = [push(undisturbed, part) for part in parts]
    actual = [push(placed, parts[0])]
    placed.place("phone", -1.0, FRAMES["portrait"], at_waist=True)
    actual.append(push(placed, parts[1]))

    assert [told_of(tick) for tick in expected] == [told_of(tick) for tick in actual]
    for part in parts:
        push(placed_before, part)
    assert told_of(push(placed_before, raw)) == told_of(push(placed, raw))


def test_a_problem_ends_with_the_judgement(shipped: Classifier) -> None:
    """A phone in a wrong frame has no such problem once it is known to be worn elsewhere."""
    any_way_round = Classifier(find_model("cnn-lstm-any"))
    recognizer = Recognizer(shipped, model_elsewhere=any_way_round, hop=64)
    recognizer.admit("phone")
    recognizer.place("phone", 1.0, LANDSCAPE, at_waist=True)
    [walking] = simulated.recordings(1, seconds=30, activity="WALKING")
    rows = walking.stretches[0].samples.astype(np.float64)
    upside_down = rows @ np.kron(np.eye(2), FRAMES["landscape-upside-down"])
    push(recognizer, readings(upside_down))
    assert ("wrong-frame",) == recognizer.problems("phone")

    recognizer.place("phone", 1.0, LANDSCAPE, at_waist=False)
    recognised = push(recognizer, readings(upside_down, first=len(rows)))

    assert [("phone", ())] == recognised.problems
    assert () == recognizer.problems("phone")


@given(data=st.data())
@settings(max_examples=15)
def test_a_restored_recognizer_goes_on(
    classifier: Classifier, elsewhere: Classifier, data: st.DataObject
) -> None:
    """Saved at any moment and restored elsewhere it goes on to the last bit.

    Phones of both models are among them, and some come to be the other's.
    """
    messages = of_every_kind()
    names = data.draw(st.lists(st.sampled_from(sorted(messages)), min_size=1, unique=True))
    make = partial(
        Recognizer,
        classifier,
        model_elsewhere=elsewhere,
        hop=HOP,
    )
    undisturbed, restored = make(), make()
    for recognizer in (undisturbed, restored):
        for device in ["gone", *names]:
            recognizer.admit(device)
        recognizer.forget(["gone"])  # so that slots change when they are restored
    expected: list[object] = []
    actual: list[object] = []
    for number in range(max(len(messages[name]) for name in names)):
        tick = [
            Delivery([one], EPOCH + number)
            for name in names
            for one in messages[name][number : number + 1]
        ]
        if data.draw(st.integers(0, 5)) == 0:
            saved = decode(encode(restored.state()))
            restored = make(max_devices=len(names))
            restored.restore(saved)
        if data.draw(st.integers(0, 3)) == 0:
            device, at_waist = data.draw(st.sampled_from(names)), data.draw(st.booleans())
            for recognizer in (undisturbed, restored):
                recognizer.place(device, 1.0, LANDSCAPE, at_waist=at_waist)
        expected += told_of(undisturbed.push(tick))
        actual += told_of(restored.push(tick))
    expected += told_of(undisturbed.finish(names))
    actual += told_of(restored.finish(names))

    assert expected == actual
    assert encode(undisturbed.state()["judgements"]) == encode(restored.state()["judgements"])


def test_a_state_of_another_second_model(classifier: Classifier, elsewhere: Classifier) -> None:
    """A state is refused where the second model is another, or is missing, and both are named."""
    both = Recognizer(classifier, model_elsewhere=elsewhere, hop=HOP)
    tiny, pair = "tiny@0badcafe", "for phones at the waist and {} for phones elsewhere"
    of_both = f"the models {tiny} {pair.format('tiny-any@0badcafe')}"
    for other, has in (
        (Recognizer(classifier, hop=HOP), f"the model {tiny} for all phones"),
        (
            Recognizer(classifier, model_elsewhere=classifier, hop=HOP),
            f"the models {tiny} {pair.format(tiny)}",
        ),
    ):
        with pytest.raises(StateError, match=f"made with {of_both}, .* has {has}: .*--model"):
            other.restore(both.state())
        with pytest.raises(StateError, match=f"made with {has}, .* has {of_both}: .*--model"):
            both.restore(other.state())


def test_a_forgotten_phone_leaves_nothing(classifier: Classifier, elsewhere: Classifier) -> None:
    """A phone that takes another's place begins with nothing, whichever models they have."""
    first = readings(motion(400, seed=4), device="first")
    second = readings(motion(400, seed=5), device="second")
    for at_waist in (False, True):
        make = partial(Recognizer, classifier, model_elsewhere=elsewhere, hop=HOP, max_devices=1)
        used, fresh = make(), make()
        push(used, first)
        used.forget(["first"])
        expected, actual = [], []
        for recognizer, told in ((fresh, expected), (used, actual)):
            recognizer.admit("second")
            recognizer.place("second", 1.0, LANDSCAPE, at_waist=at_waist)
            told += [told_of(push(recognizer, second)), told_of(recognizer.finish(["second"]))]
        assert expected == actual
