from itertools import product

from msgspec.structs import replace

from pipeline.recognition.judgement.confirmations import confirmations
from pipeline.recognition.judgement.states import States
from pipeline.vocabulary import ACTIVITIES
from tests.recognition.judgement.drawings import WEIGHTS


def test_what_resembles_what_is_shown_must_be_more_probable() -> None:
    """From posture to posture and from gait to gait other probabilities count than elsewhere."""
    weights = replace(WEIGHTS, confirmed=0.3, confirmed_posture=0.9, confirmed_gait=0.6)
    states = States([*ACTIVITIES, "RUNNING", "CYCLING"])
    least = dict(
        zip(product(states.labels, repeat=2), confirmations(states, weights).flat, strict=True)
    )
    assert 0.9 == least["SITTING", "STANDING"] == least["LAYING", "SITTING"]
    assert 0.6 == least["WALKING", "WALKING_UPSTAIRS"] == least["RUNNING", "WALKING"]
    for pair in (
        ("WALKING", "SITTING"),
        ("transition", "SITTING"),
        ("SITTING", "transition"),
        ("STANDING", "unknown"),
        ("CYCLING", "WALKING"),
    ):
        assert 0.3 == least[pair]
