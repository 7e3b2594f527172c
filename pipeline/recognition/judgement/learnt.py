"""The numbers that the decisions need beside the classifier, learnt from labelled raw recordings.

`trainer.decisions` learns them; the files that ship are in `pipeline.models`. They do not depend on
the classifier, so they serve any model of the same activities.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.weights import Weights
from pipeline.recognition.learnt_numbers import LearntNumbers
from pipeline.recognition.network import Network


class Learnt(LearntNumbers, frozen=True, eq=False):
    """The learnt numbers, as their JSON file holds them."""

    activities: tuple[str, ...]
    """What was learnt about, besides `CHANGE_NAMES`"""
    motion: Network
    """Gives log probabilities of `MOTIONS` from `motion_features`"""
    motion_shares: NDArray[np.float64]
    """``(n_motions,)``: how often each occurred in the recordings"""
    tilt: NDArray[np.float64]
    """``(n_features,)``: weights of `tilt_features`; the sum, a person's tilt, is higher sitting"""
    boundary: float
    """Mean over people of the tilt halfway between their sitting and their standing"""
    boundary_sd: float
    """Its standard deviation over people"""
    half_gap: float
    """Half the difference between sitting and standing"""
    tilt_sd: float
    """Standard deviation of a window's tilt about that, within people"""
    rates: NDArray[np.float64]
    """``(n, n)`` changes a second, from row to column, among the activities and then
    `CHANGE_NAMES`; zeros on the diagonal"""
    novelty: Network
    """Gives the score of `novelty` from `novelty_features`"""
    weights: Weights
    """How much all of it counts"""
