"""Whether a phone's windows can be what the models were trained on: units, placement, axes.

Rules:

* Each window is checked by itself (`checks`). A problem comes into force when the evidence for it,
  counted in samples, outweighs that against it by far, and stays in force until the evidence is
  used up.
* Whether the sensors' axes differ follows from the turns in many windows together (`axes`).
* A wearer who stirs, but hardly ever upright, wears the phone in a wrong frame.

What is done about a problem is not decided here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.recognition.judgement.sanity_checks.axes import N_SUMS, axes_differ, remembered
from pipeline.recognition.judgement.sanity_checks.checks import CheckResults
from pipeline.recognition.judgement.sanity_checks.problems import PROBLEMS, WRONG_FRAME
from pipeline.recognition.per_phone import PerPhone
from pipeline.recognition.rounds import Rounds
from pipeline.vocabulary import WINDOW_LENGTH

RAISING_EVIDENCE: Final = 300
"""Samples of evidence that bring a problem into force: 6 s."""
MOST_EVIDENCE: Final = 600
"""Samples of evidence that are kept: so many of the contrary, 12 s, end a problem."""

STIRRING_SAMPLES: Final = 64
"""Samples of stirring otherwise that are needed, 1.3 s: one window at a hop of 64."""
UPRIGHT_STIRRING_SAMPLES: Final = 128
"""Samples of stirring upright that prove the frame, 2.6 s."""
UPRIGHT_SHARE: Final = 0.75
"""Least ratio of stirring upright to stirring otherwise. With these four 18 of the 7,136 labelled
windows of the 42 recordings are flagged, all in one; of those in another placement 96 to 98 %."""
MOST_STIRRING_SAMPLES: Final = 6000
"""Samples of stirring that are remembered, 2 minutes: a wearer who was upright for so long may turn
over in bed all night."""


class Plausibility(PerPhone):
    """The evidence on all phones."""

    _per_phone = ("in_force", "evidence", "rotations", "stirred")

    def __init__(self, n_slots: int, *, hop: int, any_way_round: bool = False) -> None:
        """Make room for ``n_slots`` phones, whose windows are ``hop`` samples apart.

        If they may be worn any way round, none is in a wrong frame.
        """
        self._hop = hop
        self._any_way_round = any_way_round
        self.in_force = np.zeros((n_slots, len(PROBLEMS)), np.bool_)
        self.evidence = np.zeros((n_slots, len(PROBLEMS) - 1), np.int64)  # of all but the last
        self.rotations = np.zeros((n_slots, N_SUMS))  # of the last: sums over turns, as in `axes`
        self.stirred = np.zeros((n_slots, 2), np.int64)  # samples of stirring: upright, otherwise

    def reset(self, slots: Sequence[int]) -> None:
        """Forget what is known of these phones."""
        self.in_force[slots] = False
        self.evidence[slots] = 0
        self.rotations[slots] = 0
        self.stirred[slots] = 0

    def problems_after(self, rounds: Rounds, results: CheckResults) -> NDArray[np.bool_]:
        """Return which `PROBLEMS` are in force after each of some windows, ``(n, n_problems)``.

        ``rounds`` are those of the windows, ``results`` those of `check`.
        """
        verdicts = rounds.ordered(results.verdicts) * np.int64(self._hop)
        stirs = rounds.ordered(results.stirs) * np.int64(self._hop)
        if self._any_way_round:
            verdicts[:, WRONG_FRAME] = 0
            stirs[:] = 0
        place = rounds.ordered(results.place)
        phones = rounds.slots
        evidence, stirred = self.evidence[phones], self.stirred[phones]
        in_force, rotations = self.in_force[phones], self.rotations[phones]
        result = np.empty((len(results.place), len(PROBLEMS)), np.bool_)
        for n_phones, windows in rounds:
            problems, counted = in_force[:n_phones], evidence[:n_phones]
            counted += verdicts[windows]
            np.clip(counted, 0, MOST_EVIDENCE, out=counted)
            problems[:, :-1] = (counted >= RAISING_EVIDENCE) | (problems[:, :-1] & (counted > 0))
            turning = np.flatnonzero(place[windows] >= 0)
            if len(turning):
                new = results.rotations[place[windows][turning]]
                sums = remembered(rotations[turning], new, self._hop / WINDOW_LENGTH)
                rotations[turning] = sums
                problems[turning, -1] = axes_differ(sums, problems[turning, -1])
            result[windows] = problems
            stirring = stirred[:n_phones]
            stirring += stirs[windows]
            np.minimum(stirring, MOST_STIRRING_SAMPLES, out=stirring)
            result[windows, WRONG_FRAME] |= _never_upright(stirring)
        self.evidence[phones], self.stirred[phones] = evidence, stirred
        self.in_force[phones], self.rotations[phones] = in_force, rotations
        return rounds.restored(result)


def _never_upright(stirred: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which wearers stir, but hardly ever upright, ``(n,)``.

    ``stirred`` ``(n, 2)`` are samples of stirring, upright and otherwise. At rest, a phone in a
    wrong frame cannot be distinguished from a phone whose wearer lies; but nobody moves only while
    lying.
    """
    upright, otherwise = stirred.T
    never: NDArray[np.bool_] = (otherwise >= STIRRING_SAMPLES) & (
        upright < np.maximum(UPRIGHT_STIRRING_SAMPLES, UPRIGHT_SHARE * otherwise)
    )
    return never
