"""The weights of the evidence, and the probabilities from which a change is shown.

`trainer.decisions` chooses them, on people whom neither the model nor the learnt numbers know; they
are part of the learnt numbers' file. Each is used where its name says.
"""

import msgspec


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """All that is chosen about the decisions, not learnt from samples."""

    # The evidence of a window, at a hop of `REFERENCE_HOP`
    classifier: float
    """Weight of the classifier's log probabilities"""
    classifier_error: float
    """Share of a uniform distribution mixed into the classifier's probabilities"""
    posture_factor: float
    """Factor on the classifier's log odds of sitting against standing, which are often wrong for
    all of a person's windows alike"""
    change_discount: float
    """Share of the classifier's log probabilities that is disregarded where a change of posture is
    certain"""
    motion: float
    """Weight of the log likelihoods of being still and of moving"""
    change: float
    """Weight of the log likelihoods of the changes of posture"""
    tilt: float
    """Weight of the log likelihoods of sitting and standing by the tilt"""
    largest: float
    """Most by which all these weights grow at longer hops; windows that share nothing count
    fully"""

    # Time
    haste: float
    """Factor on the learnt rates of leaving an activity: the windows of a hop share samples, so
    that the belief that they lead to together is too certain"""
    change_haste: float
    """The same for leaving a change of posture"""

    # What is shown
    newest_change: float
    """Weight of the newest window's log odds of a change of posture, which for the activity now
    count once more: whether one begins or ends shows in the newest samples alone"""
    now_transition: float
    """Factor on the odds of a change of posture for the activity now"""
    confirmed: float
    """Probability from which another activity is shown as the activity now"""
    confirmed_posture: float
    """The same from one posture to another, without a change of posture seen"""
    confirmed_gait: float
    """The same from one gait to another"""
    timeline_transition: float
    """Factor on the odds of a change of posture in the timeline"""
