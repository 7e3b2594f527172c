import numpy as np

from pipeline.models.decisions import shipped
from pipeline.recognition.judgement.motion import MOTIONS, motion_features
from pipeline.recognition.judgement.novelty import novelty_features
from pipeline.recognition.judgement.states import CHANGES_TOWARDS
from pipeline.recognition.judgement.summary import summarize
from pipeline.recognition.judgement.tilt import tilt_features
from pipeline.vocabulary import ACTIVITIES, CHANNELS, WINDOW_LENGTH


def test_the_shipped_numbers_fit() -> None:
    """Their shapes are those of the features and the states, and all of them are finite."""
    numbers = shipped()
    summary = summarize(np.ones((1, WINDOW_LENGTH, len(CHANNELS)), np.float32))
    assert motion_features(summary).shape[1] + 1 == len(numbers.motion.hidden)
    assert novelty_features(summary).shape[1] + 1 == len(numbers.novelty.hidden)
    assert tilt_features(summary).shape[1] == len(numbers.tilt)
    n_states = len(ACTIVITIES) + len(CHANGES_TOWARDS)
    assert (n_states, n_states) == numbers.rates.shape
    assert len(MOTIONS) == numbers.motion.output.shape[1] == len(numbers.motion_shares)
    assert numbers.boundary_sd > 0
    assert numbers.half_gap > 0
