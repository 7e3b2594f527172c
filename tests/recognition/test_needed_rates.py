"""The rate that a phone's sensors need is that of the model which the phone has."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.classifier import Classifier
from pipeline.readings import Delivery, Readings, Sensor
from pipeline.recognition.placement.frames import FRAMES
from pipeline.recognition.recognizer import Recognizer
from pipeline.state.checkpoint import decode, encode
from tests.recognition.made_up import EPOCH, HOP, in_messages, motion

LANDSCAPE = FRAMES["landscape"]


@pytest.fixture(scope="module")
def frugal(
    make_model: Callable[..., Path],
    make_card: Callable[..., dict[str, object]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Classifier:
    """A tiny model for phones anywhere that needs 19 samples a second."""
    card = make_card(name="tiny-any", orientation="any", needed_rate_hz=19.0)
    return Classifier(make_model(tmp_path_factory.mktemp("model") / "frugal.onnx", card=card))


def messages_at(rate_hz: float, *, seconds: float = 30.0, width: int = 6) -> list[Readings]:
    """Return a phone's messages of fifteen samples at a rate."""
    n_samples = round(rate_hz * seconds)
    rows = motion(n_samples, seed=3, width=width)
    times = EPOCH + np.arange(n_samples) / rate_hz
    sensor: Sensor = "motion" if width == 6 else "prepared"
    return in_messages(Readings("phone", times, rows, sensor))


def activities(recognizer: Recognizer, messages: list[Readings]) -> list[str]:
    """Return the activities now, one after the other, that come of messages."""
    changes = []
    for message in messages:
        changes += recognizer.push([Delivery([message])]).changes
    return [change.activity for _, change in changes]


def admitted(*models: Classifier, at_waist: bool) -> Recognizer:
    """Return a recognizer of one model or two that has admitted a phone."""
    first, *others = models
    elsewhere = others[0] if others else None
    recognizer = Recognizer(first, model_elsewhere=elsewhere, hop=HOP)
    recognizer.admit("phone")
    recognizer.place("phone", 1.0, LANDSCAPE, at_waist=at_waist)
    return recognizer


@pytest.mark.parametrize("rate_hz", [19.6, 20.0, 25.0])
def test_a_slow_phone(classifier: Classifier, frugal: Classifier, rate_hz: float) -> None:
    """Elsewhere it is recognised, at the waist it is `low-rate`; with one model, as that needs."""
    messages = messages_at(rate_hz)
    for models, at_waist, is_slow in (
        ((classifier, frugal), False, False),
        ((classifier, frugal), True, True),
        ((classifier,), False, True),
        ((frugal,), False, False),
        ((frugal,), True, False),
    ):
        recognizer = admitted(*models, at_waist=at_waist)
        found = activities(recognizer, messages)
        assert is_slow == ("low-rate" in recognizer.problems("phone"))
        assert is_slow == (set(found) == {"unknown"})


def test_prepared_samples(classifier: Classifier, frugal: Classifier) -> None:
    """They are of phones at the waist, wherever their phone was placed."""
    recognizer = admitted(classifier, frugal, at_waist=False)
    activities(recognizer, messages_at(20.0, width=9))
    assert "low-rate" in recognizer.problems("phone")


def test_a_phone_that_moves(classifier: Classifier, frugal: Classifier) -> None:
    """A change of model counts at once, whatever the rate was judged by before."""
    messages = messages_at(18.5)
    recognizer = admitted(classifier, frugal, at_waist=False)
    for number, message in enumerate(messages):
        if number % 10 == 9:
            at_waist = number % 20 == 9
            recognizer.place("phone", 1.0, LANDSCAPE, at_waist=at_waist)
            assert at_waist == ("low-rate" in recognizer.problems("phone"))
        recognizer.push([Delivery([message])])


@given(data=st.data(), rate_hz=st.sampled_from([17.0, 18.5, 20.0, 28.5, 33.0]))
@settings(max_examples=8, deadline=None)
def test_every_grouping_gives_the_same(
    classifier: Classifier, frugal: Classifier, data: st.DataObject, rate_hz: float
) -> None:
    """However samples are cut, and though it crashes and goes on from its checkpoint.

    The rate changes, and the phone moves, once each.
    """
    before, after = messages_at(rate_hz, seconds=8.0), messages_at(18.5, seconds=8.0)
    shift_s = float(before[-1].times[-1]) - EPOCH + 0.05
    after = [msgspec.structs.replace(one, times=one.times + shift_s) for one in after]
    # Not where the rate changes: there, samples wait for a message that might be missing.
    n = len(before)
    moves = data.draw(st.integers(1, n - 1) | st.integers(n + 2, n + 8))
    at_waist = data.draw(st.booleans())

    def results(recognizer: Recognizer, size: int, restart: int) -> list[object]:
        told = []
        for number, message in enumerate(before + after):
            if number == moves:
                recognizer.place("phone", 1.0, LANDSCAPE, at_waist=not at_waist)
            parts = in_messages(message, size=size)
            told += [recognizer.push([Delivery([part])]) for part in parts]
            if number == restart:
                state = decode(encode(recognizer.state()))
                recognizer = admitted(classifier, frugal, at_waist=False)
                recognizer.restore(state)
        return [
            *((p.start, p.model, p.label, p.settling) for tick in told for p in tick.predictions),
            *((one.activity, one.since) for tick in told for _, one in tick.changes),
            *((one.activity, one.start, one.end) for tick in told for _, one in tick.episodes),
            recognizer.problems("phone"),
        ]

    size, restart = data.draw(st.integers(2, 15)), data.draw(st.integers(0, n))
    expected = results(admitted(classifier, frugal, at_waist=at_waist), 15, -1)
    assert expected == results(admitted(classifier, frugal, at_waist=at_waist), size, restart)
