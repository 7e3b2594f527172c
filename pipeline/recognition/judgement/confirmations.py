"""How probable a label must be to be shown in the place of another as the activity now.

Between two postures, or two gaits, the classifier is often in doubt, and its errors last for many
windows; a posture does not change either without a change of posture that is seen. Anything else
that becomes the most probable is seldom wrong.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.motion import MOVING_ACTIVITIES, STILL_ACTIVITIES
from pipeline.recognition.judgement.states import States
from pipeline.recognition.judgement.weights import Weights


def confirmations(states: States, weights: Weights) -> NDArray[np.float64]:
    """Return the least probabilities ``(n_labels, n_labels)``, from row to column."""
    least = np.full((len(states.labels), len(states.labels)), weights.confirmed)
    for alike, confirmed in (
        (STILL_ACTIVITIES, weights.confirmed_posture),
        (MOVING_ACTIVITIES, weights.confirmed_gait),
    ):
        places = [place for place, label in enumerate(states.labels) if label in alike]
        least[np.ix_(places, places)] = confirmed
    return least
