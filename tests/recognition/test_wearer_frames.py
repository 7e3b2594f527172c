import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.classifier import Classifier
from pipeline.recognition.recognizer import Recognizer
from pipeline.recognition.wearer.frame import FORWARD_KNOWN, UPRIGHT_KNOWN
from pipeline.state.checkpoint import decode, encode
from tests.made_models import write_wearer_model
from tests.recognition.made_up import HOP, in_messages, push, readings, told_of
from tests.recognition.wearer.walks import rows_of

ROWS = np.concatenate([rows_of("WALKING", seconds=24), rows_of("STANDING", seconds=6)])


@pytest.fixture(scope="module")
def frames_model(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A model whose probabilities are the wearer's frame."""
    return Classifier(write_wearer_model(tmp_path_factory.mktemp("models") / "wearer.onnx"))


def test_the_frame_reaches_the_model(frames_model: Classifier) -> None:
    """Ten steps on, upright and forward are known to the model, also while the wearer stands."""
    recognizer = Recognizer(frames_model, hop=HOP)
    recognised = push(recognizer, readings(ROWS))
    first, last = (recognised.predictions[i].probabilities for i in (0, -1))
    assert not first.any()
    assert [1, 1] == last[[UPRIGHT_KNOWN, FORWARD_KNOWN]].tolist()
    assert recognizer.knows_upright("phone")


def test_upright_is_nobodys_business_without_such_a_model(shipped: Classifier) -> None:
    """Where the model takes no frames, nothing is learnt of the wearer."""
    recognizer = Recognizer(shipped, hop=HOP)
    push(recognizer, readings(ROWS))
    assert recognizer.knows_upright("phone") is None


@given(size=st.integers(5, 200), saved_after=st.integers(0, 10))
@settings(max_examples=10, deadline=None)
def test_cuts_and_crashes_change_nothing(
    frames_model: Classifier, size: int, saved_after: int
) -> None:
    """However messages are cut, and from whatever checkpoint it goes on: the same to the bit."""
    whole = told_of(push(Recognizer(frames_model, hop=HOP), readings(ROWS)))
    recognizer = Recognizer(frames_model, hop=HOP)
    actual: list[object] = []
    for number, message in enumerate(in_messages(readings(ROWS), size=size)):
        actual += told_of(push(recognizer, message))
        if number == saved_after:
            saved = decode(encode(recognizer.state()))
            recognizer = Recognizer(frames_model, hop=HOP)
            recognizer.restore(saved)
    expected = [one for one in whole if isinstance(one, tuple) and len(one) == 6]
    predictions = [one for one in actual if isinstance(one, tuple) and len(one) == 6]
    assert expected
    assert expected == predictions
