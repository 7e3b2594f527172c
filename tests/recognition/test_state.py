from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, MessageError
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.recognizer import Recognizer, State, StateError
from pipeline.state.checkpoint import decode, encode
from tests.recognition.made_up import EPOCH, HOP, motion, of_every_kind, push, readings, told_of


def stored(state: State) -> State:
    """Return a state as a checkpoint's file would give it back."""
    return decode(encode(state))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_restored_recognizer_goes_on(classifier: Classifier, data: st.DataObject) -> None:
    """What is saved at any moment and restored elsewhere goes on to the last bit."""
    messages = of_every_kind()
    names = data.draw(st.lists(st.sampled_from(sorted(messages)), min_size=1, unique=True))
    hop = data.draw(st.sampled_from([1, HOP, 64, 128]))
    make = partial(Recognizer, classifier, hop=hop)
    undisturbed, restored = make(), make()
    for recognizer in (undisturbed, restored):
        for device in ["gone", *names]:
            recognizer.admit(device)
        recognizer.place(names[0], -1.0, FRAMES["portrait"])
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
            saved = stored(restored.state())
            restored = make(max_devices=len(names))
            restored.restore(saved)
        expected += told_of(undisturbed.push(tick))
        actual += told_of(restored.push(tick))
    expected += told_of(undisturbed.finish(names))
    actual += told_of(restored.finish(names))

    assert expected == actual
    assert undisturbed.counts == restored.counts
    assert undisturbed.devices == restored.devices
    for device in names:
        assert undisturbed.rates_hz(device) == restored.rates_hz(device)
        assert undisturbed.lacks(device) == restored.lacks(device)


def test_a_state_does_not_change_later(classifier: Classifier) -> None:
    """What was saved stays as it was, whatever comes afterwards."""
    messages = of_every_kind()
    recognizer = Recognizer(classifier, hop=HOP)
    for number in range(10):
        push(recognizer, *(of_phone[number] for of_phone in messages.values()))
    state = recognizer.state()
    before = encode(state)
    for number in range(10, 20):
        push(recognizer, *(of_phone[number] for of_phone in messages.values()))

    assert before == encode(state)


def test_a_state_replaces_what_was_known(classifier: Classifier) -> None:
    """A recognizer that had phones of its own knows those of the state and no others."""
    rows = motion(300, seed=1)
    first = Recognizer(classifier, hop=HOP)
    push(first, readings(rows[:150], device="a"))
    other = Recognizer(classifier, hop=HOP, max_devices=2)
    push(other, *(readings(motion(200, seed=2), device=name) for name in ("a", "b")))

    other.restore(stored(first.state()))

    assert ["a"] == other.devices
    onward = readings(rows[150:], first=150, device="a")
    assert told_of(push(other, onward)) == told_of(push(first, onward))
    other.admit("c")
    with pytest.raises(MessageError):
        other.admit("d")


def test_a_state_of_no_phones(classifier: Classifier) -> None:
    """A state without phones can be restored."""
    recognizer = Recognizer(classifier, hop=HOP)
    recognizer.restore(stored(Recognizer(classifier, hop=HOP).state()))
    assert [] == recognizer.devices


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("hop", {"hop": 16}),
        ("filter_start", {"hop": HOP, "filter_start": "zero"}),
        ("lateness_s", {"hop": HOP, "lateness_s": 0.5}),
    ],
)
def test_a_state_of_other_settings(
    classifier: Classifier, what: str, changes: dict[str, Any]
) -> None:
    """A state is refused where it would mean something else, and it is said why."""
    state = Recognizer(classifier, hop=HOP).state()
    with pytest.raises(StateError, match=what):
        Recognizer(classifier, **changes).restore(state)


def test_a_state_of_another_model(classifier: Classifier, shipped: Classifier) -> None:
    """So it is where the model is another."""
    state = Recognizer(classifier, hop=HOP).state()
    assert state["of"]["model"] == classifier.card.identity
    with pytest.raises(StateError, match="model"):
        Recognizer(shipped, hop=HOP).restore(state)


def test_a_state_of_too_many_phones(classifier: Classifier) -> None:
    """A state of more phones than there is room for is refused, and nothing is forgotten."""
    full = Recognizer(classifier, hop=HOP)
    for device in "abc":
        full.admit(device)
    small = Recognizer(classifier, hop=HOP, max_devices=2)
    small.admit("x")
    with pytest.raises(StateError, match="3 phones"):
        small.restore(full.state())
    assert ["x"] == small.devices


def test_a_phone_takes_little_memory(classifier: Classifier) -> None:
    """All that is known of a phone on its usual way has 10 KiB at most, of any phone 20."""
    for device, messages in of_every_kind().items():
        recognizer = Recognizer(classifier, hop=64)
        for message in messages:
            push(recognizer, message)
        most = 10 if device in ("usual", "prepared") else 20
        assert len(encode(recognizer.state())) <= most * 1024
